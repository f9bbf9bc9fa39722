import { invariant } from '../../kernel/invariant.ts'
import { overlap, type Period } from '../../kernel/period.ts'
import type { SegmentMode } from './facts.ts'

/** Dates of a subscription's phase or of an add-on on it; an open end (null) never ends. */
type Span = { readonly start: Temporal.PlainDate; readonly end: Temporal.PlainDate | null }

export type Phase = Span & { readonly mode: SegmentMode; readonly plan_version_id: string }
export type Addon = Span & { readonly id: string }
export type Segment = { active: Period; mode: SegmentMode; plan_version_id: string; addon_ids: string[] }

/**
 * The period cut wherever the plan version, the mode or the add-ons change, in order of time. Neighbours that differ
 * in nothing are one segment; days without a phase have none. Throws InvariantError when phases overlap.
 */
export function segments(input: { period: Period; phases: readonly Phase[]; addons: readonly Addon[] }): Segment[] {
  const pieces = cut(input.period, [...input.phases, ...input.addons]).flatMap((piece) => segmentOf(piece, input))
  return pieces.reduce(appendOrExtend, [])
}

function cut(period: Period, spans: readonly Span[]): Period[] {
  const within = spans.flatMap((span) => overlap(period, span) ?? [])
  const dates = [period, ...within].flatMap(({ start, end }) => [start, end]).toSorted(Temporal.PlainDate.compare)
  return dates.flatMap((start, index) => {
    const end = dates[index + 1]
    return end === undefined || end.equals(start) ? [] : [{ start, end }]
  })
}

function segmentOf(active: Period, input: { phases: readonly Phase[]; addons: readonly Addon[] }): Segment[] {
  const phases = input.phases.filter((phase) => overlap(active, phase))
  invariant(phases.length <= 1, `phases of one subscription overlap on ${active.start}`)
  const addon_ids = input.addons.filter((addon) => overlap(active, addon)).map((addon) => addon.id)
  return phases.map(({ mode, plan_version_id }) => ({
    active,
    mode,
    plan_version_id,
    addon_ids: addon_ids.toSorted(),
  }))
}

function appendOrExtend(done: Segment[], next: Segment): Segment[] {
  const last = done.at(-1)
  if (last === undefined || !continues(last, next)) return [...done, next]
  return [...done.slice(0, -1), { ...last, active: { start: last.active.start, end: next.active.end } }]
}

function continues(last: Segment, next: Segment): boolean {
  return (
    last.active.end.equals(next.active.start) &&
    last.mode === next.mode &&
    last.plan_version_id === next.plan_version_id &&
    last.addon_ids.length === next.addon_ids.length &&
    last.addon_ids.every((id, index) => id === next.addon_ids[index])
  )
}
