import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { earlierDate, isBefore, laterDate } from '../../kernel/period.ts'

/**
 * Days under one plan version, override and mode; `ends_on` is the first day after them, null when none is known. One
 * without days is all that a subscription has that was cancelled on its first day.
 */
export type Phase = Pick<
  Selectable<DB['subscriptions.phase']>,
  'mode' | 'plan_version_id' | 'override_id' | 'starts_on' | 'ends_on'
>

/** Days from `start` on; `end` is the first day after them, null when there is none. */
export type Days = { start: Temporal.PlainDate; end: Temporal.PlainDate | null }

/**
 * The phases of a new subscription. A paused deployment is paused until it becomes active, whatever trial it is sold
 * with. With `trial_ends_on` the trial comes first and ends by itself; without it a deployment on trial is free until it
 * becomes active.
 */
export function openingPhases(opening: {
  starts_on: Temporal.PlainDate
  plan_version_id: string
  deployment_state: string
  trial_ends_on: Temporal.PlainDate | null
}): Phase[] {
  const { starts_on, plan_version_id, deployment_state, trial_ends_on } = opening
  const phase = { plan_version_id, override_id: null, starts_on, ends_on: null }
  if (trial_ends_on === null || deployment_state === 'paused') return [{ ...phase, mode: modeOf(deployment_state) }]
  return changeFrom([{ ...phase, mode: 'trial' }], trial_ends_on, (rest) => ({ ...rest, mode: 'normal' }))
}

/** The phases with every day from `date` on as `change` makes it. */
export function changeFrom(
  phases: readonly Phase[],
  date: Temporal.PlainDate,
  change: (phase: Phase) => Phase,
): Phase[] {
  return changeDays(phases, { start: date, end: null }, change)
}

/** The phases under another plan version from `date` on. Overrides are of the plan version that they were made for. */
export function changePlanFrom(phases: readonly Phase[], date: Temporal.PlainDate, plan_version_id: string): Phase[] {
  return changeFrom(phases, date, (phase) =>
    phase.plan_version_id === plan_version_id ? phase : { ...phase, plan_version_id, override_id: null },
  )
}

/** The phases with the override on `days`, as far as the plan version of the first of them goes on. */
export function overrideOn(phases: readonly Phase[], days: Days, override_id: string): Phase[] {
  const rest = phases.flatMap((phase) => after(phase, days.start))
  const changed_on = rest.find((phase) => phase.plan_version_id !== rest[0]?.plan_version_id)?.starts_on ?? null
  const end = days.end === null || changed_on === null ? (days.end ?? changed_on) : earlierDate(days.end, changed_on)
  return changeDays(phases, { start: days.start, end }, (phase) => ({ ...phase, override_id }))
}

/** The phases without the override from `date` on. */
export function endOverride(phases: readonly Phase[], date: Temporal.PlainDate, override_id: string): Phase[] {
  return changeFrom(phases, date, (phase) =>
    phase.override_id === override_id ? { ...phase, override_id: null } : phase,
  )
}

/**
 * The phases with every one of `days` as `change` makes it. A phase that they begin or end in is cut there; what would
 * have no days is gone, and neighbours that no longer differ become one.
 */
function changeDays(phases: readonly Phase[], { start, end }: Days, change: (phase: Phase) => Phase): Phase[] {
  return phases
    .flatMap((phase) => {
      const rest = after(phase, start)
      const inside = end === null ? rest : rest.flatMap((one) => before(one, end))
      const beyond = end === null ? [] : rest.flatMap((one) => after(one, end))
      return [...before(phase, start), ...inside.map(change), ...beyond]
    })
    .reduce<Phase[]>(appendOrExtend, [])
}

/**
 * The phases without the days from `date` on. Where that leaves none of a subscription that has begun, its first one
 * stays without days: what is used on the day of cancellation is billed by it.
 */
export function endAt(
  phases: readonly Phase[],
  date: Temporal.PlainDate,
  { has_begun }: { has_begun: boolean },
): Phase[] {
  const left = phases.flatMap((phase) => before(phase, date))
  if (left.length > 0 || !has_begun) return left
  return phases.slice(0, 1).map((phase) => ({ ...phase, ends_on: phase.starts_on }))
}

/** The phases as if they had begun on `start`: the first one gets the days before it, or days go from the front. */
export function beginOn(phases: readonly Phase[], start: Temporal.PlainDate): Phase[] {
  const [first, ...rest] = phases
  if (first !== undefined && isBefore(start, first.starts_on)) return [{ ...first, starts_on: start }, ...rest]
  return phases.flatMap((phase) => after(phase, start))
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

function modeOf(deployment_state: string): Phase['mode'] {
  return deployment_state === 'trial' || deployment_state === 'paused' ? deployment_state : 'normal'
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
  const continues =
    last?.mode === next.mode && last.plan_version_id === next.plan_version_id && last.override_id === next.override_id
  return continues ? [...done.slice(0, -1), { ...last, ends_on: next.ends_on }] : [...done, next]
}
