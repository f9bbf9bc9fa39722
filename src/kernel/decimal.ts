/**
 * Digits after the point of a quotient: so many that a quotient times a price of 15 digits is off by less than half of
 * the last place that a posted amount is first rounded to. See `roundPrecise`.
 */
const QUOTIENT_PLACES = 36

/** Digits before the point of a decimal that comes in: the product of two, and sums of them, stay far from any limit. */
const WHOLE_MAX_DIGITS = 15
/** Digits after the point of a decimal that comes in or goes out. */
const FRACTION_MAX_DIGITS = 20

/** What the contract takes of a decimal, in words. */
export const CONTRACT_DIGITS = `at most ${WHOLE_MAX_DIGITS} digits before the point and ${FRACTION_MAX_DIGITS} after it`
/** A decimal string as the contract spells it: see CONTRACT_DIGITS. */
export const DECIMAL_PATTERN = `^-?${unsignedDecimal(FRACTION_MAX_DIGITS)}$`
const DECIMAL_OF_CONTRACT = new RegExp(DECIMAL_PATTERN)
/** The same without a sign. */
export const UNSIGNED_DECIMAL_PATTERN = `^${unsignedDecimal(FRACTION_MAX_DIGITS)}$`
/** The same above 0. */
export const POSITIVE_DECIMAL_PATTERN = `^(?=.*[1-9])${unsignedDecimal(FRACTION_MAX_DIGITS)}$`

const DECIMAL = new RegExp('^-?[0-9]+(\\.[0-9]+)?$')

export function isDecimalText(text: string): boolean {
  return DECIMAL.test(text)
}

/** `text` in plain notation (`"0.01"`, `"-3"`), or a whole number. Throws RangeError on anything else. */
export function decimal(text: string | bigint): Decimal {
  if (typeof text === 'bigint') return new Exact(text, 0)
  if (!isDecimalText(text)) throw new RangeError(`not a decimal: ${JSON.stringify(text)}`)
  const point = text.indexOf('.')
  if (point === -1) return new Exact(BigInt(text), 0)
  const fraction = text.slice(point + 1)
  return new Exact(BigInt(text.slice(0, point) + fraction), fraction.length)
}

/** Beyond it a number is 0 or absurd; without a limit `1e999999999` would be written out. */
const EXPONENT_MAX = 40
/** What `readDecimal` may read. */
export const WRITTEN_DECIMAL_PATTERN = '^(-?)([0-9]{0,40})(?:\\.([0-9]{1,40}))?(?:[eE]([+-]?[0-9]{1,2}))?$'
const WRITTEN = new RegExp(WRITTEN_DECIMAL_PATTERN)

/**
 * A decimal as programs write it: plain, without a digit before the point (`".5"`), or with an exponent (`"2e-05"`,
 * `"1.5E-06"`). Exactly that value; undefined for anything else. What people type comes in plain notation (`decimal`).
 */
export function readDecimal(text: string): Decimal | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = WRITTEN.exec(text) ?? []
  if (whole === '' && fraction === '') return undefined
  const shift = Number(exponent)
  if (shift > EXPONENT_MAX || shift < -EXPONENT_MAX) return undefined
  const units = BigInt(`${whole}${fraction}`)
  const places = fraction.length - shift
  const signed = sign === '' ? units : -units
  return places >= 0 ? new Exact(signed, places) : new Exact(signed * powerOfTen(-places), 0)
}

/** Whether the contract can spell it: see CONTRACT_DIGITS. */
export function fitsContract(value: Decimal): boolean {
  return DECIMAL_OF_CONTRACT.test(plain(value))
}

/** `units` counted in the last of `places` digits after the point: 7064 at 2 places is 70.64. */
export function fromUnits(units: bigint, places: number): Decimal {
  return new Exact(units, places)
}

/** How many of the last of `places` digits after the point `value` is, rounded half up: 70.64 at 2 places is 7064. */
export function toUnits(value: Decimal, places: number): bigint {
  return value.round(places).unitsAt(places)
}

/**
 * An exact decimal: an integer count of its last place. Sums, differences and products are exact; a quotient is rounded
 * half up at QUOTIENT_PLACES and nowhere else. Binary floating point cannot get in: a number has no units and throws.
 */
class Exact {
  private readonly units: bigint
  private readonly places: number

  constructor(units: bigint, places: number) {
    this.units = units
    this.places = places
  }

  plus(other: Exact): Exact {
    if (this.places === other.places) return new Exact(this.units + other.units, this.places)
    const places = Math.max(this.places, other.places)
    return new Exact(this.unitsAt(places) + other.unitsAt(places), places)
  }

