import Big from 'big.js'

/**
 * An exact decimal. Sums, differences and products are exact; a quotient is rounded half up at
 * QUOTIENT_PLACES and nowhere else. Binary floating point cannot get in: strict mode refuses numbers.
 */
export type Decimal = Big

/**
 * Digits after the point of a quotient: so many that a quotient times a price of 15 digits is off by less than half of
 * the last place that a posted amount is first rounded to. See `roundPrecise`.
 */
const QUOTIENT_PLACES = 36

/** Digits before the point of a decimal that comes in: the product of two, and sums of them, stay far from any limit. */
const WHOLE_MAX_DIGITS = 15
/** Digits after the point of a decimal that comes in or goes out. */
const FRACTION_MAX_DIGITS = 20

const Exact = Big()
Exact.strict = true
Exact.DP = QUOTIENT_PLACES
Exact.RM = Exact.roundHalfUp
// Plain notation for every value that a numeric column can hold; `1e+21` is not a decimal string.
Exact.NE = -1_000
Exact.PE = 1_000

/** A decimal string as the contract spells it: at most 15 digits before the point and 20 after it. */
export const DECIMAL_PATTERN = `^-?${unsignedDecimal(FRACTION_MAX_DIGITS)}$`
/** The same without a sign. */
export const UNSIGNED_DECIMAL_PATTERN = `^${unsignedDecimal(FRACTION_MAX_DIGITS)}$`
/** The same above 0. */
export const POSITIVE_DECIMAL_PATTERN = `^(?=.*[1-9])${unsignedDecimal(FRACTION_MAX_DIGITS)}$`
/** The same with at most `places` digits after the point. */
export const unsignedDecimalPattern = (places: number): string => `^${unsignedDecimal(places)}$`

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

/**
 * Half up at 20 places, the most that leaves the program. What a quotient has lost lies far beyond them, so an amount
 * that is a tie in truth (20 minutes at 0.015 an hour: half a cent) is one again.
 */
export function roundPrecise(value: Decimal): Decimal {
  return round(value, FRACTION_MAX_DIGITS)
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

function unsignedDecimal(places: number): string {
  return `[0-9]{1,${WHOLE_MAX_DIGITS}}(\\.[0-9]{1,${places}})?`
}
