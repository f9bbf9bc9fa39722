import { type Static, type TSchema, type TString, type TStringOptions, Type } from 'typebox'
import { Value } from 'typebox/value'
import {
  DECIMAL_PATTERN,
  POSITIVE_DECIMAL_PATTERN,
  UNSIGNED_DECIMAL_PATTERN,
  WRITTEN_DECIMAL_PATTERN,
} from '../kernel/decimal.ts'
import { expectedCountry, isCountry } from '../kernel/country.ts'
import { expectedCurrency, isCurrency } from '../kernel/money.ts'
import { expectedTimeZone, isTimeZone, parseMonth, type Period, YEAR_PATTERN, YEARS_TAKEN } from '../kernel/period.ts'
import { quoted } from '../kernel/nearest.ts'
import { invalidInput, notFound } from '../kernel/problem.ts'
import type { Caller } from './auth.ts'
import type { Wording } from './faults.ts'
import { CENTS_KEYWORD, DECIMAL_FORMAT, isStorableText, TEXT_FORMAT } from './formats.ts'

/** The building blocks of request and response schemas: one spelling of money, times, lists and identifiers. */

const LIST_LIMIT_DEFAULT = 50
const LIST_LIMIT_MAX = 200
/** A hundred billion in a currency of cents: hundreds of such amounts add up to what every reader of JSON reads exactly. */
const CENTS_MAX = 10_000_000_000_000
const IN_OUR_YEARS = `^${YEAR_PATTERN}-`
/** RFC 3339, in the form that a time of the runtime takes: with no more than nine digits of a second. */
const INSTANT_PATTERN = `${IN_OUR_YEARS}[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$`

/** Minor units in a request. */
export const Cents = ({ minimum = -CENTS_MAX }: { minimum?: number } = {}) =>
  Type.Integer({
    minimum,
    maximum: CENTS_MAX,
    expected: `whole minor units as a number, such as 5050 for 50.50${minimum < 0 ? '' : `, at least ${minimum}`}`,
  })
/**
 * Minor units in an answer: exact, whatever their size. Without a type, because the serializer takes no bigint where a
 * schema has alternatives; the API document says that it is an integer.
 */