  minus(other: Exact): Exact {
    if (this.places === other.places) return new Exact(this.units - other.units, this.places)
    const places = Math.max(this.places, other.places)
    return new Exact(this.unitsAt(places) - other.unitsAt(places), places)
  }

  times(other: Exact): Exact {
    return new Exact(this.units * other.units, this.places + other.places)
  }

  /** Throws RangeError when `other` is 0. */
  div(other: Exact): Exact {
    const places = this.places - other.places
    if (places >= 0 && places <= QUOTIENT_PLACES && this.units % other.units === 0n)
      return new Exact(this.units / other.units, places)
    const shift = QUOTIENT_PLACES - places
    const dividend = shift > 0 ? this.units * powerOfTen(shift) : this.units
    const divisor = shift < 0 ? other.units * powerOfTen(-shift) : other.units
    return new Exact(halfUp(dividend, divisor), QUOTIENT_PLACES)
  }

  /** What is left of this after taking `other` away as often as it goes, with the sign of this. */
  mod(other: Exact): Exact {
    const places = Math.max(this.places, other.places)
    return new Exact(this.unitsAt(places) % other.unitsAt(places), places)
  }

  neg(): Exact {
    return new Exact(-this.units, this.places)
  }

  abs(): Exact {
    return this.units < 0n ? this.neg() : this
  }

  cmp(other: Exact): -1 | 0 | 1 {
    const places = Math.max(this.places, other.places)
    const units = this.unitsAt(places)
    const others = other.unitsAt(places)
    if (units === others) return 0
    return units < others ? -1 : 1
  }

  eq(other: Exact): boolean {
    return this.cmp(other) === 0
  }

  gt(other: Exact): boolean {
    return this.cmp(other) > 0
  }

  gte(other: Exact): boolean {
    return this.cmp(other) >= 0
  }

  lt(other: Exact): boolean {
    return this.cmp(other) < 0
  }

  lte(other: Exact): boolean {
    return this.cmp(other) <= 0
  }

  /** Half up, away from zero, to at most `places` digits after the point. */
  round(places: number): Exact {
    if (this.places <= places) return this
    return new Exact(halfUp(this.units, powerOfTen(this.places - places)), places)
  }

  /** Without what is after the point. */
  truncated(): Exact {
    return new Exact(this.units / powerOfTen(this.places), 0)
  }

  /** The integer count of the last of `places`, of which there must not be fewer than there are digits. */
  unitsAt(places: number): bigint {
    return places === this.places ? this.units : this.units * powerOfTen(places - this.places)
  }

  /** With exactly `places` digits after the point, rounded half up. */
  toFixed(places: number): string {
    const units = this.round(places).unitsAt(places)
    if (places === 0) return units.toString()
    const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0')
    return `${units < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`
  }

  /** Plain notation without trailing zeros. */
  toString(): string {
    if (this.places === 0 || this.units === 0n) return this.units.toString()
    const sign = this.units < 0n ? '-' : ''
    const digits = (this.units < 0n ? -this.units : this.units).toString()
    let { places } = this
    let end = digits.length
    while (places > 0 && digits.charCodeAt(end - 1) === ZERO_SIGN) {
      places -= 1
      end -= 1
    }
    if (places === 0) return sign + digits.slice(0, end)
    const point = end - places
    if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits.slice(0, end)}`
    return `${sign}${digits.slice(0, point)}.${digits.slice(point, end)}`
  }
}

export type Decimal = Exact

const ZERO_SIGN = '0'.charCodeAt(0)
const powers: bigint[] = []

function powerOfTen(exponent: number): bigint {
  const known = powers[exponent]
  if (known !== undefined) return known
  const power = 10n ** BigInt(exponent)
  powers[exponent] = power
  return power
}

/** The quotient of two integers, rounded half up, away from zero. */
function halfUp(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const rest = dividend - quotient * divisor
  const twice = rest < 0n ? -2n * rest : 2n * rest
  if (twice < (divisor < 0n ? -divisor : divisor)) return quotient
  return dividend < 0n === divisor < 0n ? quotient + 1n : quotient - 1n
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
  return value.round(places)
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
  const whole = value.truncated()
  return whole.lt(value) ? whole.plus(ONE) : whole
}

/** Plain notation with exactly `places` digits after the point, rounded half up: `"24.00"`. */
export function fixed(value: Decimal, places: number): string {
  return value.toFixed(places)
}

/** Plain notation without an exponent and without trailing zeros: `"0.01"`, `"672"`, `"-3.5"`. */
export function plain(value: Decimal): string {
  return value.toString()
}

function unsignedDecimal(places: number): string {
  return `[0-9]{1,${WHOLE_MAX_DIGITS}}(\\.[0-9]{1,${places}})?`
}
