import { type TSchema, Type } from 'typebox'

import { decimal, plain } from '../../kernel/decimal.ts'
import { NUMBER_PATTERN, QUANTITY_PATTERN } from './item.ts'

/** What the answers of the API have in common: how their fields are checked, and how they become values of ours. */

/** Amounts are strings, as documented: a JSON number has already been through binary floating point. */
export const Amount = Type.String({ pattern: NUMBER_PATTERN })
export const Quantity = Type.String({ pattern: QUANTITY_PATTERN })
export const Time = Type.String({ format: 'date-time' })
export const Identifier = Type.Union([Type.String(), Type.Integer()])

/** Left out, null and blank are three spellings of the same in this API. */
export const Maybe = <T extends TSchema>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Literal(''), Type.Null()]))

/** `links` may be `{}` or missing on a last page. */
export const Links = Type.Optional(Type.Object({ pages: Type.Optional(Type.Object({ next: Maybe(Type.String()) })) }))

export function normalised(amount: string): string {
  return plain(decimal(amount))
}

export function textOrNull(value: string | number | null | undefined): string | null {
  return value === null || value === undefined || value === '' ? null : String(value)
}

export function instantOrNull(value: string | null | undefined): Temporal.Instant | null {
  return value ? Temporal.Instant.from(value) : null
}
