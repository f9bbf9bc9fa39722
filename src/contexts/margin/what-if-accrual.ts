import { days, type Period } from '../../kernel/period.ts'
import type { QuoteFacts, SegmentFacts } from '../pricing/index.ts'

/**
 * The facts with each yearly price spread over the days of its year, so that a month of it can be compared with a month
 * of a monthly price. A day costs the same whether the year begins in a month that is rated or not; days that would be
 * given back cost nothing. What is left of a year that is not given back belongs to the last day before it is left.
 */
export function accrued(facts: QuoteFacts): QuoteFacts {
  return {
    ...facts,
    subscriptions: facts.subscriptions.map((subscription) => ({
      ...subscription,
      segments: subscription.segments.map(accruedSegment),
    })),
  }
}

/** Whether any of the prices is one for a year. */
export function isYearly({ subscriptions }: QuoteFacts): boolean {
  return subscriptions.some(({ segments }) => segments.some(({ plan }) => plan.interval === 'year'))
}

function accruedSegment(segment: SegmentFacts): SegmentFacts {
  const { plan, year, active } = segment
  if (plan.interval === 'month' || year === null) return segment
  // A year of the segment's days alone is billed whole where it begins, which is here.
  return { ...segment, year: { period: active, is_left: false, base_price_cents: shareCents(segment, year) } }
}

/** The difference of two running sums, so that the days of a year add up to its price. */
function shareCents({ plan, mode, active }: SegmentFacts, year: NonNullable<SegmentFacts['year']>): bigint {
  const price_cents = year.base_price_cents ?? plan.base_price_cents
  const keeps = plan.proration === 'none'
  if (mode === 'paused' && !keeps) return 0n
  const until = (end: Temporal.PlainDate): bigint => (price_cents * daysOf(year.period, end)) / daysOf(year.period)
  return until(keeps && year.is_left ? year.period.end : active.end) - until(active.start)
}

function daysOf({ start, end }: Period, until = end): bigint {
  return BigInt(days({ start, end: until }))
}
