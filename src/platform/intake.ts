import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import type { Fault } from '../kernel/problem.ts'

/** Events come in batches in which one bad event spoils no other, so each is checked by itself, not with the request. */
export function eventReader<Schema extends TSchema>(
  schema: Schema,
): (sent: unknown) => { event: Static<Schema> } | { faults: Fault[] } {
  const compiled = Compile(schema)
  return (sent) => {
    if (!compiled.Check(sent)) return { faults: faultsOf(compiled.Errors(sent)) }
    if (!isStorable(sent)) return { faults: [{ path: '', message: 'must hold well-formed text without NUL' }] }
    return { event: sent }
  }
}

/** RFC 3339 text, cut to the microseconds that the database keeps: rounding up could cross the end of a period. */
export function parseInstant(text: string): Temporal.Instant | undefined {
  try {
    return Temporal.Instant.from(text).round({ smallestUnit: 'microsecond', roundingMode: 'floor' })
  } catch {
    return undefined
  }
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
