import { type Decimal, decimal, larger, plain, roundPrecise, smaller, ZERO } from '../../kernel/decimal.ts'
import { invariant } from '../../kernel/invariant.ts'
import { type Currency, fromMinor } from '../../kernel/money.ts'
import type { EventCount } from './facts.ts'
import { postedAmount, totalCents } from './line.ts'
import type { Part, PartDraft } from './part.ts'
import type { RatedCharge } from './plan.ts'
import { prorate, prorateEach, prorateMaximum } from './proration.ts'

/**
 * The lines of all charges in segments that share what is due once, in order of time: the usage of each segment, if
 * there was any, and what all of it lacks to the charge's minimum. An override that comes within them may change a
 * charge: segments share only what is the same in both.
 */
export function chargeDrafts(group: readonly Part[]): PartDraft[] {
  if (group.length === 1) return (group[0]?.plan.charges ?? []).flatMap((charge) => draftsOf(charge, group))
  const charges = group.flatMap((part) => part.plan.charges.map((charge) => ({ charge, part })))
  return [...Map.groupBy(charges, ({ charge }) => charge.identity).values()].flatMap((same) =>
    same[0] === undefined
      ? []
      : draftsOf(
          same[0].charge,
          same.map(({ part }) => part),
        ),
  )
}

function draftsOf(charge: RatedCharge, parts: readonly Part[]): PartDraft[] {
  const usage = usageDrafts(charge, parts)
  const minimum = charge.min === null ? null : minimumDraft(charge, charge.min, { usage, parts })
  return minimum === null ? usage : [...usage, minimum]
}

function usageDrafts(charge: RatedCharge, parts: readonly Part[]): PartDraft[] {
  const drafts: PartDraft[] = []
  const granting: Part[] = []
  let left = ZERO
  for (const part of parts) {
    const metered = meteredQuantity(charge, part)
    const events = eventsOf(charge, part)
    const included = includedQuantity(charge, part, { left, granting })
    if (part.is_charged) {
      left = larger(included.minus(metered), ZERO)
      granting.push(part)
    }
    if (metered.gt(ZERO) || events.length > 0) {
      drafts.push(usageDraft(charge, part, { metered, included, events, billed: drafts }))
    }
  }
  return drafts
}

function usageDraft(
  charge: RatedCharge,
  part: Part,
  use: { metered: Decimal; included: Decimal; events: readonly EventCount[]; billed: readonly PartDraft[] },
): PartDraft {
  const { segment } = part
  const billable = larger(use.metered.minus(use.included), ZERO)
  const rated = charge.rate(billable, use)
  const capped = cap(rated.amount, charge, { part, billed: use.billed })
  const kind = use.included.gt(ZERO) ? 'overage' : 'usage'
  return {
    at: part.at,
    kind,
    meter: charge.terms.meter,
    description: `${charge.usage_key} ${kind}`,
    quantity: plain(roundPrecise(billable)),
    unit_price: rated.unit_price,
    ...postedAmount(segment.mode === 'trial' ? ZERO : capped.amount, segment.plan.currency),
    service_period: part.used_in,
    details: {
      ...part.details,
      ...filterDetails(charge),
      model: charge.terms.model,
      metered_quantity: plain(use.metered),
      included_quantity: plain(use.included),
      ...rated.details,
      ...capped.details,
    },
  }
}

function filterDetails({ terms: { filter } }: RatedCharge): Record<string, unknown> {
  return filter === undefined || filter === null ? {} : { filter }
}

function meteredQuantity({ usage_key }: RatedCharge, { segment: { usage } }: Part): Decimal {
  // Own keys only: a meter may be called `constructor`.
  const quantity = Object.hasOwn(usage, usage_key) ? usage[usage_key] : undefined
  return quantity === undefined ? ZERO : decimal(quantity)
}

const NO_EVENTS: readonly EventCount[] = []

function eventsOf(charge: RatedCharge, { segment: { usage, events = {} } }: Part): readonly EventCount[] {
  const { is_per_event, usage_key } = charge
  if (!is_per_event) return NO_EVENTS
  const counted = Object.hasOwn(events, usage_key) ? events[usage_key] : undefined
  invariant(counted !== undefined || !Object.hasOwn(usage, usage_key), `${usage_key} is rated event by event`)
  return counted?.filter(({ count }) => count > 0) ?? NO_EVENTS
}

/**
 * What the plan and the add-ons on this meter include, once for all segments that share it (`granting` are those before
 * that had it), and what was `left` of it. It is bought with the base price, which a pause stops; what is free in a trial
 * takes nothing of it.
 */
function includedQuantity(
  charge: RatedCharge,
  part: Part,
  { left, granting }: { left: Decimal; granting: readonly Part[] },
): Decimal {
  const { mode } = part.segment
  if (mode === 'paused') return ZERO
  const earlier = mode === 'trial' ? [] : granting
  const included = earlier.length === 0 ? charge.included : null
  const granted = part.addons.length === 0 ? [] : newGrants(charge, part, earlier)
  const due = prorateEach(
    [...(included === null ? [] : [{ value: included, days: part.proration.active }]), ...granted],
    part.proration,
  )
  return mode === 'trial' ? due : due.plus(left)
}

/** What the part's add-ons grant, but for those that one of the `earlier` parts has granted already. */
function newGrants({ is_granted, terms: { meter } }: RatedCharge, { addons }: Part, earlier: readonly Part[]) {
  if (!is_granted) return []
  const known = new Set(earlier.flatMap((part) => part.addons.map(({ addon }) => addon)))
  return addons
    .filter(({ addon }) => addon.grants_meter === meter && !known.has(addon))
    .map(({ addon, days }) => ({ value: decimal(addon.quantity), days: decimal(BigInt(days)) }))
}

function cap(
  amount: Decimal,
  { max }: RatedCharge,
  { part, billed }: { part: Part; billed: readonly PartDraft[] },
): { amount: Decimal; details: Record<string, string> } {
  if (max === null) return { amount, details: {} }
  const charged = chargedAmount(billed, part.segment.plan.currency)
  // Where what was posted is rounded up beyond the maximum, the next line takes nothing back.
  const left = larger(prorateMaximum(max, part.proration).minus(charged), ZERO)
  const details = { max_amount: plain(left), ...(amount.gt(left) && { uncapped_amount: plain(amount) }) }
  return { amount: smaller(amount, left), details }
}

/**
 * What the posted usage lines lack to the minimum, so that all lines add up to the minimum to the minor unit: two
 * halves of a cent, each rounded up, would add up to a cent more. Null when they reach it, or no segment is charged.
 */
function minimumDraft(
  charge: RatedCharge,
  min: Decimal,
  { usage, parts }: { usage: readonly PartDraft[]; parts: readonly Part[] },
): PartDraft | null {
  const part = parts.findLast(({ is_charged }) => is_charged)
  if (part === undefined) return null
  const { active, plan } = part.segment
  const charged = chargedAmount(usage, plan.currency)
  const lacking = postedAmount(prorate(min, part.proration).minus(charged), plan.currency)
  if (lacking.amount_cents <= 0n) return null
  return {
    at: part.at,
    kind: 'minimum',
    meter: charge.terms.meter,
    description: `${charge.usage_key} minimum`,
    quantity: null,
    unit_price: null,
    ...lacking,
    service_period: active,
    details: {
      ...part.details,
      ...filterDetails(charge),
      min_amount: plain(min),
      charged_amount: plain(charged),
    },
  }
}

/** What the lines come to once each is rounded. */
function chargedAmount(drafts: readonly PartDraft[], currency: Currency): Decimal {
  return fromMinor(totalCents(drafts), currency)
}
