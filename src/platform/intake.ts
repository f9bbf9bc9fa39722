import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import type { Fault, Problem, ProblemFactory } from '../kernel/problem.ts'
import { isShallow } from './json.ts'

const EVENT_MAX_LEVELS = 32
/** The clocks of senders may be ahead by this much. */
const CLOCK_AHEAD_MAX = Temporal.Duration.from({ hours: 1 })

/**
 * Events come in batches in which one bad event spoils no other, so each is checked by itself, not with the request.
 * Gives the event, or the refusal `invalidEvent` with what is wrong with it.
 */
export function eventReader<Schema extends TSchema>(
  schema: Schema,
  invalidEvent: ProblemFactory,
): (sent: unknown) => Static<Schema> | Problem {
  const compiled = Compile(schema)
  return (sent) => {
    if (!isShallow(sent, EVENT_MAX_LEVELS))
      return refuseEvent(invalidEvent, [
        { path: '', message: `must not be nested deeper than ${EVENT_MAX_LEVELS} levels` },
      ])
    if (!compiled.Check(sent)) return refuseEvent(invalidEvent, faultsOf(compiled.Errors(sent)))
    if (!isStorable(sent))
      return refuseEvent(invalidEvent, [{ path: '', message: 'must hold well-formed text without NUL' }])
    return sent
  }
}

/** The refusal of an event, with the places in its detail: the answer to a batch carries no more than that. */
export function refuseEvent(invalidEvent: ProblemFactory, faults: readonly Fault[]): Problem {
  const places = faults.map((fault) => ('path' in fault ? `${fault.path} ${fault.message}`.trim() : fault.message))
  return invalidEvent(`The event is not valid: ${places.join('; ')}.`, faults)
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

/** Whether an event says that it happened later than a clock that is a little ahead can mean. */
export function isAhead(occurred_at: Temporal.Instant, now: Temporal.Instant): boolean {
  return Temporal.Instant.compare(occurred_at, now.add(CLOCK_AHEAD_MAX)) > 0
}

/** One fault per place: of a union's alternatives the first one speaks. */
function faultsOf(errors: readonly TLocalizedValidationError[]): Fault[] {
  const messages = new Map<string, string>()
  const add = (path: string, message: string): void => void (messages.has(path) || messages.set(path, message))
  for (const error of errors) {
    const path = error.instancePath.replace(/^\//, '')
    const below = (name: string) => (path === '' ? name : `${path}/${name}`)
    if (error.keyword === 'required') error.params.requiredProperties.forEach((name) => add(below(name), 'is required'))
    else if (error.keyword === 'boolean') add(path, 'is not a known field')
    else if (error.keyword !== 'additionalProperties') add(path, error.message)
  }
  return [...messages].map(([path, message]) => ({ path, message }))
}

/** In JSON text, only NUL and lone surrogates are escaped like this; PostgreSQL stores neither. */
const NOT_STORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i

function isStorable(value: unknown): boolean {
  return !NOT_STORABLE.test(JSON.stringify(value))
}
