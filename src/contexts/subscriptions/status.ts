import { present } from '../../kernel/invariant.ts'
import { dateIn, isBefore, laterDate, monthOf, startOfDay } from '../../kernel/period.ts'
import type { Phase } from './phase.ts'

export type SubscriptionStatus = 'scheduled' | 'trialing' | 'active' | 'paused' | 'ended'

export const SUBSCRIPTION_STATUSES: SubscriptionStatus[] = ['scheduled', 'trialing', 'active', 'paused', 'ended']

/**
 * How a subscription stands. The period is the running calendar month in the tenant's zone, the one that `period_end`
 * is the end of: that of the first day for a subscription that is still to come, and none for one that has ended.
 * `trial_ends_at` is the instant at which the day `trial_ends_on` begins.
 */
export type Standing = {
  status: SubscriptionStatus
  current_period_start: Temporal.PlainDate | null
  current_period_end: Temporal.PlainDate | null
  trial_ends_at: Temporal.Instant | null
}

type Days = { starts_on: Temporal.PlainDate; ends_on: Temporal.PlainDate | null }

/** Status, period and trial follow from the days and phases, so nothing that is stored can contradict them. */
export function standingAt(
  now: Temporal.Instant,
  subscription: Days & {
    trial_ends_on: Temporal.PlainDate | null
    timezone: string
    phases: readonly Pick<Phase, 'mode' | 'ends_on'>[]
  },
): Standing {
  const { starts_on, trial_ends_on, timezone, phases } = subscription
  const today = dateIn(now, timezone)
  const status = statusOn(today, { ...subscription, phases })
  const period = status === 'ended' ? null : monthOf(laterDate(starts_on, today))
  return {
    status,
    current_period_start: period && period.start,
    current_period_end: period && period.end,
    trial_ends_at: trial_ends_on && startOfDay(trial_ends_on, timezone),
  }
}

/** Whether no day of it is left. One that was called off before it began has ended, too. */
export function hasEnded({ starts_on, ends_on }: Days, today: Temporal.PlainDate): boolean {
  return ends_on !== null && !isBefore(laterDate(starts_on, today), ends_on)
}

/** Of what comes one after the other: those that are not over on `today`. */
export function notOver<D extends Pick<Days, 'ends_on'>>(all: readonly D[], today: Temporal.PlainDate): D[] {
  return all.filter(({ ends_on }) => ends_on === null || isBefore(today, ends_on))
}

const STATUS_IN: Record<Phase['mode'], SubscriptionStatus> = { normal: 'active', trial: 'trialing', paused: 'paused' }

function statusOn(
  today: Temporal.PlainDate,
  { phases, ...days }: Days & { phases: readonly Pick<Phase, 'mode' | 'ends_on'>[] },
): SubscriptionStatus {
  if (hasEnded(days, today)) return 'ended'
  if (isBefore(today, days.starts_on)) return 'scheduled'
  return STATUS_IN[present(notOver(phases, today)[0], 'the phases cover the days').mode]
}