export const CentsOut = Type.Unsafe<bigint>({ [CENTS_KEYWORD]: true })
export const DecimalText = Type.String({
  format: DECIMAL_FORMAT,
  pattern: DECIMAL_PATTERN,
  expected: 'an exact decimal as text such as "12.50"',
  description: 'An exact decimal in plain notation, as a string',
})
/** For what programs write, who may use an exponent; to be read by `readDecimal`. */
export const WrittenDecimalText = Type.String({
  format: DECIMAL_FORMAT,
  pattern: WRITTEN_DECIMAL_PATTERN,
  expected: 'an exact decimal as text such as "12.50" or "1.5E-06"',
  description: 'An exact decimal as a string, in plain notation or with an exponent such as "1.5E-06"',
})
export const UnsignedDecimalText = Type.String({
  format: DECIMAL_FORMAT,
  pattern: UNSIGNED_DECIMAL_PATTERN,
  expected: 'an exact decimal as text such as "12.50", not below 0',
  description: 'An exact decimal that is not negative, as a string',
})
export const PositiveDecimalText = Type.String({
  format: DECIMAL_FORMAT,
  pattern: POSITIVE_DECIMAL_PATTERN,
  expected: 'an exact decimal as text such as "12.50", above 0',
  description: 'An exact decimal above 0, as a string',
})
/** A share of one, as text; who reads it says between what. */
export const FractionText = Type.String({
  ...UnsignedDecimalText,
  expected: 'a fraction as text, such as "0.10" for 10 %',
  description: 'A fraction as an exact decimal, as a string',
})
export const ID_PATTERN = '^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
/** Hexadecimal digits and hyphens alone: the format would also let `urn:uuid:…` through, which no column takes. */
export const Id = Type.String({
  format: 'uuid',
  pattern: ID_PATTERN,
  expected: 'an id such as 0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11',
})
/** A text that the database can hold: without NUL and lone surrogates. Every text of a request is one, or of a narrower form. */
export const TextOf = (options: TStringOptions = {}) => Type.String({ ...options, format: TEXT_FORMAT })
/** Any text, and a number that an `integer` column holds: as parts of a cursor. */
export const CursorText = TextOf()
export const CursorNumber = Type.String({ pattern: '^[0-9]{1,9}$' })
export const CurrencyCode = Type.String({
  pattern: '^[A-Z]{3}$',
  description: 'ISO 4217',
  examples: ['USD'],
  expected: expectedCurrency,
})
export const CountryCode = Type.String({
  pattern: '^[A-Z]{2}$',
  description: 'ISO 3166-1 alpha-2',
  expected: expectedCountry,
})
export const DateText = Type.String({
  format: 'date',
  pattern: IN_OUR_YEARS,
  description: YEARS_TAKEN,
  examples: ['2026-07-01'],
  expected: `a date such as 2026-04-01, ${YEARS_TAKEN}`,
})
export const InstantText = Type.String({
  format: 'date-time',
  pattern: INSTANT_PATTERN,
  description: `RFC 3339, ${YEARS_TAKEN}, with at most nine digits of a second`,
  examples: ['2026-04-20T10:00:00Z'],
  expected: `a time such as 2026-04-01T09:30:00Z, ${YEARS_TAKEN}, with at most nine digits of a second`,
})
export const DateOut = Type.Unsafe<Temporal.PlainDate>({ type: 'string', format: 'date' })
export const InstantOut = Type.Unsafe<Temporal.Instant>({ type: 'string', format: 'date-time' })
const A_MONTH = `a month such as 2026-04, or a day in it, ${YEARS_TAKEN}`
export const PeriodText = Type.String({
  pattern: `${IN_OUR_YEARS}[0-9]{2}(-[0-9]{2})?$`,
  expected: A_MONTH,
  description: `A month, or any day in it: 2026-04 or 2026-04-17, ${YEARS_TAKEN}`,
  examples: ['2026-04'],
})
export const PeriodBody = Type.Object(
  { start: DateText, end: DateText },
  {
    additionalProperties: false,
    expected: '{"start": "2026-04-01", "end": "2026-05-01"}, of which the end is exclusive',
  },
)
export const PeriodOut = Type.Object({ start: DateOut, end: DateOut })
/** What is allowed, but seldom meant. */
export type Warning = { code: string; path: string; message: string }
export const WarningOut = Type.Object({ code: Type.String(), path: Type.String(), message: Type.String() })
/** Why something was done, for whoever reads it later. */
export const Reason = TextOf({ minLength: 1, maxLength: 500 })
/** A JSON object whose content is not ours to describe. */
export const AnyObject = Type.Unsafe<unknown>({ type: 'object', additionalProperties: true })

/** One of a few words. Unlike a union of literals, it is refused with one fault, which names them all. */
export const OneOf = <const Words extends readonly string[]>(
  words: Words,
  options: { default?: Words[number]; examples?: Words[number][] } & Pick<Wording, 'meant'> = {},
) => Type.Unsafe<Words[number]>({ type: 'string', enum: words, ...options })
export const Nullable = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: 'null' }] })
export const Body = <P extends Record<string, TSchema>>(properties: P, options: Pick<Wording, 'meant'> = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })
/** A body that may be left out. */
export const OptionalBody = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Unsafe<Static<Type.TObject<P>> | null>({ ...Body(properties), type: ['object', 'null'] })
/**
 * A body with what a caller might send. The examples of all routes are of one company and can be sent in order, which
 * `test/scenarios/examples.test.ts` does. `{boab~shop}` in one stands for the id of that tenant's deployment.
 */
export const Example = <T extends TSchema>(schema: T, ...examples: [Static<T>, ...Static<T>[]]) =>
  Type.Unsafe<Static<T>>({ ...schema, examples })
/** For a POST that says all in its path: an unknown field is refused here too. */
export const NoBody = Example(OptionalBody({}), {})
export const Query = <P extends Record<string, TSchema>>(properties: P) => Body(properties)
export const IdParams = Type.Object({ id: Id })

