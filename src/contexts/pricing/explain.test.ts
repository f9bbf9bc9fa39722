import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvariantError } from '../../kernel/invariant.ts'
import { period } from '../../kernel/period.ts'
import { explain } from './explain.ts'
import {
  anyFacts,
  APRIL,
  attached,
  chargeFacts,
  quoteFacts,
  segmentFacts,
  STORAGE,
  STUDIO,
  yearFrom,
} from './facts.fixture.ts'
import type { Charge, DiscountTerms, PlanTerms, QuoteFacts, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const TIERS = [
  { up_to: '10', unit_price: '10', flat_price: '2' },
  { up_to: null, unit_price: '5' },
]
const HALF = period('2026-04-01', '2026-04-16')

test('base price and add-on show the days they were active', () => {
  assert.deepEqual(formulas(quoteFacts([segmentFacts({ active: HALF })], { addons: [attached(STORAGE, HALF)] })), [
    '50.00 × 15 of 30 days = 25.00',
    '7.50 × 15 of 30 days = 3.75',
    '28.75 × 10 % = 2.875, rounded to 2.88',
  ])
})

test('a price that is not prorated stands alone', () => {
  const plan = { ...STUDIO, proration: 'none' as const }
  assert.equal(formulas(quoteFacts([segmentFacts({ active: HALF, plan })]))[0], '50.00 = 50.00')
})

test('each model shows what it multiplied', () => {
  const included = { meter: 'm', included_quantity: '10' }
  const expected: [Charge, string, string][] = [
    [{ meter: 'm', model: 'per_unit', unit_price: '0.01' }, '2160.5', '2,160.5 × 0.01 = 21.605, rounded to 21.61'],
    [{ ...included, model: 'per_unit', unit_price: '0.01' }, '2160', '(2,160 − 10 included) × 0.01 = 21.50'],
    [{ ...included, model: 'per_unit', unit_price: '0.01' }, '4', '(4 − 4 of 10 included) × 0.01 = 0.00'],
    [{ meter: 'm', model: 'graduated', tiers: TIERS }, '11', '10 × 10 + 2.00 flat + 1 × 5 = 107.00'],
    [{ ...included, model: 'graduated', tiers: TIERS }, '11', '11 − 10 included: 1 × 10 + 2.00 flat = 12.00'],
    [{ ...included, model: 'volume', tiers: TIERS }, '4', '4 − 4 of 10 included: 0 = 0.00'],
    [{ meter: 'm', model: 'percentage', rate: '0.067' }, '55', '55 × 6.7 % = 3.685, rounded to 3.69'],
    [
      { ...included, model: 'package', package_size: '10', package_price: '100' },
      '121',
      '121 − 10 included, in packages of 10: 12 × 100.00 = 1,200.00',
    ],
  ]
  for (const [charge, quantity, formula] of expected) {
    assert.equal(formulas(chargeFacts(charge, quantity))[0], formula)
  }
})

test('minimum, maximum and trial are part of the formula', () => {
  const charge: Charge = { meter: 'm', model: 'per_unit', unit_price: '1', min_amount: '5', max_amount: '10' }
  const shown = (quantity: string, changes: Partial<SegmentFacts> = {}): string[] =>
    formulas(chargeFacts(charge, quantity, changes)).slice(0, -1)
  assert.deepEqual(shown('2'), ['2 × 1 = 2.00', '5.00 × 30 of 30 days minimum − 2.00 charged = 3.00'])
  assert.deepEqual(shown('20', { active: HALF }), ['20 × 1, at most 5.00 = 5.00'])
  assert.deepEqual(shown('2', { mode: 'trial' }), ['2 × 1, free in the trial = 0.00'])
})

test('terms per event show the fee of each event and the share that is not included', () => {
  const cards: Charge = { meter: 'm', model: 'percentage', rate: '0.029', fixed_per_event: '0.30', max_per_event: '12' }
  const shown = (charge: Charge) => formulas(chargeFacts(charge, '100'))[0]
  assert.equal(shown(cards), '1 event at 2.9 % + 0.30, each at most 12.00: 3.20 = 3.20')
  assert.equal(
    shown({ ...cards, min_per_event: '1', included_quantity: '25' }),
    '1 event at 2.9 % + 0.30, each at least 1.00 and at most 12.00: 3.20 × 75 of 100 = 2.40',
  )
  const two = [
    { quantity: '10', count: 4 },
    { quantity: '60', count: 1 },
  ]
  assert.equal(
    formulas(chargeFacts(cards, '100', { events: { m: two } }))[0],
    '5 events at 2.9 % + 0.30, each at most 12.00: 4 × 0.59 + 2.04 = 4.40',
  )
  assert.equal(
    formulas(chargeFacts({ ...cards, included_quantity: '25' }, '100', { events: { m: two } }))[0],
    '5 events at 2.9 % + 0.30, each at most 12.00: (4 × 0.59 + 2.04) × 75 of 100 = 3.30',
  )
  const many = Array.from({ length: 25 }, (_, index) => ({ quantity: `${index}`, count: 1 }))
  assert.equal(
    formulas(chargeFacts(cards, '300', { events: { m: many } }))[0],
    '25 events at 2.9 % + 0.30, each at most 12.00 = 16.20',
  )
})

test('a year, what it gives back and a commitment show what they follow from', () => {
  const plan: PlanTerms = { ...STUDIO, interval: 'year', base_price_cents: 60_000n, commitment_cents: 9_000n }
  const year = yearFrom(APRIL.start, true)
  assert.deepEqual(
    formulas(
      quoteFacts([
        segmentFacts({ plan, year: yearFrom(APRIL.start), active: HALF }),
        segmentFacts({ plan, year, active: period('2026-04-16', '2026-04-20'), mode: 'paused' }),
      ]),
    ).slice(0, -1),
    [
      '600.00 for the year = 600.00',
      '−600.00 × 4 of 365 days paused = -6.575342465753…, rounded to -6.58',
      '6.58 given back − 600.00 × (4 + 346) of 365 days left of the year = -568.762465753424…, rounded to -568.76',
      '90.00 × 15 of 30 days commitment − 0.00 charged = 45.00',
    ],
  )
})

test('a discount shows what it takes and the line’s share of it', () => {
  const facts = quoteFacts([segmentFacts()], { addons: [attached(STORAGE)] })
  const terms: Omit<DiscountTerms, 'rate' | 'amount_cents'> = { id: null, name: 'Partner', line_kinds: null }
  const discounts = [
    { ...terms, rate: '0.1', amount_cents: null },
    { ...terms, rate: null, amount_cents: 2_000n },
  ]
  const subscriptions = facts.subscriptions.map((subscription) => ({ ...subscription, discounts }))
  assert.deepEqual(formulas({ ...facts, subscriptions }).slice(2, -1), [
    '10 % of 57.50: 5.75; −5.75 × 50.00 of 57.50, by largest remainder = -5.00',
    '10 % of 57.50: 5.75; −5.75 × 7.50 of 57.50, by largest remainder = -0.75',
    '20.00 off, at most 51.75: 20.00; −20.00 × 45.00 of 51.75, by largest remainder = -17.39',
    '20.00 off, at most 51.75: 20.00; −20.00 × 6.75 of 51.75, by largest remainder = -2.61',
  ])
})

test('LLM usage and adjustments show their sums', () => {
  const owner = { deployment_id: 'dep_1', subscription_id: null, service_period: APRIL }
  const adjustment = { ...owner, description: 'Late usage', amount_cents: 200n }
  const facts = quoteFacts([], {
    llm: [{ ...owner, charge: '0.0123', event_count: 1200 }],
    adjustments: [
      { ...adjustment, details: { rated_cents: 1200, billed_cents: 1000 } },
      { ...adjustment, amount_cents: -100n, details: { rated_cents: 500, billed_cents: 1000, credited_cents: 400 } },
      { ...adjustment, details: {} },
    ],
  })
  assert.deepEqual(formulas(facts).slice(0, -1), [
    'sum of 1,200 LLM charges = 0.0123, rounded to 0.01',
    '12.00 rated now − 10.00 billed already = 2.00',
    '5.00 rated now + 4.00 credited already − 10.00 billed already = -1.00',
    'stated amount = 2.00',
  ])
})

test('amounts show the digits of their currency', () => {
  const plan = { ...STUDIO, currency: 'JPY', charges: [] }
  const facts = quoteFacts([segmentFacts({ plan })], { currency: 'JPY' })
  assert.equal(formulas(facts)[0], '5,000 × 30 of 30 days = 5,000')
})

test('the facts beside the formula are those of the line', () => {
  const [line] = quote(quoteFacts([segmentFacts()])).lines
  assert.ok(line)
  assert.deepEqual(explain(line).facts, {
    ...line.details,
    meter: null,
    quantity: '1',
    unit_price: '50',
    amount_precise: '50',
  })
})

test('a line that came back from JSON explains itself like the fresh one', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      for (const line of quote(facts).lines) {
        const details: unknown = JSON.parse(JSON.stringify(line.details))
        assert.deepEqual(details, line.details)
        assert.match(explain(line).formula, / = -?[0-9,.…]+(, rounded to -?[0-9,.]+)?$/)
      }
    }),
  )
})

test('a line without the details of its kind is a bug', () => {
  const [line] = quote(quoteFacts([segmentFacts()])).lines
  assert.ok(line)
  assert.throws(() => explain({ ...line, details: {} }), InvariantError)
})

function formulas(facts: QuoteFacts): string[] {
  return quote(facts).lines.map((line) => explain(line).formula)
}
