import Big from 'big.js'

/**
 * An exact decimal. Sums, differences and products are exact; a quotient is rounded half up at
 * QUOTIENT_PLACES and nowhere else. Binary floating point cannot get in: strict mode refuses numbers.
 */
export type Decimal = Big

/**
 * Digits after the point of a quotient. A price times days over days in a period is a fraction with a
 * denominator below 1,000, so it is never within 10^-20 of a rounding tie without being one.
 */
export const QUOTIENT_PLACES = 20

const Exact = Big()
Exact.strict = true
Exact.DP = QUOTIENT_PLACES
Exact.RM = Exact.roundHalfUp
// Plain notation for every value that a numeric column can hold; `1e+21` is not a decimal string.
Exact.NE = -1_000
Exact.PE = 1_000

/** A decimal string as the contract spells it: at most 20 digits before the point and 20 after it. */
export const DECIMAL_PATTERN = '^-?[0-9]{1,20}(\\.[0-9]{1,20})?$'
/** The same without a sign. */
export const UNSIGNED_DECIMAL_PATTERN = '^[0-9]{1,20}(\\.[0-9]{1,20})?$'

const DECIMAL = new RegExp('^-?[0-9]+(\\.[0-9]+)?$')

export function isDecimalText(text: string): boolean {
  return DECIMAL.test(text)
}

/** `text` in plain notation (`"0.01"`, `"-3"`), or a whole number. Throws RangeError on anything else. */
export function decimal(text: string | bigint): Decimal {
  const plain = typeof text === 'bigint' ? text.toString() : text
  if (!isDecimalText(plain)) throw new RangeError(`not a decimal: ${JSON.stringify(plain)}`)
  return new Exact(plain)
}

export const ZERO = decimal('0')
export const ONE = decimal('1')

export function sum(values: Iterable<Decimal>): Decimal {
  let total = ZERO
  for (const value of values) total = total.plus(value)
  return total
}

export function smaller(a: Decimal, b: Decimal): Decimal {
  return a.lte(b) ? a : b
}

export function larger(a: Decimal, b: Decimal): Decimal {
  return a.gte(b) ? a : b
}

/** `value × part ÷ whole`, dividing last. `whole` must not be 0. */
export function share(value: Decimal, part: Decimal, whole: Decimal): Decimal {
  return part.eq(whole) ? value : value.times(part).div(whole)
}

/** Half up, away from zero, to `places` digits after the point. */
export function round(value: Decimal, places: number): Decimal {
  return value.round(places, Exact.roundHalfUp)
}

/** The least whole number that is not below `value`, for `value` ≥ 0. */
export function roundUp(value: Decimal): Decimal {
  return value.round(0, Exact.roundUp)
}

/** Plain notation with exactly `places` digits after the point, rounded half up: `"24.00"`. */
export function fixed(value: Decimal, places: number): string {
  // Minus zero has a sign in fixed notation; `0` plus it has none.
  return ZERO.plus(round(value, places)).toFixed(places)
}

/** Plain notation without an exponent and without trailing zeros: `"0.01"`, `"672"`, `"-3.5"`. */
export function plain(value: Decimal): string {
  const text = value.toFixed()
  return text === '-0' ? '0' : text
}
