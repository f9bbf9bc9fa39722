import { type Decimal, decimal, larger, plain, sum, ZERO } from '../../kernel/decimal.ts'
import { earlierInstant, laterInstant, type Window } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { parseInstant } from '../../platform/intake.ts'
import { type Charge, type EventCount, isPerEvent, type SegmentFacts, usageKey } from '../pricing/index.ts'
import type { NewMeter } from './meter.ts'
import type { QuoteRequest } from './schemas.ts'

type GivenUsage = NonNullable<QuoteRequest['usage']>
type GivenEvent = Exclude<GivenUsage[string], string>[number]

/** What events become: `meters` are those of the catalogue by code, and any other sums its events up. */
type Terms = { charges: readonly Charge[]; meters: ReadonlyMap<string, NewMeter>; window: Window }

/**
 * The usage of a quote as metering would have it. A quantity goes to the usage key that it is given under. The events of
 * a meter go to its charges by their filters and are aggregated there; one without a time occurred in the window, and a
 * level without one is carried over into it. Throws `request/invalid` for events that could not be.
 */
export function quotedUsage(given: GivenUsage, terms: Terms): Pick<SegmentFacts, 'usage' | 'events'> {
  const faults = Object.entries(given).flatMap(([key, value]) =>
    typeof value === 'string' ? quantityFaults(key, { given, terms }) : eventsFaults(key, value, terms),
  )
  if (faults.length > 0) throw invalidInput('The usage cannot be rated.', faults)
  const groups = Object.entries(given).flatMap(([key, value]) =>
    typeof value === 'string' ? [] : groupsOf(key, value, terms),
  )
  const totals = Object.entries(given).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : []))
  return {
    usage: Object.fromEntries([...totals, ...groups.map(({ key, quantity }) => [key, plain(quantity)])]),
    events: Object.fromEntries(groups.flatMap(({ key, counts }) => (counts === null ? [] : [[key, counts]]))),
  }
}

/** The meter of a usage key. */
export function meterOf(usage_key: string): string {
  return usage_key.split('[', 1)[0] ?? usage_key
}

function quantityFaults(key: string, { given, terms }: { given: GivenUsage; terms: Terms }): Fault[] {
  const path = `usage/${key}`
  const charge = terms.charges.find((one) => usageKey(one) === key)
  if (charge !== undefined && isPerEvent(charge)) {
    return [{ path, message: 'must be a list of events: what the charge comes to follows from each of them' }]
  }
  const meter = meterOf(key)
  const is_twice = key !== meter && Array.isArray(given[meter])
  return is_twice ? [{ path, message: `must not be given with the events of ${meter}, which say it already` }] : []
}

function eventsFaults(key: string, events: readonly GivenEvent[], { meters, window }: Terms): Fault[] {
  if (key !== meterOf(key)) {
    return [{ path: `usage/${key}`, message: `must be a quantity; events belong under ${meterOf(key)}` }]
  }
  const meter = meters.get(key)
  return events.flatMap((event, index) => eventFaults(event, { meter, window, path: `usage/${key}/${index}` }))
}

function eventFaults(
  { quantity, occurred_at, properties = {} }: GivenEvent,
  { meter, window, path }: { meter: NewMeter | undefined; window: Window; path: string },
): Fault[] {
  const is_level = meter?.aggregation === 'time_weighted_sum'
  const at = occurred_at === undefined ? undefined : parseInstant(occurred_at)
  const counted = meter?.unique_property ?? null
  return [
    ...unless(is_level || decimal(quantity).gte(ZERO), `${path}/quantity`, 'must not be negative'),
    ...unless(occurred_at === undefined || at !== undefined, `${path}/occurred_at`, 'must be a time'),
    ...unless(at === undefined || isBefore(at, window.end), `${path}/occurred_at`, 'must not lie after active'),
    ...unless(
      at === undefined || is_level || !isBefore(at, window.start),
      `${path}/occurred_at`,
      'must not lie before active',
    ),
    ...unless(
      counted === null || (properties[counted] ?? null) !== null,
      `${path}/properties/${counted}`,
      'is required: its distinct values are counted',
    ),
  ]
}

function unless(holds: boolean, path: string, message: string): Fault[] {
  return holds ? [] : [{ path, message }]
}

