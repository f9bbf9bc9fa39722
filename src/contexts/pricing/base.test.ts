import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvariantError } from '../../kernel/invariant.ts'
import { days, monthOf, type Period, period } from '../../kernel/period.ts'
import { APRIL, discounts, quoteFacts, segmentFacts, STUDIO, yearFrom } from './facts.fixture.ts'
import type { DiscountTerms, PlanTerms, QuoteLine, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const YEARLY: PlanTerms = { ...STUDIO, interval: 'year', base_price_cents: 60_000n, charges: [] }
const [FIRST, SECOND] = [period('2026-04-01', '2026-04-11'), period('2026-04-11', '2026-05-01')]

test('a year is billed whole in the month that it begins in, for the days of the year', () => {
  const [line] = lines([yearly(SECOND)])
  assert.deepEqual([line?.kind, line?.description, line?.amount_cents], ['plan_base', 'studio v1 base price', 60_000n])
  assert.deepEqual(line?.service_period, period('2026-04-11', '2027-04-11'))
  assert.equal(line.details['interval'], 'year')
})

test('a year that began before is not billed again', () => {
  assert.deepEqual(lines([yearly(APRIL, { year: yearFrom(Temporal.PlainDate.from('2026-03-31')) })]), [])
  const renewed = yearly(SECOND)
  const before = yearly(FIRST, { year: yearFrom(Temporal.PlainDate.from('2025-04-11')) })
  assert.deepEqual(posted([before, renewed]), ['plan_base 60000'])
})

test('days of a pause are given back in the month they pass', () => {
  const year = yearFrom(Temporal.PlainDate.from('2026-01-01'))
  const [credit, ...rest] = lines([yearly(FIRST, { year }), yearly(SECOND, { year, mode: 'paused' })])
  // 600.00 × 20 of 365 days = 32.8767…
  assert.deepEqual([credit?.kind, credit?.amount_cents, credit?.service_period, rest], ['credit', -3_288n, SECOND, []])
})

test('a year that begins in a pause is billed whole, and the pause is given back', () => {
  assert.deepEqual(posted([yearly(SECOND, { mode: 'paused' })]), ['plan_base 60000', 'credit -3288'])
})

test('the rest of a year is given back when the plan is left', () => {
  const year = yearFrom(Temporal.PlainDate.from('2026-01-01'), true)
  const [credit] = lines([yearly(FIRST, { year })])
  // 265 of 365 days from 11 April on: 435.616…
  assert.deepEqual(
    [credit?.description, credit?.amount_cents, credit?.service_period],
    ['studio v1 base price, rest of the year', -43_562n, period('2026-04-11', '2027-01-01')],
  )
  assert.deepEqual(posted([yearly(FIRST, { year, mode: 'paused' })]), ['credit -1644', 'credit -43561'])
})

test('a plan left on the last day of its year gives nothing back', () => {
  const year = yearFrom(Temporal.PlainDate.from('2025-05-01'), true)
  assert.deepEqual(lines([yearly(APRIL, { year })]), [])
})

test('a plan that is not prorated gives nothing back', () => {
  const plan: PlanTerms = { ...YEARLY, proration: 'none' }
  const year = yearFrom(Temporal.PlainDate.from('2026-01-01'), true)
  assert.deepEqual(lines([yearly(APRIL, { plan, year, mode: 'paused' })]), [])
})

test('what is given back is of the price that the year was billed at', () => {
  const year = { ...yearFrom(Temporal.PlainDate.from('2026-01-01'), true), base_price_cents: 36_500n }
  assert.deepEqual(posted([yearly(FIRST, { year })]), ['credit -26500'])
})

test('what is given back is of what the discounts of its first month left of the year', () => {
  const half: DiscountTerms = { id: null, name: 'Half', rate: '0.5', amount_cents: null, line_kinds: null }
  const on_usage: DiscountTerms = { ...half, line_kinds: ['usage'] }
  const fixed: DiscountTerms = { ...half, rate: null, amount_cents: 250n }
  const year = { ...yearFrom(Temporal.PlainDate.from('2026-01-01'), true), base_price_cents: 37_000n }
  // (370.00 ÷ 2 − 2.50) × 265 of 365 days.
  assert.deepEqual(posted([yearly(FIRST, { year: { ...year, discounts: [half, on_usage, fixed] } })]), [
    'credit -13250',
  ])
  assert.deepEqual(posted([yearly(FIRST, { year: { ...year, discounts: [{ ...half, rate: '1' }] } })]), [])
})

test('a plan that is not prorated is billed another year when it is taken again', () => {
  const plan: PlanTerms = { ...YEARLY, proration: 'none' }
  const left = yearly(FIRST, { plan, year: yearFrom(FIRST.start, true) })
  assert.deepEqual(posted([left, yearly(SECOND, { plan })]), ['plan_base 60000', 'plan_base 60000'])
})

test('the change from a monthly to a yearly plan bills the days of the one and the year of the other', () => {
  assert.deepEqual(posted([segmentFacts({ active: FIRST, plan: { ...STUDIO, charges: [] } }), yearly(SECOND)]), [
    'plan_base 1667',
    'plan_base 60000',
  ])
})

test('charges, included quantities and minimums of a yearly plan are monthly', () => {
  const plan: PlanTerms = {
    ...YEARLY,
    charges: [{ meter: 'calls', model: 'per_unit', unit_price: '1', included_quantity: '30', min_amount: '60' }],
  }
  const year = yearFrom(Temporal.PlainDate.from('2026-01-01'))
  assert.deepEqual(posted([yearly(FIRST, { plan, year, usage: { calls: '25' } })]), ['overage 1500', 'minimum 500'])
})

test('a year of 366 days counts them all', () => {
  const year = yearFrom(Temporal.PlainDate.from('2027-05-01'), true)
  const facts = quoteFacts([yearly(period('2028-02-01', '2028-03-01'), { year })], {
    period: period('2028-02-01', '2028-03-01'),
  })
  const [credit] = quote(facts).lines
  assert.deepEqual([credit?.details['days_credited'], credit?.details['days_in_year']], ['61', '366'])
})

test('a charged segment of a yearly plan without its year, or outside it, is a bug', () => {
  assert.throws(() => lines([yearly(APRIL, { year: null })]), InvariantError)
  assert.throws(() => lines([yearly(APRIL, { year: yearFrom(Temporal.PlainDate.from('2026-04-02')) })]), InvariantError)
  assert.deepEqual(lines([yearly(APRIL, { year: null, mode: 'trial' })]), [])
})

test('what a year gives back never comes to more than it was billed after discounts, to the minor unit', () => {
  fc.assert(
    fc.property(
      fc.record({
        base_price_cents: fc.bigInt({ min: 1n, max: 1_000_000n }),
        used: fc.nat(500).map(String),
        offset: fc.integer({ min: 0, max: 364 }),
        paused: fc.uniqueArray(fc.integer({ min: 0, max: 13 })),
        left_after: fc.option(fc.integer({ min: 0, max: 12 })),
        discounts,
      }),
      ({ base_price_cents, used, offset, paused, left_after, discounts: given }) => {
        const start = Temporal.PlainDate.from('2026-01-01').add({ days: offset })
        const charges = [{ meter: 'calls', model: 'per_unit', unit_price: '0.333' } as const]
        const plan: PlanTerms = { ...YEARLY, base_price_cents, charges }
        let days_given_back = 0
        const months = monthsOf(start).slice(0, left_after === null ? undefined : left_after + 1)
        const lines_of_year = months.flatMap((active, index) => {
          const is_left = index === months.length - 1
          const year = { ...yearFrom(start, is_left), discounts: given, days_given_back }
          const is_paused = paused.includes(index)
          if (is_paused) days_given_back += days(active)
          const mode = is_paused ? 'paused' : 'normal'
          const segment = yearly(active, { plan, year, mode, usage: index === 0 ? { calls: used } : {} })
          const owner = { deployment_id: 'dep_1', subscription_id: 'sub_1' }
          const subscriptions = [{ ...owner, segments: [segment], addons: [], discounts: index === 0 ? given : [] }]
          return quote(quoteFacts([], { period: monthOf(active.start), subscriptions })).lines
        })
        const of_year = lines_of_year.filter(
          ({ kind, details }) =>
            details['interval'] === 'year' || (kind === 'credit' && details['discounted_kind'] === 'plan_base'),
        )
        assert.equal(of_year.filter(({ kind }) => kind === 'plan_base').length, 1)
        const net_cents = of_year.reduce((total, line) => total + line.amount_cents, 0n)
        assert.ok(net_cents >= 0n, `${net_cents}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('a year that is paused from its first day to its last is given back whole, whatever the parts', () => {
  const start = Temporal.PlainDate.from('2026-01-20')
  let days_given_back = 0
  const credits = monthsOf(start).flatMap((active) => {
    const year = { ...yearFrom(start), days_given_back }
    days_given_back += days(active)
    const segment = yearly(active, { plan: { ...YEARLY, base_price_cents: 99_999n }, year, mode: 'paused' })
    return quote(quoteFacts([segment], { period: monthOf(active.start) })).lines.filter(({ kind }) => kind === 'credit')
  })
  assert.equal(
    credits.reduce((total, line) => total + line.amount_cents, 0n),
    -99_999n,
  )
})

test('splitting a month at any days changes a base price by at most one minor unit for each split', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 1_000_000n }),
      fc.uniqueArray(fc.integer({ min: 1, max: 29 })),
      (base_price_cents, cuts) => {
        const plan = { ...STUDIO, charges: [], base_price_cents }
        const bounds = [0, ...cuts.toSorted((a, b) => a - b), 30].map((day) => APRIL.start.add({ days: day }))
        const parts = bounds.flatMap((start, index) => {
          const end = bounds[index + 1]
          return end === undefined ? [] : [segmentFacts({ plan, active: { start, end } })]
        })
        const difference = quote(quoteFacts(parts)).subtotal_cents - base_price_cents
        const splits = BigInt(cuts.length)
        assert.ok(difference <= splits && difference >= -splits)
        assert.equal(
          parts.reduce((total, { active }) => total + days(active), 0),
          30,
        )
      },
    ),
  )
})

/** The year from `start` on, cut into calendar months. */
function monthsOf(start: Temporal.PlainDate): Period[] {
  const year = yearFrom(start).period
  const firsts = Array.from({ length: 13 }, (_, index) => start.with({ day: 1 }).add({ months: index + 1 }))
  const inside = firsts.filter((date) => Temporal.PlainDate.compare(date, year.end) < 0)
  return [start, ...inside].map((from, index) => ({ start: from, end: inside[index] ?? year.end }))
}

function yearly(active: Period, changes: Partial<SegmentFacts> = {}): SegmentFacts {
  return segmentFacts({ active, plan: YEARLY, year: yearFrom(active.start), ...changes })
}

function lines(segments: readonly SegmentFacts[]): QuoteLine[] {
  return quote(quoteFacts(segments)).lines.filter(({ kind }) => kind !== 'tax')
}

function posted(segments: readonly SegmentFacts[]): string[] {
  return lines(segments).map((line) => `${line.kind} ${line.amount_cents}`)
}
