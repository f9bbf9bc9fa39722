import { invariant } from './invariant.ts'
import { nearest, quoted } from './nearest.ts'

/** Billing dates, half-open: `start` counts, `end` does not. */
export type Period = { readonly start: Temporal.PlainDate; readonly end: Temporal.PlainDate }

/** Instants, half-open. A time is an instant, a billing date is a plain date; `instantsOf` is the only bridge. */
export type Window = { readonly start: Temporal.Instant; readonly end: Temporal.Instant }

export function period(start: Temporal.PlainDate | string, end: Temporal.PlainDate | string): Period {
  const made = { start: Temporal.PlainDate.from(start), end: Temporal.PlainDate.from(end) }
  invariant(isBefore(made.start, made.end), `a period must end after it starts: ${made.start} to ${made.end}`)
  return made
}

export function monthOf(date: Temporal.PlainDate): Period {
  const start = date.with({ day: 1 })
  return { start, end: start.add({ months: 1 }) }
}

/** The calendar months that share a day with the period, in order of time. */
export function monthsOf(of: Period): Period[] {
  const months: Period[] = []
  for (let month = monthOf(of.start); isBefore(month.start, of.end); month = monthOf(month.end)) months.push(month)
  return months
}

/** The month before the one that `now` falls in, in `zone`. */
export function previousMonth(now: Temporal.Instant, zone: string): Period {
  return monthOf(dateIn(now, zone).with({ day: 1 }).subtract({ days: 1 }))
}

/** Years 1900 to 2999, as a pattern: a billing date beyond them is a mistake, and not all are dates everywhere. */
export const YEAR_PATTERN = '(?:19|2[0-9])[0-9]{2}'
export const YEARS_TAKEN = 'in the years 1900 to 2999'

const MONTH = new RegExp(`^(${YEAR_PATTERN})-([0-9]{2})(?:-([0-9]{2}))?$`)

/** `2026-04`, or any day in the month (`2026-04-17`). Undefined when it is neither, or not in 1900 to 2999. */
export function parseMonth(text: string): Period | undefined {
  const match = MONTH.exec(text)
  if (!match) return undefined
  try {
    const [, year, month, day] = match
    return monthOf(Temporal.PlainDate.from(`${year}-${month}-${day ?? '01'}`, { overflow: 'reject' }))
  } catch {
    return undefined
  }
}

/** `2026-04` for a period that starts in April 2026. */
export function monthLabel(of: Period): string {
  return of.start.toPlainYearMonth().toString()
}

export function dateIn(at: Temporal.Instant, zone: string): Temporal.PlainDate {
  return at.toZonedDateTimeISO(zone).toPlainDate()
}

export function instantsOf(of: Period, zone: string): Window {
  return { start: startOfDay(of.start, zone), end: startOfDay(of.end, zone) }
}

export function startOfDay(date: Temporal.PlainDate, zone: string): Temporal.Instant {
  return date.toZonedDateTime(zone).startOfDay().toInstant()
}

export function days(of: Period): number {
  return of.start.until(of.end, { largestUnit: 'days' }).days
}

/** What two periods share, or undefined when that is nothing. An open end (null) never ends. */
export function overlap(
  a: Period,
  b: { readonly start: Temporal.PlainDate; readonly end: Temporal.PlainDate | null },
): Period | undefined {
  const start = laterDate(a.start, b.start)
  const end = b.end === null ? a.end : earlierDate(a.end, b.end)
  return isBefore(start, end) ? { start, end } : undefined
}

/** Seconds that a life from `start` to `end` (null: still alive) spends inside the window. Whole seconds, ≥ 0. */
export function secondsWithin(
  window: Window,
  life: { readonly start: Temporal.Instant; readonly end: Temporal.Instant | null },
): bigint {
  const start = laterInstant(window.start, life.start)
  const end = life.end === null ? window.end : earlierInstant(window.end, life.end)
  const nanoseconds = end.epochNanoseconds - start.epochNanoseconds
  return nanoseconds > 0n ? nanoseconds / 1_000_000_000n : 0n
}

/** A name of the IANA database. An offset such as `+10:00` is none: PostgreSQL reads its sign the other way round. */
export function isTimeZone(name: string): boolean {
  if (/^[+-]/.test(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}

/** What a text that is no time zone should have been, for its refusal: a city alone is enough to tell which was meant. */
export function expectedTimeZone(given: string): string {
  const zones = Intl.supportedValuesOf('timeZone')
  const cities = new Map(zones.map((zone) => [zone.slice(zone.lastIndexOf('/') + 1), zone]))
  const written = given.trim().replaceAll(' ', '_')
  const { candidate, edits } = nearest(written, written.includes('/') ? zones : [...cities.keys()])
  // An abbreviation or an offset is like no name; a name that is like it by chance would mislead.
  const hint =
    edits * 2 < written.length
      ? `; nearest to ${quoted(given)} is ${cities.get(candidate) ?? candidate}`
      : ' such as Australia/Sydney'
  return `a time zone of the IANA database${hint}`
}

/** Whether a text such as `2026-04-30` is a day of the calendar: `2026-04-31` is none. */
export function isDay(text: string): boolean {
  try {
    Temporal.PlainDate.from(text)
    return true
  } catch {
    return false
  }
}

export function isBefore(a: Temporal.PlainDate, b: Temporal.PlainDate): boolean {
  return Temporal.PlainDate.compare(a, b) < 0
}

export function laterDate(a: Temporal.PlainDate, b: Temporal.PlainDate): Temporal.PlainDate {
  return isBefore(a, b) ? b : a
}

export function earlierDate(a: Temporal.PlainDate, b: Temporal.PlainDate): Temporal.PlainDate {
  return isBefore(a, b) ? a : b
}

export function laterInstant(a: Temporal.Instant, b: Temporal.Instant): Temporal.Instant {
  return Temporal.Instant.compare(a, b) < 0 ? b : a
}

export function earlierInstant(a: Temporal.Instant, b: Temporal.Instant): Temporal.Instant {
  return Temporal.Instant.compare(a, b) < 0 ? a : b
}
