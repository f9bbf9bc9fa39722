import { type Decimal, decimal, fromUnits, roundPrecise, sum, toUnits, ZERO } from './decimal.ts'
import { invariant } from './invariant.ts'

/** An ISO 4217 code in upper case. */
export type Currency = string

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'))
const places = new Map<Currency, number>()

export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code)
}

/** Digits of the minor unit (JPY 0, USD 2, BHD 3). Source: ISO 4217, as the runtime's Intl carries it. */
export function minorUnitPlaces(currency: Currency): number {
  const known = places.get(currency)
  if (known !== undefined) return known
  invariant(isCurrency(currency), `unknown currency ${currency}`)
  const digits =
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  places.set(currency, digits)
  return digits
}

/**
 * Major units to integer minor units, rounded half up: the one place where a line is rounded. At 20 places first, which
 * undoes what quotients have lost and so decides a tie as the exact amount would.
 */
export function toMinor(amount: Decimal, currency: Currency): bigint {
  return toUnits(roundPrecise(amount), minorUnitPlaces(currency))
}

/** Integer minor units to major units, exact. */
export function fromMinor(cents: bigint, currency: Currency): Decimal {
  return fromUnits(cents, minorUnitPlaces(currency))
}

/**
 * Minor units as the JSON integer that the contract asks for, where only a number will do. Exact up to 2^53 − 1, which
 * no invoice exceeds.
 */
export function jsonInteger(cents: bigint): number {
  return Number(cents)
}

/** `-1234567n` USD → `"-12,345.67"`: for people, never for machines. */
export function formatMinor(cents: bigint, currency: Currency): string {
  const digits = minorUnitPlaces(currency)
  const unsigned = (cents < 0n ? -cents : cents).toString().padStart(digits + 1, '0')
  const whole = unsigned.slice(0, unsigned.length - digits).replace(/\B(?=(\d{3})+$)/g, ',')
  const fraction = digits === 0 ? '' : `.${unsigned.slice(-digits)}`
  return `${cents < 0n ? '-' : ''}${whole}${fraction}`
}

/**
 * Splits `total` by `weights` (none negative, not all 0) so that the parts add up to it exactly: each part gets its
 * floor, and what is left goes, a unit each, to the largest remainders (the earlier one on a tie).
 */
export function splitByLargestRemainder(total: bigint, weights: readonly Decimal[]): bigint[] {
  const whole = sum(weights)
  invariant(
    weights.every((weight) => weight.gte(ZERO)),
    'no weight may be negative',
  )
  invariant(whole.gt(ZERO), 'weights must add up to more than 0')
  const sign = total < 0n ? -1n : 1n
  const size = decimal(total * sign)
  const parts = weights.map((weight, index) => {
    const exact = size.times(weight).div(whole)
    const floor = exact.truncated()
    return { index, floor: toUnits(floor, 0), remainder: exact.minus(floor) }
  })
  let left = total * sign - parts.reduce((acc, part) => acc + part.floor, 0n)
  const byRemainder = parts.toSorted((a, b) => b.remainder.cmp(a.remainder) || a.index - b.index)
  const result = parts.map((part) => part.floor)
  for (const part of byRemainder) {
    if (left === 0n) break
    result[part.index] = part.floor + 1n
    left -= 1n
  }
  return result.map((part) => part * sign)
}
