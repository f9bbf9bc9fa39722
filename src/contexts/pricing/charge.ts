import { type Decimal, decimal, larger, plain, smaller, sum, ZERO } from '../../kernel/decimal.ts'
import { fromMinor, toMinor } from '../../kernel/money.ts'
import type { Charge, SegmentFacts } from './facts.ts'
import type { SegmentDraft } from './line.ts'
import { rateGraduated } from './models/graduated.ts'
import { ratePackage } from './models/package.ts'
import { ratePerUnit } from './models/per_unit.ts'
import { ratePercentage } from './models/percentage.ts'
import type { Rated } from './models/rated.ts'
import { rateVolume } from './models/volume.ts'
import { prorate, type Proration } from './proration.ts'

/** The lines of one charge in one segment: its usage, if there was any, and what lacks to its minimum. */
export function chargeDrafts(charge: Charge, segment: SegmentFacts, proration: Proration): SegmentDraft[] {
  const metered = meteredQuantity(segment, charge.meter)
  const usage = metered.eq(ZERO) ? [] : [usageDraft(charge, metered, { segment, proration })]
  const amount = sum(usage.map((draft) => draft.amount))
  return [...usage, ...minimumDrafts(charge, amount, { segment, proration })]
}

type Where = { segment: SegmentFacts; proration: Proration }

function usageDraft(charge: Charge, metered: Decimal, where: Where): SegmentDraft {
  const { segment, proration } = where
  const included = includedQuantity(charge, where)
  const billable = larger(metered.minus(included), ZERO)
  const rated = rate(charge, billable)
  const capped = cap(rated.amount, charge, proration)
  const kind = included.gt(ZERO) ? 'overage' : 'usage'
  return {
    kind,
    meter: charge.meter,
    description: `${charge.meter} ${kind}`,
    quantity: plain(billable),
    unit_price: rated.unit_price,
    amount: segment.mode === 'trial' ? ZERO : capped.amount,
    service_period: segment.active,
    details: {
      ...whereDetails(where),
      model: charge.model,
      metered_quantity: plain(metered),
      included_quantity: plain(included),
      ...rated.details,
      ...capped.details,
    },
  }
}

function meteredQuantity(segment: SegmentFacts, meter: string): Decimal {
  // Own keys only: a meter may be called `constructor`.
  return Object.hasOwn(segment.usage, meter) ? optional(segment.usage[meter]) : ZERO
}

/** What the plan and the add-ons on this meter include. It is bought with the base price, which a pause stops. */
function includedQuantity(charge: Charge, where: Where): Decimal {
  const { segment, proration } = where
  if (segment.mode === 'paused') return ZERO
  const granted = segment.addons
    .filter((addon) => addon.grants_meter === charge.meter)
    .map((addon) => decimal(addon.quantity))
  return prorate(sum([optional(charge.included_quantity), ...granted]), proration)
}

function rate(charge: Charge, billable: Decimal): Rated {
  switch (charge.model) {
    case 'per_unit':
      return ratePerUnit(charge, billable)
    case 'graduated':
      return rateGraduated(charge, billable)
    case 'volume':
      return rateVolume(charge, billable)
    case 'package':
      return ratePackage(charge, billable)
    case 'percentage':
      return ratePercentage(charge, billable)
  }
}

function cap(
  amount: Decimal,
  charge: Charge,
  proration: Proration,
): { amount: Decimal; details: Record<string, string> } {
  if (charge.max_amount === undefined || charge.max_amount === null) return { amount, details: {} }
  const max = prorate(decimal(charge.max_amount), proration)
  const details = { max_amount: plain(max), ...(amount.gt(max) && { uncapped_amount: plain(amount) }) }
  return { amount: smaller(amount, max), details }
}

/**
 * What the posted usage line lacks to the minimum, so that both lines add up to the minimum to the minor unit: two
 * halves of a cent, each rounded up, would add up to a cent more.
 */
function minimumDrafts(charge: Charge, amount: Decimal, where: Where): SegmentDraft[] {
  const { segment, proration } = where
  if (segment.mode !== 'normal') return []
  const { currency } = segment.plan
  const minimum = optional(charge.min_amount)
  const charged = fromMinor(toMinor(amount, currency), currency)
  const lacking = prorate(minimum, proration).minus(charged)
  if (toMinor(lacking, currency) <= 0n) return []
  return [
    {
      kind: 'minimum',
      meter: charge.meter,
      description: `${charge.meter} minimum`,
      quantity: null,
      unit_price: null,
      amount: lacking,
      service_period: segment.active,
      details: { ...whereDetails(where), min_amount: plain(minimum), charged_amount: plain(charged) },
    },
  ]
}

function whereDetails({ segment, proration }: Where): Record<string, unknown> {
  return {
    plan_code: segment.plan.code,
    plan_version: segment.plan.version,
    plan_name: segment.plan.name,
    ...proration,
    ...(segment.mode === 'trial' && { trial: true }),
    ...(segment.mode === 'paused' && { paused: true }),
  }
}

function optional(quantity: string | null | undefined): Decimal {
  return quantity === null || quantity === undefined ? ZERO : decimal(quantity)
}
