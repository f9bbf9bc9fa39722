import { isBefore, type Period } from '../../kernel/period.ts'
import type { Segment } from '../pricing/index.ts'
import type { BilledSubscription } from '../subscriptions/index.ts'

// The day on which a subscription ends is not billed, but what is used on it is: with the days before it in the month, or
// where there are none, because it is the first of the month or of the subscription, by itself.

/**
 * A segment without days for what is used on the day that the subscription ends, where no segment of the month ends with
 * it; null where it is no day of the month.
 */
export function segmentOfEndDay({ starts_on, ends_on, phases }: BilledSubscription, month: Period): Segment | null {
  const last = phases.at(-1)
  if (ends_on === null || last === undefined || !isDayOf(month, ends_on)) return null
  const stands_alone = ends_on.equals(month.start) || ends_on.equals(starts_on)
  if (!stands_alone) return null
  const { mode, plan_version_id, override_id } = last
  return { active: { start: ends_on, end: ends_on }, mode, plan_version_id, override_id }
}

/** The days whose usage is billed with the segment: its own, and the day that its subscription ends on. */
export function meteredDays(
  { start, end }: Period,
  {
    subscription,
    others,
    month,
  }: { subscription: BilledSubscription; others: readonly BilledSubscription[]; month: Period },
): Period {
  const ends_here = subscription.ends_on?.equals(end) === true && isDayOf(month, end)
  return { start, end: ends_here && hasEndDay(subscription, others) ? end.add({ days: 1 }) : end }
}

/**
 * Whether what is used on the day that the subscription ends is its own: not where another one of the deployment holds
 * on that day. Of several that end on it, the one with days before it has it, or else the last one made.
 */
function hasEndDay(subscription: BilledSubscription, others: readonly BilledSubscription[]): boolean {
  const { ends_on, deployment_id } = subscription
  return !others.some(
    (other) =>
      other !== subscription &&
      other.deployment_id === deployment_id &&
      other.phases.length > 0 &&
      ends_on !== null &&
      (holdsOn(other, ends_on) || (other.ends_on?.equals(ends_on) === true && comesFirst(other, subscription))),
  )
}

function holdsOn({ starts_on, ends_on }: BilledSubscription, date: Temporal.PlainDate): boolean {
  return isDayOf({ start: starts_on, end: ends_on ?? date.add({ days: 1 }) }, date)
}

/** The ids are in the order of their making. */
function comesFirst(a: BilledSubscription, b: BilledSubscription): boolean {
  if (!a.starts_on.equals(b.starts_on)) return isBefore(a.starts_on, b.starts_on)
  return a.subscription_id > b.subscription_id
}

function isDayOf({ start, end }: Period, date: Temporal.PlainDate): boolean {
  return !isBefore(date, start) && isBefore(date, end)
}
