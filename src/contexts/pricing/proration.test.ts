import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal, plain } from '../../kernel/decimal.ts'
import { fromMinor, toMinor } from '../../kernel/money.ts'
import { days, type Period, period } from '../../kernel/period.ts'
import { APRIL } from './facts.fixture.ts'
import { prorate, prorationOf } from './proration.ts'

test('the first day counts and the end day does not', () => {
  assert.equal(share('daily', period('2026-04-16', '2026-05-01')), '25')
  assert.equal(share('daily', period('2026-04-30', '2026-05-01')), `1.${'6'.repeat(35)}7`)
})

test('a whole period costs the whole price', () => {
  assert.equal(share('daily', APRIL), '50')
})

test('a plan without proration costs the whole price for any day', () => {
  assert.equal(share('none', period('2026-04-30', '2026-05-01')), '50')
})

test('splitting a period at any day changes the price by at most one minor unit', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1_000_000n }), fc.integer({ min: 1, max: 29 }), (price_cents, day) => {
      const middle = APRIL.start.add({ days: day })
      const split =
        posted(price_cents, { start: APRIL.start, end: middle }) +
        posted(price_cents, { start: middle, end: APRIL.end })
      const difference = split - price_cents
      assert.ok(difference >= -1n && difference <= 1n, `${price_cents} became ${split}`)
    }),
  )
})

function share(rule: 'daily' | 'none', active: Period): string {
  return plain(prorate(decimal('50'), prorationOf(rule, { active: days(active), in_period: days(APRIL) })))
}

function posted(price_cents: bigint, active: Period): bigint {
  return toMinor(
    prorate(fromMinor(price_cents, 'AUD'), prorationOf('daily', { active: days(active), in_period: days(APRIL) })),
    'AUD',
  )
}
