import { decimal, plain } from '../../kernel/decimal.ts'
import { YEAR_PATTERN } from '../../kernel/period.ts'

/**
 * One row of a bill, the same shape whether it came as JSON or as CSV. The CSV carries no resource ids.
 * `amount` is in USD; `duration` is a quantity whose unit is `duration_unit` in lower case (`hours`, `backups`), null
 * where the form does not name it.
 */
export type InvoiceItem = {
  readonly product: string
  readonly group_description: string | null
  readonly description: string
  readonly amount: string
  readonly duration: string | null
  readonly duration_unit: string | null
  readonly start: Temporal.Instant | null
  /** Exclusive. */
  readonly end: Temporal.Instant | null
  readonly project_name: string | null
  readonly category: string | null
  readonly resource_id: string | null
  readonly resource_uuid: string | null
  /** Columns of a file that nobody knows, as they were; null when there are none. */
  readonly extra: Readonly<Record<string, string>> | null
}

/** Digits that money may have: far above any real bill, far below what a column holds. */
export const NUMBER_PATTERN = '^-?\\d{1,15}(\\.\\d{1,12})?$'
/** Bytes and requests are counted in more digits than money, and averages are written with more places. */
export const QUANTITY_PATTERN = '^-?\\d{1,30}(\\.\\d{1,30})?$'
const QUANTITY = new RegExp(QUANTITY_PATTERN)
const MONEY = /^(-?)\$?(-?)(\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(\.\d{1,12})?$/
const TIMESTAMP = new RegExp(
  `^(${YEAR_PATTERN}-\\d{2}-\\d{2})[T ](\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?) ?(Z|UTC|[+-]\\d{2}:?\\d{2})$`,
)

/** `"13.270"` → `"13.27"`; undefined when it is not a plain decimal. */
export function readQuantity(text: string): string | undefined {
  return QUANTITY.test(text) ? normalized(text) : undefined
}

/** `$1,363.44`, `-$25.00`, `$-25.00`, `($25.00)` or the same without `$`; undefined when it is none of them. */
export function readMoney(text: string): string | undefined {
  const bracketed = /^\((.*)\)$/.exec(text)
  const match = MONEY.exec(bracketed?.[1] ?? text)
  if (!match) return undefined
  const [, outer, inner, whole = '', fraction = ''] = match
  const signs = [bracketed, outer, inner].filter(Boolean).length
  if (signs > 1) return undefined
  return normalized(`${signs === 1 ? '-' : ''}${whole.replaceAll(',', '')}${fraction}`)
}

/** Without zeros that say nothing. Most have none, and are as they are. */
function normalized(text: string): string {
  return NORMAL.test(text) ? text : plain(decimal(text))
}

const NORMAL = /^-?(?:[1-9]\d*|0(?=\.))(?:\.\d*[1-9])?$/

/** `2019-01-01 00:00:00 +0000` or RFC 3339; undefined when it is neither, no such day exists, or its year is not taken. */
export function readInstant(text: string): Temporal.Instant | undefined {
  const match = TIMESTAMP.exec(text)
  if (!match) return undefined
  const [, date, time, offset] = match
  try {
    return Temporal.Instant.from(`${date}T${time}${offset === 'UTC' ? 'Z' : offset}`)
  } catch {
    return undefined
  }
}

/** Volumes and taxes end at 23:59:59, droplets at the next midnight; both mean the same end, exclusive. */
export function exclusiveEnd(end: Temporal.Instant): Temporal.Instant {
  const { hour, minute, second } = end.toZonedDateTimeISO('UTC')
  const isLastSecond = hour === 23 && minute === 59 && second === 59
  return isLastSecond ? end.round({ smallestUnit: 'second', roundingMode: 'floor' }).add({ seconds: 1 }) : end
}
