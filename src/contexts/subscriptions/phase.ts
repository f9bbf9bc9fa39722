import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { earlierDate, isBefore, laterDate } from '../../kernel/period.ts'

/** Days under one plan version and one mode; `ends_on` is the first day after them, null when none is known. */
export type Phase = Pick<Selectable<DB['subscriptions.phase']>, 'mode' | 'plan_version_id' | 'starts_on' | 'ends_on'>

/**
 * The phases of a new subscription. With `trial_ends_on` the trial comes first and ends by itself; without it a
 * deployment on trial is free until it becomes active, and a paused one is paused until then.
 */
export function openingPhases(opening: {
  starts_on: Temporal.PlainDate
  plan_version_id: string
  deployment_status: string
  trial_ends_on: Temporal.PlainDate | null
}): Phase[] {
  const { starts_on, plan_version_id, deployment_status, trial_ends_on } = opening
  const phase = { plan_version_id, starts_on, ends_on: null }
  if (trial_ends_on === null) return [{ ...phase, mode: modeOf(deployment_status) }]
  return changeFrom([{ ...phase, mode: 'trial' }], trial_ends_on, (rest) => ({ ...rest, mode: 'normal' }))
}

/**
 * The phases with every day from `date` on as `change` makes it. A phase that `date` falls in is cut there; what
 * would have no days is gone, and neighbours that no longer differ become one.
 */
export function changeFrom(
  phases: readonly Phase[],
  date: Temporal.PlainDate,
  change: (phase: Phase) => Phase,
): Phase[] {
  return phases
    .flatMap((phase) => [...before(phase, date), ...after(phase, date).map(change)])
    .reduce<Phase[]>(appendOrExtend, [])
}

/** The phases without the days from `date` on. */
export function endAt(phases: readonly Phase[], date: Temporal.PlainDate): Phase[] {
  return phases.flatMap((phase) => before(phase, date))
}

/** The phases of a deployment that pauses on `date`. */
export function pause(phases: readonly Phase[], date: Temporal.PlainDate): Phase[] {
  return changeFrom(phases, date, (phase) => ({ ...phase, mode: 'paused' }))
}

/**
 * The phases of a deployment that becomes active on `date`: paused days are normal again, and so is a trial that was to
 * last until then. A trial with an end of its own goes on to that end, also after a pause, unless the deployment itself
 * was on trial.
 */
export function activate(
  phases: readonly Phase[],
  { date, from, trial_ends_on }: { date: Temporal.PlainDate; from: string; trial_ends_on: Temporal.PlainDate | null },
): Phase[] {
  const paid_from = trial_ends_on === null || from === 'trial' ? date : laterDate(date, trial_ends_on)
  const free = changeFrom(phases, date, (phase) => (phase.mode === 'paused' ? { ...phase, mode: 'trial' } : phase))
  return changeFrom(free, paid_from, (phase) => ({ ...phase, mode: 'normal' }))
}

function modeOf(deployment_status: string): Phase['mode'] {
  return deployment_status === 'trial' || deployment_status === 'paused' ? deployment_status : 'normal'
}

function before(phase: Phase, date: Temporal.PlainDate): Phase[] {
  if (!isBefore(phase.starts_on, date)) return []
  return [{ ...phase, ends_on: phase.ends_on === null ? date : earlierDate(phase.ends_on, date) }]
}

function after(phase: Phase, date: Temporal.PlainDate): Phase[] {
  if (phase.ends_on !== null && !isBefore(date, phase.ends_on)) return []
  return [{ ...phase, starts_on: laterDate(phase.starts_on, date) }]
}

function appendOrExtend(done: Phase[], next: Phase): Phase[] {
  const last = done.at(-1)
  const continues = last?.mode === next.mode && last.plan_version_id === next.plan_version_id
  return continues ? [...done.slice(0, -1), { ...last, ends_on: next.ends_on }] : [...done, next]
}
