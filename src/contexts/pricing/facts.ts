import type { Currency } from '../../kernel/money.ts'
import type { Period } from '../../kernel/period.ts'

// Everything here is plain data. Exact decimals (prices, quantities, rates) are decimal strings in major units;
// posted amounts are integer minor units in fields that end in `_cents`.

/** All that a quote depends on. Every period in it lies on the calendar of the tenant's billing time zone. */
export type QuoteFacts = {
  currency: Currency
  /** The billing period: the denominator of proration. */
  period: Period
  tax: TaxTerms
  subscriptions: readonly SubscriptionFacts[]
  llm: readonly LlmFacts[]
  adjustments: readonly AdjustmentFacts[]
}

/** `rate` is a fraction (`"0.10"` is 10 %) and must be there when the treatment is `taxable`. */
export type TaxTerms = { treatment: 'taxable' | 'export' | 'exempt'; name: string | null; rate: string | null }

type Owner = { deployment_id: string | null; subscription_id: string | null }

/** Segments in order of time. Discounts apply in their order, each on what the one before left. */
export type SubscriptionFacts = Owner & {
  segments: readonly SegmentFacts[]
  addons: readonly AttachedAddon[]
  discounts: readonly DiscountTerms[]
}

/**
 * What is taken off the subscription's own lines: exactly one of `rate` (a fraction, at most 1) and `amount_cents` (at
 * most what there is, and not prorated). `line_kinds` null is the subscription's whole subtotal.
 */
export type DiscountTerms = {
  id: string | null
  name: string
  rate: string | null
  amount_cents: bigint | null
  line_kinds: readonly LineKind[] | null
}

export type SegmentMode = 'normal' | 'trial' | 'paused'

/**
 * Days in which plan, override and mode stay the same and no plan year begins but on the first of them; or none (`active`
 * ends where it starts), where what was used on the day that a subscription ended stands for itself. `plan` has the
 * subscription's override laid over it (`overridden`). `usage` is what was metered, by usage key (`usageKey`). `events` is
 * the same event by event, and must be there for a charge with terms per event that saw any.
 */
export type SegmentFacts = {
  active: Period
  mode: SegmentMode
  plan: PlanTerms
  usage: Readonly<Record<string, string>>
  events?: Readonly<Record<string, readonly EventCount[]>>
  year: PlanYear | null
}

/**
 * `count` events (a whole number) added `quantity` each to what was metered. The order of such entries never matters, nor
 * that each event stands for itself: events between the same bounds (`eventBounds`) may be given as as many that are alike
 * and add up to the same.
 */
export type EventCount = { quantity: string; count: number }

/**
 * The year of a yearly plan that the segment's days belong to; null on a monthly plan and in a trial. Years are counted
 * from the first charged day under the plan version. `is_left`: the plan is left at the segment's end, before the year's.
 * `base_price_cents` is what the year was billed at where an override has changed it since; left out, it is the plan's.
 * `discounts` are those of the month that the year began in, and `days_given_back` the paused days of the year before the
 * segment; left out, there are none. `left_cents` is what credit notes have left of the month that the year was billed in:
 * the year gives no more than that back; left out, there are no credit notes of it.
 */
export type PlanYear = {
  period: Period
  is_left: boolean
  base_price_cents?: bigint
  discounts?: readonly DiscountTerms[]
  days_given_back?: number
  left_cents?: bigint
}

/**
 * A plan version. `code`, `version` and `name` are null for a plan given inline. The base price is for the interval;
 * all else, and the commitment (the least that a subscription comes to), is for the month.
 */
export type PlanTerms = {
  code: string | null
  version: number | null
  name: string | null
  currency: Currency
  interval: 'month' | 'year'
  base_price_cents: bigint
  proration: 'daily' | 'none'
  commitment_cents: bigint | null
  charges: readonly Charge[]
}

/** What a subscription has instead of its plan version's terms. Left out or null: as in the plan version. */
export type PriceOverride = {
  base_price_cents?: bigint | null
  charges?: readonly Charge[] | null
  commitment_cents?: bigint | null
}

/**
 * An add-on as it was when attached. The price is for the whole add-on, not per unit of `quantity`.
 * With `grants_meter`, `quantity` more is included in the charge on that meter: the default charge, or where there is
 * none the first.
 */
export type AddonTerms = {
  id: string | null
  code: string
  name: string
  price_cents: bigint
  quantity: string
  unit: string | null
  grants_meter: string | null
}

/** An add-on and its days in the billing period, whatever the segments. */
export type AttachedAddon = AddonTerms & { active: Period }

/**
 * How a plan version prices a meter, or with a `filter` those of its events of which every property named is one of the
 * values. An event belongs to the first charge in plan order whose filter it meets, else to the default charge (the one
 * without a filter), else it is free.
 */
export type Charge = ChargeLimits & (PerUnitTerms | GraduatedTerms | VolumeTerms | PackageTerms | PercentageTerms)

type ChargeLimits = {
  meter: string
  filter?: Readonly<Record<string, readonly string[]>> | null
  included_quantity?: string | null
  min_amount?: string | null
  max_amount?: string | null
}

export type PerUnitTerms = { model: 'per_unit'; unit_price: string }
export type GraduatedTerms = { model: 'graduated'; tiers: readonly Tier[] }
export type VolumeTerms = { model: 'volume'; tiers: readonly Tier[] }
export type PackageTerms = { model: 'package'; package_size: string; package_price: string }
/** An event costs quantity × rate + `fixed_per_event`, but no less than `min_per_event` and no more than `max_per_event`. */
export type PercentageTerms = {
  model: 'percentage'
  rate: string
  fixed_per_event?: string | null
  min_per_event?: string | null
  max_per_event?: string | null
}

/** `up_to` is inclusive; null has no bound and stands last. */
export type Tier = { up_to: string | null; unit_price: string; flat_price?: string | null }

/** Priced LLM events of one deployment: `charge` is their exact sum. */
export type LlmFacts = Owner & { charge: string; event_count: number; service_period: Period }

/**
 * A correction of an earlier bill. `details` holds JSON values only; when the amount is a difference, `rated_cents`
 * and `billed_cents` in it let the line explain itself, and `credited_cents` what credit notes gave back of it before.
 */
export type AdjustmentFacts = Owner & {
  description: string
  amount_cents: bigint
  service_period: Period
  details: Readonly<Record<string, unknown>>
}

export type LineKind =
  | 'plan_base'
  | 'addon'
  | 'usage'
  | 'overage'
  | 'minimum'
  | 'llm_usage'
  | 'adjustment'
  | 'credit'
  | 'tax'

/**
 * One row of a bill. `amount_precise` is what it comes to in major units and `amount_cents` the same, rounded once.
 * `details` holds JSON values only: the terms and quantities that the amount follows from.
 */
export type QuoteLine = Owner & {
  kind: LineKind
  meter: string | null
  description: string
  quantity: string | null
  unit_price: string | null
  amount_precise: string
  amount_cents: bigint
  service_period: Period
  taxable: boolean
  details: Readonly<Record<string, unknown>>
}

/** `subtotal_cents` leaves out the lines of kind `tax`, which stand last; `total_cents` is subtotal and tax. */
export type Quote = {
  currency: Currency
  lines: readonly QuoteLine[]
  subtotal_cents: bigint
  tax_cents: bigint
  total_cents: bigint
  engine_version: string
}
