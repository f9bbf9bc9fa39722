import { invariant } from '../../kernel/invariant.ts'
import { isBefore, overlap, type Period } from '../../kernel/period.ts'
import type { SegmentMode } from './facts.ts'

/** Dates of a subscription's phase; an open end (null) never ends. */
type Span = { readonly start: Temporal.PlainDate; readonly end: Temporal.PlainDate | null }

/** What a subscription's days are billed by: plan version, override and mode. */
type Terms = {
  readonly mode: SegmentMode
  readonly plan_version_id: string
  readonly override_id: string | null
}

export type Phase = Span & Terms
export type Segment = Terms & { active: Period }

type Cuts = {
  period: Period
  phases: readonly Phase[]
  /** The days on which plan years begin. Those outside the period cut nothing. */
  year_starts?: readonly Temporal.PlainDate[]
}

/**
 * The period cut wherever the plan version, the override or the mode changes and where a plan year begins, in order of
 * time. Other neighbours that differ in nothing are one segment; days without a phase have none. Throws InvariantError
 * when phases overlap.
 */
export function segments(input: Cuts): Segment[] {
  const year_starts = input.year_starts ?? []
  const years = year_starts.map((start) => ({ start, end: null }))
  const pieces = cut(input.period, [...input.phases, ...years])
  return pieces
    .flatMap((piece) => segmentOf(piece, input))
    .reduce<Segment[]>((done, next) => appendOrExtend(done, next, year_starts), [])
}

function cut(period: Period, spans: readonly Span[]): Period[] {
  const within = spans.flatMap((span) => overlap(period, span) ?? [])
  const dates = [period, ...within].flatMap(({ start, end }) => [start, end]).toSorted(Temporal.PlainDate.compare)
  return dates.flatMap((start, index) => {
    const end = dates[index + 1]
    return end === undefined || !isBefore(start, end) ? [] : [{ start, end }]
  })
}

function segmentOf(active: Period, input: Cuts): Segment[] {
  const phases = input.phases.filter((phase) => overlap(active, phase))
  invariant(phases.length <= 1, `phases of one subscription overlap on ${active.start}`)
  return phases.map(({ mode, plan_version_id, override_id }) => ({ active, mode, plan_version_id, override_id }))
}

function appendOrExtend(
  done: readonly Segment[],
  next: Segment,
  year_starts: readonly Temporal.PlainDate[],
): Segment[] {
  const last = done.at(-1)
  const begins_year = year_starts.some((start) => start.equals(next.active.start))
  if (last === undefined || begins_year || !continues(last, next)) return [...done, next]
  return [...done.slice(0, -1), { ...last, active: { start: last.active.start, end: next.active.end } }]
}

function continues(last: Segment, next: Segment): boolean {
  return (
    last.active.end.equals(next.active.start) &&
    last.mode === next.mode &&
    last.plan_version_id === next.plan_version_id &&
    last.override_id === next.override_id
  )
}
