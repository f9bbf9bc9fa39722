import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Rollup, textOf } from './rollup.ts'

const DONE: Rollup = { created: 3, rebuilt: 0, skipped: 1, parked: [], unbilled: [] }

test('a rollup says what it made, what is not billed and who is parked', () => {
  assert.equal(textOf('2026-04', DONE), '2026-04: 3 created, 0 rebuilt, 1 skipped, 0 parked')
  const [held, late] = (['held_llm', 'too_late'] as const).map((kind) => ({
    kind,
    tenant_id: 'boab',
    period: '2026-04',
    deployment_id: '00000000-0000-4000-8000-000000000000',
    meter: null,
    quantity: null,
    count: 1,
    detail: '',
  }))
  assert.ok(held && late)
  assert.equal(
    textOf('2026-04', { ...DONE, unbilled: [held, held, late] }).split('\n')[1],
    'Not billed: 2 held_llm, 1 too_late. GET /invoices/unbilled lists them.',
  )
  const parked = [{ tenant_id: 'boab', code: 'invoicing/unknown-plan', detail: 'studio v9' }]
  assert.match(
    textOf('2026-04', { ...DONE, parked }),
    /1 parked\n.*parked tenant.*\nboab +invoicing\/unknown-plan +studio v9$/,
  )
})
