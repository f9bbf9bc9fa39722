import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { period } from '../../kernel/period.ts'
import { quote, type QuoteFacts, type SegmentFacts } from '../pricing/index.ts'
import { accrued } from './what-if-accrual.ts'

const YEAR = period('2026-03-17', '2027-03-17')
const DAYS = 365

function costOf(segments: SegmentFacts[]): bigint {
  const facts: QuoteFacts = {
    currency: 'AUD',
    period: YEAR,
    tax: { treatment: 'exempt', name: null, rate: null },
    subscriptions: [{ deployment_id: null, subscription_id: null, discounts: [], addons: [], segments }],
    llm: [],
    adjustments: [],
  }
  return quote(accrued(facts)).subtotal_cents
}

function segment(
  [from, to]: readonly [number, number],
  terms: {
    price_cents: bigint
    mode?: SegmentFacts['mode']
    proration?: 'daily' | 'none'
    is_left?: boolean
    override_cents?: bigint
  },
): SegmentFacts {
  const { price_cents, mode = 'normal', proration = 'daily', is_left = false, override_cents } = terms
  return {
    active: { start: YEAR.start.add({ days: from }), end: YEAR.start.add({ days: to }) },
    mode,
    plan: {
      code: 'studio',
      version: 1,
      name: null,
      currency: 'AUD',
      interval: 'year',
      base_price_cents: price_cents,
      proration,
      commitment_cents: null,
      charges: [],
    },
    usage: {},
    year: { period: YEAR, is_left, ...(override_cents !== undefined && { base_price_cents: override_cents }) },
  }
}

test('the parts of a year come to its price, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 10_000_000n }),
      fc.uniqueArray(fc.integer({ min: 1, max: DAYS - 1 }), { maxLength: 13 }),
      (price_cents, cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), DAYS]
        const parts = edges.slice(1).map((to, index) => segment([edges[index] ?? 0, to], { price_cents }))
        assert.equal(costOf(parts), price_cents)
      },
    ),
  )
})

test('days that are given back cost nothing; a plan that gives none back costs its whole price', () => {
  const price_cents = 36_500n
  const paused = (proration: 'daily' | 'none') => [
    segment([0, 100], { price_cents, proration }),
    segment([100, 130], { price_cents, proration, mode: 'paused' }),
    segment([130, 200], { price_cents, proration, is_left: true }),
  ]
  assert.equal(costOf(paused('daily')), 17_000n)
  assert.equal(costOf(paused('none')), 36_500n)
})

test('a year goes on at the price that it was billed at', () => {
  assert.equal(costOf([segment([10, 40], { price_cents: 73_000n, override_cents: 36_500n })]), 3_000n)
})
