import { data as published } from 'currency-codes'
import { type Decimal, decimal, fromUnits, plain, roundPrecise, toUnits, ZERO } from './decimal.ts'
import { invariant, present } from './invariant.ts'
import { nearest, quoted } from './nearest.ts'

/** An ISO 4217 code in upper case. */
export type Currency = string

/** Younger than the list. Source: ISO 4217, in force since 2025-03-31 for Curaçao and Sint Maarten. */
const ADDED = [{ code: 'XCG', currency: 'Caribbean Guilder', digits: 2 }]
/** Metals, units of account, "testing" and "no currency": ISO 4217 gives them no minor unit, so nothing is posted in them. */
const WITHOUT_MINOR_UNIT = /^X(A[GU]|B[A-D]|DR|P[DT]|SU|TS|UA|XX)$/

/**
 * Source: ISO 4217, list one, as the package publishes it (its `publishDate`). Not the runtime's locale data, which tells
 * how amounts are usually written: HUF, IDR and COP without a fraction, and another runtime may tell something else.
 */
const CURRENCIES = [...published, ...ADDED]
  .filter(({ code }) => !WITHOUT_MINOR_UNIT.test(code))
  .toSorted((a, b) => (a.code < b.code ? -1 : 1))
const PLACES: ReadonlyMap<Currency, number> = new Map(CURRENCIES.map(({ code, digits }) => [code, digits]))

export function isCurrency(code: string): boolean {
  return PLACES.has(code)
}

/** What a text that is no currency should have been, for its refusal. */
export function expectedCurrency(given: string): string {
  if (given === '') return 'three capital letters of ISO 4217 such as AUD'
  return `three capital letters of ISO 4217; nearest to ${quoted(given)} is ${nearestCurrency(given)}`
}

/** By name where it is one (`Dollar` → AUD, the first dollar of the list), else by its letters. */
function nearestCurrency(given: string): Currency {
  const text = given.trim().toLowerCase()
  const named =
    CURRENCIES.find(({ currency }) => currency.toLowerCase() === text) ??
    CURRENCIES.find(({ currency }) => currency.toLowerCase().split(' ').includes(text))
  return named?.code ?? nearest(given, [...PLACES.keys()]).candidate
}

/** Digits of the minor unit (JPY 0, USD 2, BHD 3). */
export function minorUnitPlaces(currency: Currency): number {
  return present(PLACES.get(currency), `unknown currency ${currency}`)
}

/** Of every currency, for a query that compares what was stored with it. */
export function allMinorUnitPlaces(): Record<Currency, number> {
  return Object.fromEntries(PLACES)
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
 * Amounts in major units as minor units that add up to `total`, which is about what the exact amounts add up to. Each is
 * its amount rounded half up; what is then still wrong is put right, a unit each, where rounding has moved most (the
 * earlier one on a tie), and a unit more each where there are more units than amounts.
 */
export function roundTogether(
  amounts: readonly Decimal[],
  { total, currency }: { total: bigint; currency: Currency },
): bigint[] {
  const rounded = amounts.map((amount) => toMinor(amount, currency))
  const wrong = total - rounded.reduce((acc, part) => acc + part, 0n)
  if (wrong === 0n) return rounded
  invariant(rounded.length > 0, 'only an amount can take what is left')
  const step = wrong < 0n ? -1n : 1n
  const moved = amounts.map((amount, index) => ({
    index,
    by: amount.minus(fromMinor(rounded[index] ?? 0n, currency)).times(decimal(step)),
  }))
  const byMove = moved.toSorted((a, b) => b.by.cmp(a.by) || a.index - b.index)
  const [each, more] = [(wrong * step) / BigInt(byMove.length), (wrong * step) % BigInt(byMove.length)]
  for (const [place, { index }] of byMove.entries()) {
    rounded[index] = (rounded[index] ?? 0n) + step * (BigInt(place) < more ? each + 1n : each)
  }
  return rounded
}

/**
 * Splits `total` by `weights` (none negative, not all 0) so that the parts add up to it exactly: each part gets its
 * floor, and what is left goes, a unit each, to the largest remainders (the earlier one on a tie).
 */
export function splitByLargestRemainder(total: bigint, weights: readonly Decimal[]): bigint[] {
  invariant(
    weights.every((weight) => weight.gte(ZERO)),
    'no weight may be negative',
  )
  const wholeWeights = wholeNumbersOf(weights)
  const whole = wholeWeights.reduce((acc, weight) => acc + weight, 0n)
  invariant(whole > 0n, 'weights must add up to more than 0')
  const sign = total < 0n ? -1n : 1n
  const parts = wholeWeights.map((weight, index) => {
    const share = total * sign * weight
    return { index, floor: share / whole, remainder: share % whole }
  })
  let left = total * sign - parts.reduce((acc, part) => acc + part.floor, 0n)
  const byRemainder = parts.toSorted((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  )
  const result = parts.map((part) => part.floor)
  for (const part of byRemainder) {
    if (left === 0n) break
    result[part.index] = part.floor + 1n
    left -= 1n
  }
  return result.map((part) => part * sign)
}

/** In the same proportion to each other. */
function wholeNumbersOf(weights: readonly Decimal[]): bigint[] {
  const texts = weights.map(plain)
  const places = Math.max(0, ...texts.map((text) => text.split('.')[1]?.length ?? 0))
  return texts.map((text) => {
    const [digits = '0', fraction = ''] = text.split('.')
    return BigInt(digits + fraction.padEnd(places, '0'))
  })
}
