import fc from 'fast-check'
import { decimal, type Decimal, plain, sum } from '../../kernel/decimal.ts'
import { type Period, period } from '../../kernel/period.ts'
import type {
  AddonTerms,
  AttachedAddon,
  Charge,
  DiscountTerms,
  EventCount,
  LineKind,
  PlanTerms,
  PlanYear,
  QuoteFacts,
  SegmentFacts,
  SegmentMode,
  TaxTerms,
} from './facts.ts'
import { usageKey } from './usage-key.ts'

// Facts for the tests of this folder: the Studio plan as examples change it, and arbitrary facts for properties.

export const APRIL = period('2026-04-01', '2026-05-01')
export const GST: TaxTerms = { treatment: 'taxable', name: 'GST', rate: '0.10' }

export const STORAGE: AddonTerms = {
  id: 'addon_1',
  code: 'storage_50gb',
  name: 'Storage 50 GB',
  price_cents: 750n,
  quantity: '50',
  unit: 'GB',
  grants_meter: null,
}

export const STUDIO: PlanTerms = {
  code: 'studio',
  version: 1,
  name: 'Studio',
  currency: 'AUD',
  interval: 'month',
  base_price_cents: 5000n,
  proration: 'daily',
  commitment_cents: null,
  charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' }],
}

/** April on the Studio plan without usage or add-ons, except as `changes` say. */
export function segmentFacts(changes: Partial<SegmentFacts> = {}): SegmentFacts {
  return { active: APRIL, mode: 'normal', plan: STUDIO, usage: {}, year: null, ...changes }
}

/** The add-on on all days of April, except as `active` says. */
export function attached(addon: AddonTerms, active: Period = APRIL): AttachedAddon {
  return { ...addon, active }
}

/** April for a plan that is nothing but one charge, on whose meter `quantity` was used, in one event. */
export function chargeFacts(
  charge: Charge,
  quantity: string,
  changes: Partial<SegmentFacts> = {},
  addons: readonly AttachedAddon[] = [],
): QuoteFacts {
  const plan = { ...STUDIO, base_price_cents: 0n, charges: [charge] }
  const key = usageKey(charge)
  const events = { [key]: [{ quantity, count: 1 }] }
  return quoteFacts([segmentFacts({ plan, usage: { [key]: quantity }, events, ...changes })], { addons })
}

/** One subscription of one deployment in April, taxed. */
export function quoteFacts(
  segments: readonly SegmentFacts[],
  { addons = [], ...changes }: Partial<QuoteFacts> & { addons?: readonly AttachedAddon[] } = {},
): QuoteFacts {
  return {
    currency: 'AUD',
    period: APRIL,
    tax: GST,
    subscriptions: [{ deployment_id: 'dep_1', subscription_id: 'sub_1', segments, addons, discounts: [] }],
    llm: [],
    adjustments: [],
    ...changes,
  }
}

/** Decimal strings from 0 to 10,000 with up to 3 digits after the point, small whole numbers often. */
export const quantities: fc.Arbitrary<string> = fc.oneof(thousandths(10_000_000n), fc.nat(30).map(String))
/** Decimal strings from 0 to 1, with up to 3 digits after the point. */
const fractions = thousandths(1_000n)
/** Decimal strings from 0 to 100, with up to 3 digits after the point. */
export const prices: fc.Arbitrary<string> = thousandths(100_000n)
/** The same without 0. */
export const sizes: fc.Arbitrary<string> = prices.filter((text) => text !== '0')

/** Two to four tiers with rising bounds, the last without one. */
export const tiers = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 3 }),
    fc.array(fc.record({ unit_price: prices, flat_price: fc.option(prices) }), { minLength: 4, maxLength: 4 }),
  )
  .map(([bounds, terms]) => {
    const up_to = [...bounds.toSorted((a, b) => a - b).map(String), null]
    return terms.slice(0, up_to.length).map((tier, index) => ({ up_to: up_to[index] ?? null, ...tier }))
  })

const perEventTerms = fc
  .record({ rate: fractions, fixed: fc.option(prices), limits: fc.tuple(fc.option(prices), fc.option(prices)) })
  .map(({ rate, fixed, limits }) => {
    const [min_per_event, max_per_event] = inOrder(limits)
    return { model: 'percentage' as const, rate, fixed_per_event: fixed, min_per_event, max_per_event }
  })

function inOrder([a, b]: [string | null, string | null]): [string | null, string | null] {
  return a !== null && b !== null && decimal(a).gt(decimal(b)) ? [b, a] : [a, b]
}

/** A charge of any model on `meter`, with any of the limits; its minimum is never above its maximum. */
export function charges(meter: string): fc.Arbitrary<Charge> {
  const models = fc.oneof(
    fc.record({ model: fc.constant('per_unit' as const), unit_price: prices }),
    fc.record({ model: fc.constantFrom('graduated' as const, 'volume' as const), tiers }),
    fc.record({ model: fc.constant('package' as const), package_size: sizes, package_price: prices }),
    fc.record({ model: fc.constant('percentage' as const), rate: fractions }),
    perEventTerms,
  )
  const limits = fc.tuple(fc.option(prices), fc.option(prices)).map(inOrder)
  return fc
    .tuple(models, fc.option(quantities), limits)
    .map(([model, included_quantity, [min_amount, max_amount]]) => ({
      meter,
      included_quantity,
      min_amount,
      max_amount,
      ...model,
    }))
}

