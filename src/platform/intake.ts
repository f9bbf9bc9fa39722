import type { Static, TSchema } from 'typebox'
import { CONTRACT_DIGITS, fitsContract, isDecimalText, plain, readDecimal } from '../kernel/decimal.ts'
import { quoted, stopped } from '../kernel/nearest.ts'
import type { Fault, Problem, ProblemFactory } from '../kernel/problem.ts'
import { faultsOf, isNoDay } from './faults.ts'
import { isShallow } from './json.ts'
import { createValidator, type Validator } from './validate.ts'

const EVENT_MAX_LEVELS = 32
/** The clocks of senders may be ahead by this much. */
const CLOCK_AHEAD_MAX = Temporal.Duration.from({ hours: 1 })
/** What is older is in no book that is still open; mostly its sender's clock is wrong. */
const AGE_MAX_YEARS = 5
const AGE_MAX = Temporal.Duration.from({ hours: AGE_MAX_YEARS * 365 * 24 })

/** What a context says of a place that is wrong, where it knows more than the schema; undefined where it does not. */
export type Hint = (path: string, sent: Readonly<Record<string, unknown>>) => string | undefined

/**
 * Events come in batches in which one bad event spoils no other, so each is checked by itself, not with the request.
 * Gives the event, or the refusal `invalidEvent` with what is wrong with it.
 */
export function eventReader<Schema extends TSchema>(
  schema: Schema,
  invalidEvent: ProblemFactory,
  hint: Hint,
): (sent: unknown) => Static<Schema> | Problem {
  let check: Validator | undefined
  return (sent) => {
    check ??= createValidator({ coerceTypes: false })(schema)
    if (!isShallow(sent, EVENT_MAX_LEVELS))
      return refuseEvent(invalidEvent, [
        { path: '', message: `must not be nested deeper than ${EVENT_MAX_LEVELS} levels` },
      ])
    if (!check(sent)) return refuseEvent(invalidEvent, hinted(faultsOf(check.errors ?? []), { sent, hint }))
    if (!isStorable(sent))
      return refuseEvent(invalidEvent, [{ path: '', message: 'must hold well-formed text without NUL' }])
    return sent as Static<Schema>
  }
}

/** The refusal of an event, with the places in its detail: the answer to a batch carries no more than that. */
export function refuseEvent(invalidEvent: ProblemFactory, faults: readonly Fault[]): Problem {
  const places = faults.map((fault) => ('path' in fault ? `${fault.path} ${fault.message}`.trim() : fault.message))
  return invalidEvent(stopped(`The event is not valid: ${places.join('; ')}`), faults)
}

function hinted(faults: readonly Fault[], { sent, hint }: { sent: unknown; hint: Hint }): Fault[] {
  if (typeof sent !== 'object' || sent === null) return [...faults]
  const fields = { ...sent }
  return faults.map((fault) =>
    'path' in fault ? { ...fault, message: hint(fault.path, fields) ?? fault.message } : fault,
  )
}

/** Of a text field that holds a decimal: how the value that was found is written. */
export function decimalHint(found: unknown, { exponents }: { exponents: boolean }): string | undefined {
  if (typeof found === 'number') {
    const meant = readDecimal(found.toString())
    const text = meant === undefined || !fitsContract(meant) ? '12.50' : plain(meant)
    return `must be a decimal as text, such as "${text}": a JSON number may have lost digits`
  }
  if (typeof found !== 'string') return undefined
  const read = readDecimal(found)
  if (read === undefined) return undefined
  if (!fitsContract(read)) return `must have ${CONTRACT_DIGITS}`
  return exponents || isDecimalText(found) ? undefined : `must be in plain notation: "${plain(read)}"`
}

/** Of a field that holds a time, where what was found is none. */
export function timeHint(found: unknown): string | undefined {
  if (found === undefined || (typeof found === 'string' && parseInstant(found) !== undefined)) return undefined
  if (typeof found !== 'string')
    return `must be a time such as 2026-10-05T10:00:00Z, not ${typeof found === 'number' ? `a number; found ${found}` : 'another value'}`
  const day = isNoDay(found, 'date-time') ? ': there is no such day' : ''
  return `must be a time such as 2026-10-05T10:00:00Z, not a date alone or another text; found ${quoted(found)}${day}`
}

/** Of the field that names an event. */
export const ID_REQUIRED = 'is required: an event that comes twice counts once, and its id is how that is seen'

/** The id that a sender gave its event, as far as it can be read: a refusal names the event by it. */
export function sentId(sent: unknown, field: string): string | null {
  if (typeof sent !== 'object' || sent === null || !Object.hasOwn(sent, field)) return null
  const id: unknown = Reflect.get(sent, field)
  return typeof id === 'string' ? id.slice(0, SENT_ID_MAX_CHARACTERS) : null
}

const SENT_ID_MAX_CHARACTERS = 255

/** How the id of a deployment is found, where a slug or a name was sent for it. */
export function idHint(deployment_id: string): string {
  return isUuid(deployment_id) ? '' : ' It must be an id; GET /deployments?tenant_id=…&slug=… finds it.'
}

/** In the lower case that ids are kept in. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

/** RFC 3339 text, cut to the microseconds that the database keeps: rounding up could cross the end of a period. */
export function parseInstant(text: string): Temporal.Instant | undefined {
  try {
    return Temporal.Instant.from(text).round({ smallestUnit: 'microsecond', roundingMode: 'floor' })
  } catch {
    return undefined
  }
}

/** Why an event cannot have happened when it says, or is of no use any more; null where it can. */
export function refusedTime(occurred_at: Temporal.Instant, now: Temporal.Instant): string | null {
  if (Temporal.Instant.compare(occurred_at, now.add(CLOCK_AHEAD_MAX)) > 0) {
    return `must not lie in the future: the clock of a sender may be ahead by an hour, and here it is ${seconds(now)}`
  }
  const oldest = now.subtract(AGE_MAX)
  if (Temporal.Instant.compare(occurred_at, oldest) >= 0) return null
  return `must not be before ${seconds(oldest)}: what is older than ${AGE_MAX_YEARS} years is in no book that is still open, and mostly comes from a wrong clock`
}

function seconds(at: Temporal.Instant): string {
  return at.toString({ smallestUnit: 'second' })
}

/** In JSON text, only NUL and lone surrogates are escaped like this; PostgreSQL stores neither. */
const NOT_STORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i

function isStorable(value: unknown): boolean {
  return !NOT_STORABLE.test(JSON.stringify(value))
}