function isBefore(a: Temporal.Instant, b: Temporal.Instant): boolean {
  return Temporal.Instant.compare(a, b) < 0
}

type Event = { quantity: Decimal; at: Temporal.Instant; counted: string | null }
type Group = { key: string; quantity: Decimal; counts: EventCount[] | null }

/** The events of a meter by the charge that they belong to. */
function groupsOf(code: string, given: readonly GivenEvent[], { charges, meters, window }: Terms): Group[] {
  const { aggregation = 'sum', unique_property = null } = meters.get(code) ?? {}
  const of_meter = charges.filter(({ meter }) => meter === code)
  const groups = Map.groupBy(given, (event) => chargeOf(event, of_meter))
  return [...groups].map(([charge, own]): Group => {
    const events = own.map(({ quantity, occurred_at, properties = {} }) => ({
      quantity: decimal(quantity),
      at: laterInstant(
        window.start,
        (occurred_at === undefined ? undefined : parseInstant(occurred_at)) ?? window.start,
      ),
      counted: unique_property === null ? null : textOf(properties[unique_property]),
    }))
    return {
      key: charge === undefined ? code : usageKey(charge),
      quantity: aggregate(events, aggregation, window),
      counts: charge !== undefined && isPerEvent(charge) ? countsOf(events, aggregation) : null,
    }
  })
}

/** The first charge whose filter the event meets, or else the one without a filter. */
function chargeOf({ properties = {} }: GivenEvent, charges: readonly Charge[]): Charge | undefined {
  const filters = charges.map((charge) => ({ charge, conditions: Object.entries(charge.filter ?? {}) }))
  const met = filters.find(
    ({ conditions }) =>
      conditions.length > 0 && conditions.every(([name, values]) => values.includes(textOf(properties[name]) ?? '')),
  )
  return (met ?? filters.find(({ conditions }) => conditions.length === 0))?.charge
}

/** A property as metering compares it: the text that the database makes of it, so a number without an exponent. */
function textOf(value: string | number | boolean | null | undefined): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'number' ? withoutExponent(String(value)) : String(value)
}

/** `1.5e-7` is 0.00000015. */
function withoutExponent(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (exponent === undefined) return text
  const point = whole.length + Number(exponent)
  const digits = `${'0'.repeat(Math.max(0, 1 - point))}${whole}${fraction}`
  const at = Math.max(1, point)
  return sign + (point > 0 ? digits.padEnd(point, '0') : `${digits.slice(0, at)}.${digits.slice(at)}`)
}

function aggregate(events: readonly Event[], aggregation: NewMeter['aggregation'], window: Window): Decimal {
  switch (aggregation) {
    case 'sum':
      return sum(events.map(({ quantity }) => quantity))
    case 'count':
      return decimal(BigInt(events.length))
    case 'max':
      return events.map(({ quantity }) => quantity).reduce(larger, ZERO)
    case 'last':
      return inTime(events).at(-1)?.quantity ?? ZERO
    case 'unique_count':
      return decimal(BigInt(new Set(events.map(({ counted }) => counted)).size))
    case 'time_weighted_sum':
      return levelHours(inTime(events), window)
  }
}

/** Events of the same time stay as they were given. */
function inTime(events: readonly Event[]): Event[] {
  return events.toSorted((a, b) => Temporal.Instant.compare(a.at, b.at))
}

const NANOSECONDS_PER_HOUR = decimal('3600000000000')

/** Each level holds until the next change or the end of the window, and one below 0 counts as 0. */
function levelHours(changes: readonly Event[], window: Window): Decimal {
  let level = ZERO
  let weighted = ZERO
  for (const [index, { quantity, at }] of changes.entries()) {
    level = level.plus(quantity)
    const until = earlierInstant(changes[index + 1]?.at ?? window.end, window.end)
    const nanoseconds = until.epochNanoseconds - at.epochNanoseconds
    weighted = weighted.plus(larger(level, ZERO).times(decimal(nanoseconds)))
  }
  return weighted.div(NANOSECONDS_PER_HOUR)
}

function countsOf(events: readonly Event[], aggregation: NewMeter['aggregation']): EventCount[] {
  const sizes = Map.groupBy(events, ({ quantity }) => (aggregation === 'count' ? '1' : plain(quantity)))
  return [...sizes].map(([quantity, same]) => ({ quantity, count: same.length }))
}
