import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal } from '../../kernel/decimal.ts'
import { toMinor } from '../../kernel/money.ts'
import { period } from '../../kernel/period.ts'
import { addons, anyFacts, APRIL, attached, quoteFacts, segmentFacts, STORAGE, STUDIO } from './facts.fixture.ts'
import type { AttachedAddon, Charge, PlanTerms, QuoteFacts, QuoteLine, SegmentFacts, SegmentMode } from './facts.ts'
import { quote } from './quote.ts'

const [FIRST, SECOND, THIRD] = [
  period('2026-04-01', '2026-04-11'),
  period('2026-04-11', '2026-04-21'),
  period('2026-04-21', '2026-05-01'),
]
const FROM_THE_11TH = period('2026-04-11', '2026-05-01')
const WHOLE: PlanTerms = { ...STUDIO, version: 2, proration: 'none' }

test('attaching an add-on that grants nothing changes no line of the plan', () => {
  fc.assert(
    fc.property(anyFacts, addons, (facts, addon) => {
      const more = withAddon(facts, { ...addon, grants_meter: null })
      assert.deepEqual(ofPlan(quote(more).lines), ofPlan(quote(facts).lines))
    }),
  )
})

test('what an add-on grants never makes the charges of the plan dearer, except where volume tiers reprice them', () => {
  fc.assert(
    fc.property(anyFacts, addons, (facts, addon) => {
      const charges = facts.subscriptions.flatMap(({ segments }) => segments.flatMap(({ plan }) => plan.charges))
      fc.pre(charges.every(({ model }) => model !== 'volume'))
      const more = quote(withAddon(facts, { ...addon, grants_meter: 'a' })).lines
      assert.ok(centsOf(ofPlan(more)) <= centsOf(ofPlan(quote(facts).lines)))
    }),
  )
})

test('an add-on is one line of at most its price, whatever cuts the month', () => {
  const parts = fc.array(
    fc.record({
      mode: fc.constantFrom<SegmentMode[]>('normal', 'normal', 'trial', 'paused'),
      plan: fc.constantFrom(STUDIO, WHOLE),
    }),
    { minLength: 3, maxLength: 3 },
  )
  fc.assert(
    fc.property(parts, addons, (terms, addon) => {
      const segments = [FIRST, SECOND, THIRD].map((active, index) => segmentFacts({ active, ...terms[index] }))
      const lines = addonLines(segments, [addon])
      assert.ok(lines.length <= 1)
      assert.ok(centsOf(lines) >= 0n && centsOf(lines) <= addon.price_cents)
      const all = addonLines(segments, [{ ...addon, active: APRIL }])
      if (terms.every(({ mode }) => mode === 'normal')) assert.equal(centsOf(all), addon.price_cents)
    }),
  )
})

test('an add-on costs its own charged days, and under a plan that is not prorated its price', () => {
  const shown = (parts: Partial<SegmentFacts>[], active = FROM_THE_11TH): string[] => {
    const segments = [FIRST, SECOND, THIRD].map((days, index) => segmentFacts({ active: days, ...parts[index] }))
    return addonLines(segments, [attached(STORAGE, active)]).map(
      ({ amount_cents, service_period: { start, end }, details }) =>
        `${amount_cents} ${start}/${end} ${String(details['days_active'])} ${String(details['proration'])}`,
    )
  }
  assert.deepEqual(shown([]), ['500 2026-04-11/2026-05-01 20 daily'])
  assert.deepEqual(shown([], SECOND), ['250 2026-04-11/2026-04-21 10 daily'])
  assert.deepEqual(shown([{}, { mode: 'paused' }], APRIL), ['500 2026-04-01/2026-05-01 20 daily'])
  assert.deepEqual(shown([{}, { mode: 'trial' }, { mode: 'paused' }]), [])
  assert.deepEqual(shown([{}, {}, { plan: WHOLE }], APRIL), ['750 2026-04-01/2026-05-01 30 none'])
  assert.deepEqual(shown([{ plan: WHOLE }, {}, {}], APRIL), ['750 2026-04-01/2026-05-01 30 none'])
  assert.deepEqual(shown([{ plan: WHOLE }, {}, {}]), ['500 2026-04-11/2026-05-01 20 daily'])
})

test('two cents over three plan versions stay two cents', () => {
  const segments = [FIRST, SECOND, THIRD].map((active, index) =>
    segmentFacts({ active, plan: { ...STUDIO, version: index } }),
  )
  assert.equal(centsOf(addonLines(segments, [attached({ ...STORAGE, price_cents: 2n })])), 2n)
})

test('what an add-on grants is prorated by its own days, in each segment by those of its days', () => {
  const plan: PlanTerms = {
    ...STUDIO,
    charges: [{ meter: 'calls', model: 'per_unit', unit_price: '1', included_quantity: '90' }],
  }
  const addon = { ...STORAGE, quantity: '60', grants_meter: 'calls' }
  const usage = { calls: '1000' }
  const included = (segments: SegmentFacts[], active = FROM_THE_11TH) =>
    quote(quoteFacts(segments, { addons: [attached(addon, active)] })).lines.flatMap(
      ({ details }) => details['included_quantity'] ?? [],
    )
  assert.deepEqual(included([segmentFacts({ plan, usage })]), ['130'])
  const cut = [FIRST, SECOND, THIRD].map((active) => segmentFacts({ active, plan, usage }))
  assert.deepEqual(included(cut), ['30', '50', '50'])
  assert.deepEqual(included(cut, period('2026-04-11', '2026-04-16')), ['30', '40', '30'])
  assert.deepEqual(included([segmentFacts({ plan: { ...plan, proration: 'none' }, usage })]), ['150'])
})

test('a whole package is not begun by what a quotient has lost', () => {
  const charge: Charge = {
    meter: 'calls',
    model: 'package',
    package_size: '10',
    package_price: '1',
    included_quantity: '100',
  }
  const plan = { ...STUDIO, base_price_cents: 0n, charges: [charge] }
  const addon = attached({ ...STORAGE, quantity: '50', grants_meter: 'calls' }, FIRST)
  const segment = segmentFacts({ active: FIRST, plan, usage: { calls: '50' } })
  const [, line] = quote(quoteFacts([segment], { addons: [addon] })).lines
  assert.deepEqual([line?.quantity, line?.amount_cents], ['0', toMinor(decimal('0'), 'AUD')])
})

function withAddon(facts: QuoteFacts, addon: AttachedAddon): QuoteFacts {
  const subscriptions = facts.subscriptions.map((subscription) => ({
    ...subscription,
    addons: [...subscription.addons, addon],
  }))
  return { ...facts, subscriptions }
}

/** Without add-ons, and what follows from the sum of all lines: the commitment, discounts and the tax. */
function ofPlan(lines: readonly QuoteLine[]): QuoteLine[] {
  return lines.filter(
    ({ kind, meter, details }) =>
      ['plan_base', 'usage', 'overage'].includes(kind) ||
      (kind === 'minimum' && meter !== null) ||
      (kind === 'credit' && details['days_credited'] !== undefined),
  )
}

function addonLines(segments: readonly SegmentFacts[], attached_addons: readonly AttachedAddon[]): QuoteLine[] {
  return quote(quoteFacts(segments, { addons: attached_addons })).lines.filter(({ kind }) => kind === 'addon')
}

function centsOf(lines: readonly QuoteLine[]): bigint {
  return lines.reduce((total, { amount_cents }) => total + amount_cents, 0n)
}
