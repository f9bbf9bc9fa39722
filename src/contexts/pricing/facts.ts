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

/** Segments in order of time. */
export type SubscriptionFacts = Owner & { segments: readonly SegmentFacts[] }

export type SegmentMode = 'normal' | 'trial' | 'paused'

/** Days in which plan, mode and add-ons stay the same. `usage` is what was metered in them, by meter code. */
export type SegmentFacts = {
  active: Period
  mode: SegmentMode
  plan: PlanTerms
  addons: readonly AddonTerms[]
  usage: Readonly<Record<string, string>>
}

/** A plan version. `code`, `version` and `name` are null for a plan given inline. */
export type PlanTerms = {
  code: string | null
  version: number | null
  name: string | null
  currency: Currency
  interval: 'month'
  base_price_cents: bigint
  proration: 'daily' | 'none'
  charges: readonly Charge[]
}

/**
 * An add-on as it was when attached. The price is for the whole add-on, not per unit of `quantity`.
 * With `grants_meter`, `quantity` more is included in the charge on that meter.
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

/** How a plan version prices one meter. */
export type Charge = ChargeLimits & (PerUnitTerms | GraduatedTerms | VolumeTerms | PackageTerms | PercentageTerms)

type ChargeLimits = {
  meter: string
  included_quantity?: string | null
  min_amount?: string | null
  max_amount?: string | null
}

export type PerUnitTerms = { model: 'per_unit'; unit_price: string }
export type GraduatedTerms = { model: 'graduated'; tiers: readonly Tier[] }
export type VolumeTerms = { model: 'volume'; tiers: readonly Tier[] }
export type PackageTerms = { model: 'package'; package_size: string; package_price: string }
export type PercentageTerms = { model: 'percentage'; rate: string }

/** `up_to` is inclusive; null has no bound and stands last. */
export type Tier = { up_to: string | null; unit_price: string; flat_price?: string | null }

/** Priced LLM events of one deployment: `charge` is their exact sum. */
export type LlmFacts = Owner & { charge: string; event_count: number; service_period: Period }

/**
 * A correction of an earlier bill. `details` holds JSON values only; when the amount is a difference, `rated_cents`
 * and `billed_cents` in it let the line explain itself.
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
