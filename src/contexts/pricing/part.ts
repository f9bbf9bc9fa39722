import { InvariantError, invariant } from '../../kernel/invariant.ts'
import { days, isBefore, overlap, type Period } from '../../kernel/period.ts'
import type { AttachedAddon, QuoteFacts, SegmentFacts, SubscriptionFacts } from './facts.ts'
import type { LineDraft } from './line.ts'
import { type RatedPlan, ratedPlan } from './plan.ts'
import { type Proration, prorationOf } from './proration.ts'

/**
 * A segment made ready for rating. `at` is its place in time; `is_charged`: it has days, which are neither a trial nor a
 * pause. `used_in` is when its usage occurred.
 */
export type Part = {
  at: number
  segment: SegmentFacts
  plan: RatedPlan
  /** The add-ons that are attached on a day of it. */
  addons: readonly HeldAddon[]
  proration: Proration
  is_charged: boolean
  used_in: Period
  /** Plan version and days, as the lines of the segment's charges state them. */
  details: Readonly<Record<string, unknown>>
}

/** An add-on and those of its days that are days of the part. */
export type HeldAddon = { addon: AttachedAddon; active: Period; days: number }

/** A line that stands where its segment does. */
export type PartDraft = LineDraft & { at: number }

/** The subscription's segments with its add-ons. Facts that contradict each other throw InvariantError. */
export function partsOf({ segments, addons }: SubscriptionFacts, facts: QuoteFacts): Part[] {
  const in_period = days(facts.period)
  for (const { active, code } of addons) requireWithin(active, facts.period, code)
  return segments.map((segment, at) => {
    checkSegment(segment, facts)
    const { start, end } = segment.active
    const active = days(segment.active)
    const proration = prorationOf(segment.plan.proration, { active, in_period })
    return {
      at,
      segment,
      plan: ratedPlan(segment.plan),
      addons: active === 0 ? [] : addons.flatMap((addon) => heldIn(segment.active, { addon, days: active })),
      proration,
      is_charged: segment.mode === 'normal' && active > 0,
      used_in: active > 0 ? segment.active : { start, end: end.add({ days: 1 }) },
      details: detailsOf(segment, proration),
    }
  })
}

function checkSegment({ active, mode, plan, year }: SegmentFacts, { currency, period }: QuoteFacts): void {
  // Texts of dates cost more than all else here, so the promise is put together only when it is broken.
  if (plan.currency !== currency) throw new InvariantError(`a plan in ${plan.currency} cannot be billed in ${currency}`)
  requireWithin(active, period, 'segment')
  if (plan.interval === 'month') return
  const is_charged = mode === 'normal' && isBefore(active.start, active.end)
  invariant(year !== null || !is_charged, 'a charged segment of a yearly plan states its plan year')
  invariant(year === null || lies(active, year.period), 'a segment lies within its plan year')
}

function requireWithin(active: Period, period: Period, what: string): void {
  if (lies(active, period)) return
  throw new InvariantError(`${what} from ${active.start} to ${active.end} must lie within the billing period`)
}

function lies(inner: Period, outer: Period): boolean {
  return !isBefore(inner.start, outer.start) && !isBefore(outer.end, inner.end)
}

/** Counting days costs much, and most add-ons have all those of the segment. */
function heldIn(segment: Period, whole: { addon: AttachedAddon; days: number }): HeldAddon[] {
  const { addon } = whole
  if (lies(segment, addon.active)) return [{ ...whole, active: segment }]
  const active = overlap(segment, addon.active)
  return active === undefined ? [] : [{ addon, active, days: days(active) }]
}

function detailsOf({ plan, mode }: SegmentFacts, proration: Proration): Record<string, unknown> {
  return {
    plan_code: plan.code,
    plan_version: plan.version,
    plan_name: plan.name,
    ...proration.details,
    ...(mode === 'trial' && { trial: true }),
    ...(mode === 'paused' && { paused: true }),
  }
}

/**
 * The parts grouped by what is due once for all of them: base price, commitment, included quantities, minimum and
 * maximum. A prorated segment has its own share of each; under the rule `none`, all segments of a plan version share one.
 */
export function sharing(parts: readonly Part[]): Part[][] {
  return [
    ...Map.groupBy(parts, ({ at, proration, segment: { plan } }) =>
      proration.rule === 'none' ? JSON.stringify([plan.code, plan.version]) : at,
    ).values(),
  ]
}
