import { invariant } from '../../kernel/invariant.ts'
import { days, isBefore, overlap, type Period } from '../../kernel/period.ts'
import type { Phase as BilledPhase } from '../pricing/index.ts'

/**
 * A year of a yearly plan. `left_on` is the first day on which the subscription is no longer under the plan version,
 * where that comes before the year's end. `override_id` is the override of the year's first day, at whose base price the
 * year is billed.
 */
export type SubscribedYear = {
  plan_version_id: string
  period: Period
  override_id: string | null
  left_on: Temporal.PlainDate | null
}

/**
 * The years that share a day with `period`, in order of time. `phases` are all those of a subscription under yearly plan
 * versions, ever, in order of time. Years are counted from the first charged day of an uninterrupted run of days under
 * one plan version: a trial comes before it, and a pause does not move it. A year begins on the anchor's day and month,
 * on 28 February for an anchor on the 29th where there is none.
 */
export function planYears(phases: readonly BilledPhase[], period: Period): SubscribedYear[] {
  return runsOf(phases).flatMap((run) => yearsOf(run, period))
}

/** The year that `date` is a day of; null in a trial before the first year, and on days under no yearly plan version. */
export function planYear(phases: readonly BilledPhase[], date: Temporal.PlainDate): SubscribedYear | null {
  return planYears(phases, { start: date, end: date.add({ days: 1 }) })[0] ?? null
}

/** The days of the year before `date` on which its plan version was paused. `phases` as in `planYears`. */
export function pausedDays(
  phases: readonly BilledPhase[],
  { plan_version_id, period }: Pick<SubscribedYear, 'plan_version_id' | 'period'>,
  date: Temporal.PlainDate,
): number {
  const passed = { start: period.start, end: date }
  return phases
    .filter((phase) => phase.mode === 'paused' && phase.plan_version_id === plan_version_id)
    .reduce((total, phase) => {
      const paused = overlap(passed, phase)
      return paused === undefined ? total : total + days(paused)
    }, 0)
}

type Run = { plan_version_id: string; end: Temporal.PlainDate | null; phases: BilledPhase[] }

function runsOf(phases: readonly BilledPhase[]): Run[] {
  const runs: Run[] = []
  for (const phase of phases) {
    const { plan_version_id, end } = phase
    const last = runs.at(-1)
    if (last?.plan_version_id === plan_version_id && last.end?.equals(phase.start)) {
      last.phases.push(phase)
      last.end = end
    } else {
      runs.push({ plan_version_id, end, phases: [phase] })
    }
  }
  return runs
}

function yearsOf({ plan_version_id, end, phases }: Run, period: Period): SubscribedYear[] {
  const anchor = phases.find((phase) => phase.mode === 'normal')?.start
  if (anchor === undefined || !isBefore(anchor, period.end)) return []
  // The year before the one that is counted may reach into the period where February is short.
  const first = Math.max(0, anchor.until(period.start, { largestUnit: 'years' }).years - 1)
  const years: SubscribedYear[] = []
  for (let number = first; isBefore(anchor.add({ years: number }), period.end); number += 1) {
    const year = { start: anchor.add({ years: number }), end: anchor.add({ years: number + 1 }) }
    const left_on = end !== null && isBefore(end, year.end) ? end : null
    if (left_on !== null && !isBefore(year.start, left_on)) break
    if (overlap(period, { start: year.start, end: left_on ?? year.end }) === undefined) continue
    const opening = phases.find((phase) => overlap(year, phase) !== undefined)
    invariant(opening !== undefined, 'a year begins on a day of its run')
    years.push({ plan_version_id, period: year, override_id: opening.override_id, left_on })
  }
  return years
}
