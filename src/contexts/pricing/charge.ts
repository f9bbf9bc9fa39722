import { type Decimal, decimal, larger, plain, roundPrecise, smaller, sum, ZERO } from '../../kernel/decimal.ts'
import { type Currency, fromMinor, toMinor } from '../../kernel/money.ts'
import type { Charge, SegmentFacts } from './facts.ts'
import type { SegmentDraft } from './line.ts'
import { rateGraduated } from './models/graduated.ts'
import { ratePackage } from './models/package.ts'
import { ratePerUnit } from './models/per_unit.ts'
import { ratePercentage } from './models/percentage.ts'
import type { Rated } from './models/rated.ts'
import { rateVolume } from './models/volume.ts'
import { prorate, type Proration } from './proration.ts'
import { isCharged, newAddons, type ProratedSegment } from './sharing.ts'

/**
 * The lines of one charge in segments that share its included quantity, minimum and maximum, in order of time: the
 * usage of each, if there was any, and what all of it lacks to the minimum.
 */
export function chargeDrafts(charge: Charge, sharing: readonly ProratedSegment[]): SegmentDraft[] {
  const usage = usageDrafts(charge, sharing)
  return [...usage, ...minimumDrafts(charge, usage, sharing)]
}

function usageDrafts(charge: Charge, sharing: readonly ProratedSegment[]): SegmentDraft[] {
  const drafts: SegmentDraft[] = []
  let left = ZERO
  for (const [index, where] of sharing.entries()) {
    const metered = meteredQuantity(where.segment, charge.meter)
    const included = includedQuantity(charge, where, { left, earlier: sharing.slice(0, index) })
    if (isCharged(where.segment)) left = larger(included.minus(metered), ZERO)
    const billed = postedAmount(drafts, where.segment.plan.currency)
    if (metered.gt(ZERO)) drafts.push(usageDraft(charge, where, { metered, included, billed }))
  }
  return drafts
}

function usageDraft(
  charge: Charge,
  where: ProratedSegment,
  { metered, included, billed }: { metered: Decimal; included: Decimal; billed: Decimal },
): SegmentDraft {
  const { segment, proration } = where
  const billable = larger(metered.minus(included), ZERO)
  const rated = rate(charge, billable)
  const capped = cap(rated.amount, charge, { proration, billed })
  const kind = included.gt(ZERO) ? 'overage' : 'usage'
  return {
    kind,
    meter: charge.meter,
    description: `${charge.meter} ${kind}`,
    quantity: plain(roundPrecise(billable)),
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

/**
 * What the plan and the add-ons on this meter include, once for all segments that share it, and what was `left` of it.
 * It is bought with the base price, which a pause stops; what is free in a trial takes nothing of it.
 */
function includedQuantity(
  charge: Charge,
  { segment, proration }: ProratedSegment,
  { left, earlier }: { left: Decimal; earlier: readonly ProratedSegment[] },
): Decimal {
  if (segment.mode === 'paused') return ZERO
  const granting = segment.mode === 'trial' ? [] : earlier.map((one) => one.segment).filter(isCharged)
  const of_plan = granting.length === 0 ? optional(charge.included_quantity) : ZERO
  const of_addons = newAddons(segment, granting)
    .filter((addon) => addon.grants_meter === charge.meter)
    .map((addon) => decimal(addon.quantity))
  return prorate(sum([of_plan, ...of_addons]), proration).plus(segment.mode === 'trial' ? ZERO : left)
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
  { proration, billed }: { proration: Proration; billed: Decimal },
): { amount: Decimal; details: Record<string, string> } {
  if (charge.max_amount === undefined || charge.max_amount === null) return { amount, details: {} }
  const max = prorate(decimal(charge.max_amount), proration).minus(billed)
  const details = { max_amount: plain(max), ...(amount.gt(max) && { uncapped_amount: plain(amount) }) }
  return { amount: smaller(amount, max), details }
}

/**
 * What the posted usage lines lack to the minimum, so that all lines add up to the minimum to the minor unit: two
 * halves of a cent, each rounded up, would add up to a cent more.
 */
function minimumDrafts(
  charge: Charge,
  usage: readonly SegmentDraft[],
  sharing: readonly ProratedSegment[],
): SegmentDraft[] {
  const where = sharing.findLast((one) => isCharged(one.segment))
  if (where === undefined) return []
  const { segment, proration } = where
  const { currency } = segment.plan
  const minimum = optional(charge.min_amount)
  const charged = postedAmount(usage, currency)
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

/** What the lines come to once each is rounded. */
function postedAmount(drafts: readonly SegmentDraft[], currency: Currency): Decimal {
  return sum(drafts.map(({ amount }) => fromMinor(toMinor(amount, currency), currency)))
}

function whereDetails({ segment, proration }: ProratedSegment): Record<string, unknown> {
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
