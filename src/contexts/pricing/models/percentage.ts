import {
  type Decimal,
  decimal,
  larger,
  plain,
  roundPrecise,
  share,
  smaller,
  sum,
  ZERO,
} from '../../../kernel/decimal.ts'
import type { Charge, EventCount, PercentageTerms } from '../facts.ts'
import type { Metered, Rater } from './rated.ts'

/** Whether the charge has terms per event, for which the metered quantity alone is not enough. */
export function isPerEvent(charge: Charge): boolean {
  return charge.model === 'percentage' && hasEventTerms(charge)
}

/**
 * The quantities up to which an event costs its least fee and from which on its greatest; null where there is none. Between
 * them fees are in proportion, so that events between the same bounds cost together what as many cost that are alike and
 * add up to the same.
 */
export function eventBounds(charge: Charge): { least: string | null; greatest: string | null } {
  if (charge.model !== 'percentage') return { least: null, greatest: null }
  const { fixed_per_event, min_per_event, max_per_event } = charge
  const rate = decimal(charge.rate)
  const quantityAt = (fee: string | null | undefined): string | null =>
    fee === undefined || fee === null || rate.eq(ZERO)
      ? null
      : plain(
          roundPrecise(
            decimal(fee)
              .minus(decimal(fixed_per_event ?? '0'))
              .div(rate),
          ),
        )
  return { least: quantityAt(min_per_event), greatest: quantityAt(max_per_event) }
}

/** A fraction (`"0.029"` is 2.9 %) of a metered amount of money, or of each event's with what an event costs beside it. */
export function percentageRater(terms: PercentageTerms): Rater {
  return hasEventTerms(terms) ? eventRater(terms) : quantityRater(terms)
}

function hasEventTerms({ fixed_per_event, min_per_event, max_per_event }: PercentageTerms): boolean {
  return [fixed_per_event, min_per_event, max_per_event].some((term) => term !== undefined && term !== null)
}

function quantityRater(terms: PercentageTerms): Rater {
  const rate = decimal(terms.rate)
  const details = { rate: plain(rate) }
  return (billable) => ({ amount: billable.times(rate), unit_price: null, details })
}

/**
 * The events' fees add up whatever their order. Included quantities take their share of the sum, as nobody could say
 * which of the events they are.
 */
function eventRater(terms: PercentageTerms): Rater {
  const fee = feeOf(terms)
  const stated = eventTerms(terms)
  return (billable, of) => {
    const of_events = sum(of.events.map(({ quantity, count }) => fee(decimal(quantity)).times(decimal(BigInt(count)))))
    const event_count = of.events.reduce((total, { count }) => total + count, 0)
    return {
      amount: billableShare(of_events, billable, of),
      unit_price: null,
      details: {
        ...stated,
        event_count: event_count.toString(),
        events_amount: plain(of_events),
        ...listed(of.events, fee),
      },
    }
  }
}

/** Events of more amounts than this are not listed in the line. */
const LISTED_MAX_AMOUNTS = 20

/** What each event costs, by amount from the smallest up, so that the sum can be followed. */
function listed(events: readonly EventCount[], fee: (quantity: Decimal) => Decimal): Record<string, unknown> {
  const counts = new Map<string, number>()
  for (const { quantity, count } of events) {
    const amount = plain(decimal(quantity))
    counts.set(amount, (counts.get(amount) ?? 0) + count)
    if (counts.size > LISTED_MAX_AMOUNTS)
      return { events_note: `of more than ${LISTED_MAX_AMOUNTS} amounts: not listed` }
  }
  const amounts = [...counts].map(([amount, count]) => ({ quantity: decimal(amount), count }))
  return {
    events: amounts
      .toSorted((a, b) => compare(a.quantity, b.quantity))
      .map(({ quantity, count }) => ({
        quantity: plain(quantity),
        count: count.toString(),
        fee: plain(fee(quantity)),
      })),
  }
}

function compare(a: Decimal, b: Decimal): number {
  if (a.eq(b)) return 0
  return a.gt(b) ? 1 : -1
}

function feeOf({
  rate,
  fixed_per_event,
  min_per_event,
  max_per_event,
}: PercentageTerms): (quantity: Decimal) => Decimal {
  const factor = decimal(rate)
  const fixed = decimal(fixed_per_event ?? '0')
  const min = decimal(min_per_event ?? '0')
  const max = max_per_event === undefined || max_per_event === null ? null : decimal(max_per_event)
  return (quantity) => {
    const fee = larger(quantity.times(factor).plus(fixed), min)
    return max === null ? fee : smaller(fee, max)
  }
}

function eventTerms(terms: PercentageTerms): Record<string, string> {
  const names = ['rate', 'fixed_per_event', 'min_per_event', 'max_per_event'] as const
  return Object.fromEntries(
    names.flatMap((name) => {
      const term = terms[name]
      return term === undefined || term === null ? [] : [[name, plain(decimal(term))]]
    }),
  )
}

/** Where a quantity is included, events that add nothing to it are covered by it. */
function billableShare(amount: Decimal, billable: Decimal, { metered, included }: Metered): Decimal {
  if (!included.gt(ZERO)) return amount
  return metered.eq(ZERO) ? ZERO : share(amount, billable, metered)
}
