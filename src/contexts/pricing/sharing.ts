import type { AddonTerms, SegmentFacts } from './facts.ts'
import type { Proration } from './proration.ts'

export type ProratedSegment = { segment: SegmentFacts; proration: Proration }

/**
 * The segments grouped by what is due once for all of them: base price, included quantities, minimum and maximum. A
 * prorated segment has its own share of each; under the rule `none`, all segments of a plan version share one.
 */
export function sharing(segments: readonly ProratedSegment[]): ProratedSegment[][] {
  return [
    ...Map.groupBy(segments, ({ segment: { plan } }, index) =>
      plan.proration === 'none' ? JSON.stringify([plan.code, plan.version]) : index,
    ).values(),
  ]
}

/** Whether the segment pays base price and add-ons: neither a trial nor a pause does. */
export function isCharged({ mode }: SegmentFacts): boolean {
  return mode === 'normal'
}

/** The add-ons of the segment that none of the earlier ones has. Add-ons without an id are all different. */
export function newAddons(segment: SegmentFacts, earlier: readonly SegmentFacts[]): AddonTerms[] {
  const known = new Set(earlier.flatMap(({ addons }) => addons.map(({ id }) => id)))
  return segment.addons.filter(({ id }) => id === null || !known.has(id))
}
