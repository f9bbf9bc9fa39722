import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Period, period } from '../../kernel/period.ts'
import { APRIL, attached, quoteFacts, segmentFacts, STORAGE, STUDIO } from './facts.fixture.ts'
import type { AttachedAddon, Charge, PlanTerms, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const CALLS = { meter: 'calls', model: 'per_unit', unit_price: '0.10' } as const
const [FIRST, SECOND, THIRD] = [april(1, 11), april(11, 21), april(21, 31)]

test('a plan that is not prorated is paid once, whatever cuts its month', () => {
  assert.deepEqual(posted([part(FIRST), part(SECOND)], [attached(STORAGE, SECOND)]), ['plan_base 5000', 'addon 750'])
  assert.deepEqual(posted([part(FIRST), part(SECOND, { mode: 'paused' }), part(THIRD)]), ['plan_base 5000'])
  assert.deepEqual(posted([part(FIRST, { mode: 'trial' }), part(SECOND)]), ['plan_base 5000'])
  assert.deepEqual(posted([part(FIRST, { mode: 'trial' }), part(SECOND, { mode: 'paused' })]), [])
})

test('each plan version that is not prorated is paid once, and an add-on once over all of them', () => {
  const next = { ...planOf([]), version: 2, base_price_cents: 9000n }
  const addons = [attached(STORAGE)]
  assert.deepEqual(posted([part(FIRST), part(SECOND, { plan: next }), part(THIRD)], addons), [
    'plan_base 5000',
    'addon 750',
    'plan_base 9000',
  ])
  assert.deepEqual(posted([part(FIRST), part(SECOND, { plan: { ...next, proration: 'daily' } })], addons), [
    'plan_base 5000',
    'addon 750',
    'plan_base 3000',
  ])
})

test('what is left of the included quantity goes to the next segment; a pause and a trial take nothing of it', () => {
  const plan = planOf([{ ...CALLS, included_quantity: '100' }])
  const use = (active: Period, calls: string, changes: Partial<SegmentFacts> = {}) =>
    part(active, { plan, usage: { calls }, ...changes })
  const included = (segments: SegmentFacts[], addons: AttachedAddon[] = []) =>
    quote(quoteFacts(segments, { addons })).lines.flatMap((line) => line.details['included_quantity'] ?? [])
  assert.deepEqual(included([use(FIRST, '70'), use(SECOND, '10', { mode: 'paused' }), use(THIRD, '50')]), [
    '100',
    '0',
    '30',
  ])
  assert.deepEqual(included([use(FIRST, '70', { mode: 'trial' }), use(SECOND, '150'), use(THIRD, '5')]), [
    '100',
    '100',
    '0',
  ])
  const addons = [attached({ ...STORAGE, grants_meter: 'calls' }, april(11, 31))]
  assert.deepEqual(included([use(FIRST, '110'), use(SECOND, '20'), use(THIRD, '20')], addons), ['100', '50', '30'])
})

test('minimum and maximum hold for the sum, and the minimum is on the last segment that pays', () => {
  const plan = planOf([{ ...CALLS, min_amount: '10', max_amount: '20' }])
  const use = (active: Period, calls: string, changes: Partial<SegmentFacts> = {}) =>
    part(active, { plan, usage: { calls }, ...changes })
  const low = quote(quoteFacts([use(FIRST, '30'), use(SECOND, '20'), use(THIRD, '10', { mode: 'paused' })])).lines
  assert.deepEqual(
    low.map(({ kind, amount_cents, service_period }) => [kind, amount_cents, service_period]).slice(0, -1),
    [
      ['plan_base', 5000n, FIRST],
      ['usage', 300n, FIRST],
      ['usage', 200n, SECOND],
      ['minimum', 400n, SECOND],
      ['usage', 100n, THIRD],
    ],
  )
  assert.deepEqual(posted([use(FIRST, '150'), use(SECOND, '100'), use(THIRD, '10')]).slice(1), [
    'usage 1500',
    'usage 500',
    'usage 0',
  ])
  const halves = [use(FIRST, '0.05'), use(SECOND, '500')]
  assert.deepEqual(posted(halves).slice(1), ['usage 1', 'usage 1999'])
  const tiny = planOf([{ ...CALLS, max_amount: '0.005' }])
  const twice = [use(FIRST, '30', { plan: tiny }), use(SECOND, '30', { plan: tiny })]
  assert.deepEqual(posted(twice).slice(1), ['usage 1', 'usage 0'])
})

test('a boundary that changes nothing billable leaves the total of a plan that is not prorated as it is', () => {
  const amounts = fc.option(fc.nat(50).map(String))
  const limits = fc.tuple(amounts, amounts).filter(([min, max]) => min === null || max === null || +min <= +max)
  const quantity = fc.option(fc.nat(200).map(String))
  fc.assert(
    fc.property(
      fc.record({ limits, included: quantity, granted: fc.nat(50), used: fc.tuple(fc.nat(200), fc.nat(200)) }),
      fc.integer({ min: 2, max: 30 }),
      ({ limits: [min_amount, max_amount], included, granted, used: [a, b] }, day) => {
        const plan = planOf([{ ...CALLS, included_quantity: included, min_amount, max_amount }])
        const addons = [attached({ ...STORAGE, quantity: `${granted}`, grants_meter: 'calls' })]
        const over = (active: Period, calls: number) => part(active, { plan, usage: { calls: `${calls}` } })
        const cut = quote(quoteFacts([over(april(1, day), a), over(april(day, 31), b)], { addons }))
        assert.equal(cut.total_cents, quote(quoteFacts([over(APRIL, a + b)], { addons })).total_cents)
      },
    ),
  )
})

test('without days nothing is due or included but what was used, at most a maximum of one day', () => {
  const none: Period = { start: FIRST.start, end: FIRST.start }
  const charge = { ...CALLS, included_quantity: '50', min_amount: '5', max_amount: '60' }
  for (const proration of ['daily', 'none'] as const) {
    const plan = { ...planOf([charge]), proration, commitment_cents: 10_000n }
    const yearly = { ...plan, interval: 'year' as const }
    const use = (calls: string, changes: Partial<SegmentFacts> = {}) =>
      posted([part(none, { plan, usage: { calls }, ...changes })], [attached(STORAGE)])
    assert.deepEqual(use('0'), [])
    assert.deepEqual(use('10'), ['usage 100'])
    assert.deepEqual(use('10', { plan: yearly }), ['usage 100'])
    assert.deepEqual(use('10', { mode: 'trial' }), ['usage 0'])
    assert.deepEqual(use('10', { mode: 'paused' }), ['usage 100'])
    // 60.00 for the month, or 2.00 for a day.
    assert.deepEqual(use('1000'), [proration === 'none' ? 'usage 6000' : 'usage 200'])
  }
})

function april(from: number, until: number): Period {
  return period(APRIL.start.add({ days: from - 1 }), APRIL.start.add({ days: until - 1 }))
}

function planOf(charges: Charge[]): PlanTerms {
  return { ...STUDIO, proration: 'none', charges }
}

function part(active: Period, changes: Partial<SegmentFacts> = {}): SegmentFacts {
  return segmentFacts({ active, plan: planOf([]), ...changes })
}

function posted(segments: readonly SegmentFacts[], addons: readonly AttachedAddon[] = []): string[] {
  const lines = quote(quoteFacts(segments, { addons })).lines.filter((line) => line.kind !== 'tax')
  return lines.map((line) => `${line.kind} ${line.amount_cents}`)
}