/** `{"data": …}` */
export const Data = <T extends TSchema>(schema: T) => Type.Object({ data: schema })
/** `{"data": […], "next_cursor": …}` */
export const List = <T extends TSchema>(schema: T) =>
  Type.Object({ data: Type.Array(schema), next_cursor: Nullable(Type.String()) })
export const ListQuery = {
  limit: Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT }),
  cursor: Type.Optional(TextOf()),
}

export type Page = { limit: number; cursor?: string }

/** The caller of a route that needs a token. */
export function callerOf(request: { caller: Caller | null }): Caller {
  if (request.caller === null) throw new Error('the route does not say who may call it')
  return request.caller
}

/**
 * Cuts `limit + 1` rows, ordered by `key`, to a page. Queries ask for one row more than the page holds and continue
 * strictly after the cursor.
 */
export function pageOf<R>(
  rows: readonly R[],
  limit: number,
  key: (row: R) => readonly string[],
): { data: R[]; next_cursor: string | null } {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  const more = rows.length > limit && last !== undefined
  return { data, next_cursor: more ? Buffer.from(JSON.stringify(key(last))).toString('base64url') : null }
}

type CursorKey<Parts extends readonly TString[]> = { [Part in keyof Parts]: string }

/**
 * The key that a cursor of `pageOf` holds, one schema per part: what a query compares with a column of another type than
 * text must be such a text. Throws `request/invalid`.
 */
export function readCursor<const Parts extends readonly TString[]>(
  cursor: string | undefined,
  parts: Parts,
): CursorKey<Parts> | undefined {
  if (cursor === undefined) return undefined
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (isCursorKey(key, parts)) return key
  } catch {
    // Falls through to the refusal.
  }
  throw invalidInput('The querystring is not valid.', [
    { path: 'cursor', message: 'must be the next_cursor of the page before, of this list; start again without it' },
  ])
}

function isCursorKey<Parts extends readonly TString[]>(key: unknown, parts: Parts): key is CursorKey<Parts> {
  return (
    Array.isArray(key) &&
    key.length === parts.length &&
    parts.every((part, index) => Value.Check(part, key[index]) && isStorableText(key[index]))
  )
}

export function readPeriodText(text: string, path = 'period'): Period {
  const month = parseMonth(text)
  if (!month)
    throw invalidInput('The period is not valid.', [{ path, message: `must be ${A_MONTH}; found ${quoted(text)}` }])
  return month
}

/** A period with a day in it; with `or_none`, also one without. Throws `request/invalid`. */
export function readPeriodBody(
  body: Static<typeof PeriodBody>,
  path: string,
  { or_none = false }: { or_none?: boolean } = {},
): Period {
  const read = { start: Temporal.PlainDate.from(body.start), end: Temporal.PlainDate.from(body.end) }
  if (Temporal.PlainDate.compare(read.start, read.end) >= (or_none ? 1 : 0)) {
    throw invalidInput('The request is not valid.', [
      { path: `${path}/end`, message: 'must be after start (the end is exclusive)' },
    ])
  }
  return read
}

/** A period of either spelling: a month, or its dates. Throws `request/invalid`. */
export function readPeriod(given: string | Static<typeof PeriodBody>, path: string): Period {
  return typeof given === 'string' ? readPeriodText(given, path) : readPeriodBody(given, path)
}

/** The currency, country or time zone, if it is one. Each throws `request/invalid` otherwise, with the nearest that is. */
export function requireCurrency(code: string, path: string): string {
  return isCurrency(code) ? code : refuse(path, expectedCurrency(code))
}

export function requireCountry(code: string, path: string): string {
  return isCountry(code) ? code : refuse(path, expectedCountry(code))
}

export function requireTimeZone(name: string, path: string): string {
  return isTimeZone(name) ? name : refuse(path, expectedTimeZone(name))
}

function refuse(path: string, expected: string): never {
  throw invalidInput('The request is not valid.', [{ path, message: `must be ${expected}` }])
}

/** The same answer for what does not exist and for what is not the caller's. */
export function found<T>(row: T | undefined, what: string): T {
  if (row === undefined) throw notFound(`No such ${what}.`)
  return row
}