/** Days of April, at least one. */
export const partsOfApril: fc.Arbitrary<Period> = fc
  .tuple(fc.integer({ min: 0, max: 29 }), fc.integer({ min: 1, max: 30 }))
  .map(([start, length]) => {
    const from = APRIL.start.add({ days: start })
    return { start: from, end: from.add({ days: Math.min(length, 30 - start) }) }
  })

/** An add-on on any days of April. */
export const addons: fc.Arbitrary<AttachedAddon> = fc.record({
  active: partsOfApril,
  id: fc.uuid(),
  code: fc.constantFrom('backup', 'storage_50gb'),
  name: fc.constant('An add-on'),
  price_cents: fc.bigInt({ min: 0n, max: 10_000n }),
  quantity: quantities,
  unit: fc.constant('GB'),
  grants_meter: fc.constantFrom('a', null),
})

const plans: fc.Arbitrary<PlanTerms> = fc.record({
  code: fc.constant('studio'),
  version: fc.constant(1),
  name: fc.constant('Studio'),
  currency: fc.constant('AUD'),
  interval: fc.constantFrom('month', 'year'),
  base_price_cents: fc.bigInt({ min: 0n, max: 100_000n }),
  proration: fc.constantFrom('daily', 'none'),
  commitment_cents: fc.option(fc.bigInt({ min: 0n, max: 500_000n })),
  charges: fc.tuple(
    charges('a'),
    charges('b'),
    charges('a').map((charge) => ({ ...charge, filter: { region: ['syd1'] } })),
  ),
})

const events: fc.Arbitrary<EventCount[]> = fc.array(
  fc.record({ quantity: quantities, count: fc.integer({ min: 1, max: 3 }) }),
  { maxLength: 3 },
)

/** Up to three segments in order of time, of two plan versions. */
const segmentsOfFacts: fc.Arbitrary<SegmentFacts[]> = fc
  .tuple(plans, plans)
  .map(([plan, next]): PlanTerms[] => [plan, { ...next, version: 2 }])
  .chain((versions) =>
    fc.array(
      fc.record({
        active: partsOfApril,
        mode: fc.constantFrom<SegmentMode[]>('normal', 'trial', 'paused'),
        plan: fc.constantFrom(...versions),
        events: fc.record({ a: events, 'a[region=syd1]': events, b: events, unpriced: events }),
        year_began: fc.option(fc.integer({ min: 1, max: 300 })),
        is_left: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
  )
  .map((parts) =>
    parts
      .toSorted((a, b) => Temporal.PlainDate.compare(a.active.start, b.active.start))
      .map(({ year_began, is_left, ...part }) => ({
        ...part,
        usage: Object.fromEntries(Object.entries(part.events).map(([key, counted]) => [key, metered(counted)])),
        year:
          part.plan.interval === 'year' && part.mode !== 'trial'
            ? yearFrom(part.active.start.subtract({ days: year_began ?? 0 }), is_left)
            : null,
      })),
  )

function metered(counted: readonly EventCount[]): string {
  return plain(sum(counted.map(({ quantity, count }) => decimal(quantity).times(decimal(BigInt(count))))))
}

export function yearFrom(start: Temporal.PlainDate, is_left = false): PlanYear {
  return { period: { start, end: start.add({ years: 1 }) }, is_left }
}

const lineKinds: fc.Arbitrary<LineKind[]> = fc.subarray(['plan_base', 'addon', 'usage', 'overage', 'minimum'])

export const discounts: fc.Arbitrary<DiscountTerms[]> = fc.array(
  fc
    .tuple(
      fc.oneof(
        fc.record({ rate: fractions, amount_cents: fc.constant(null) }),
        fc.record({ rate: fc.constant(null), amount_cents: fc.bigInt({ min: 0n, max: 100_000n }) }),
      ),
      fc.option(lineKinds),
    )
    .map(([terms, line_kinds]) => ({ id: 'disc_1', name: 'Welcome', line_kinds, ...terms })),
  { maxLength: 3 },
)

/** Facts with every kind of line. */
export const anyFacts: fc.Arbitrary<QuoteFacts> = fc
  .record({
    segments: segmentsOfFacts,
    attached: fc.array(addons, { maxLength: 3 }),
    discounts,
    tax: fc.constantFrom<TaxTerms>(GST, { treatment: 'export', name: null, rate: null }),
    llm: fc.array(fc.record({ charge: prices, event_count: fc.nat(3) }), { maxLength: 2 }),
    adjustments: fc.array(fc.bigInt({ min: -50_000n, max: 50_000n }), { maxLength: 2 }),
  })
  .map(({ segments, attached: addons_of_month, discounts, tax, llm, adjustments }) => {
    const owner = { deployment_id: 'dep_1', subscription_id: 'sub_1', service_period: APRIL }
    return quoteFacts(segments, {
      subscriptions: [
        { deployment_id: 'dep_1', subscription_id: 'sub_1', segments, addons: addons_of_month, discounts },
      ],
      tax,
      llm: llm.map((entry) => ({ ...owner, ...entry })),
      adjustments: adjustments.map((amount_cents) => ({
        ...owner,
        description: 'Late usage',
        amount_cents,
        details: { rated_cents: Number(amount_cents + 100n), billed_cents: 100 },
      })),
    })
  })

function thousandths(max: bigint): fc.Arbitrary<string> {
  return fc.bigInt({ min: 0n, max }).map((count) => plain(perThousand(count)))
}

function perThousand(count: bigint): Decimal {
  return decimal(count).div(decimal('1000'))
}
