import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monthMeant } from './month.ts'

const TODAY = Temporal.PlainDate.from('2026-11-28')

test('a month without a year is the latest that has begun', () => {
  for (const [text, meant] of [
    ['oct', '2026-10'],
    ['October', '2026-10'],
    ['nov', '2026-11'],
    ['dec', '2025-12'],
    ['sept.', '2026-09'],
    ['10', '2026-10'],
  ] as const) {
    assert.equal(monthMeant(text, TODAY), meant, text)
  }
})

test('a month in another spelling is known, and what is no month is not', () => {
  for (const text of ['oct 2025', 'October-2025', '10/2025', '2025/10', '202510']) {
    assert.equal(monthMeant(text, TODAY), '2025-10', text)
  }
  assert.equal(monthMeant('2026-1', TODAY), '2026-01')
  for (const text of ['', 'all', 'octopus', '13', '2026-13', '0', '2026-10-32', 'oc']) {
    assert.equal(monthMeant(text, TODAY), undefined, text)
  }
})
