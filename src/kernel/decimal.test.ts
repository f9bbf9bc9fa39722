import assert from 'node:assert/strict'
import { test } from 'node:test'
import Big from 'big.js'
import fc from 'fast-check'
import {
  decimal,
  fixed,
  fromUnits,
  isDecimalText,
  larger,
  ONE,
  fitsContract,
  plain,
  readDecimal,
  round,
  roundPrecise,
  roundUp,
  share,
  smaller,
  sum,
  toUnits,
  ZERO,
} from './decimal.ts'

/** A decimal as an integer count of its last place, so that tests can check it with bigints. */
const scaled = fc.record({
  units: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
  places: fc.integer({ min: 0, max: 12 }),
})

test('sums and products are exact where binary floating point is not', () => {
  assert.equal(plain(decimal('0.1').plus(decimal('0.2'))), '0.3')
  assert.equal(plain(decimal('0.07').times(decimal('100'))), '7')
  assert.equal(
    plain(decimal('123456789012345678901234567890').times(decimal('0.000000000001'))),
    '123456789012345678.90123456789',
  )
})

test('sums, differences, products, quotients and rounding are those of a decimal library', () => {
  const Library = Big()
  Library.DP = 36
  Library.RM = Big.roundHalfUp
  fc.assert(
    fc.property(scaled, scaled, fc.integer({ min: 0, max: 20 }), (left, right, places) => {
      const [a, b] = [left, right].map(({ units, places: of }) => textOf(units, of)) as [string, string]
      const [x, y] = [new Library(a), new Library(b)]
      assert.equal(plain(decimal(a).plus(decimal(b))), x.plus(y).toFixed())
      assert.equal(plain(decimal(a).minus(decimal(b))), x.minus(y).toFixed())
      assert.equal(plain(decimal(a).times(decimal(b))), x.times(y).toFixed())
      assert.equal(decimal(a).cmp(decimal(b)), x.cmp(y))
      assert.equal(plain(decimal(a).round(places)), x.round(places, Big.roundHalfUp).toFixed())
      if (!y.eq(0)) assert.equal(plain(decimal(a).div(decimal(b))), x.div(y).toFixed())
    }),
  )
})

test('a sum is the sum of the integers behind it', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n })), (units) => {
      const total = units.reduce((a, b) => a + b, 0n)
      assert.equal(plain(sum(units.map((unit) => decimal(textOf(unit, 12))))), plain(decimal(textOf(total, 12))))
    }),
  )
})

test('plain text comes back as it went in, without trailing zeros or exponents', () => {
  assert.equal(plain(decimal('50.00')), '50')
  assert.equal(plain(decimal('-3.50')), '-3.5')
  assert.equal(plain(decimal('0.000000000001')), '0.000000000001')
  assert.equal(plain(decimal('1000000000000000000000000')), '1000000000000000000000000')
  assert.equal(plain(decimal('-0')), '0')
  assert.equal(plain(decimal(12n)), '12')
})

test('numbers, exponents and anything else that is not plain notation are refused', () => {
  for (const text of ['', ' 1', '1 ', '1e3', '0x10', '+1', '.5', '5.', '1,000', 'NaN', 'Infinity', '１', '1\n']) {
    assert.equal(isDecimalText(text), false, JSON.stringify(text))
    assert.throws(() => decimal(text), RangeError, JSON.stringify(text))
  }
  // @ts-expect-error a number has already lost its exactness
  assert.throws(() => decimal(0.1))
  // @ts-expect-error as above
  assert.throws(() => ONE.plus(0.1))
})

test('a program may write a decimal with an exponent, and gets exactly that value', () => {
  const shown = (text: string) => {
    const read = readDecimal(text)
    return read && plain(read)
  }
  const cases: [string, string | undefined][] = [
    ['2e-05', '0.00002'],
    ['1E-7', '0.0000001'],
    ['1.5E-06', '0.0000015'],
    ['-4.20e+3', '-4200'],
    ['0E-10', '0'],
    ['.5', '0.5'],
    ['12.50', '12.5'],
    ['1e999999999', undefined],
    ['1e41', undefined],
    ['e5', undefined],
    ['1e', undefined],
    ['1.e5', undefined],
    ['+1', undefined],
    ['0x10', undefined],
    ['1,5', undefined],
    [' 1', undefined],
    ['', undefined],
    ['-', undefined],
    ['NaN', undefined],
  ]
  for (const [text, value] of cases) assert.equal(shown(text), value, text)
  fc.assert(
    fc.property(scaled, fc.integer({ min: -12, max: 12 }), ({ units, places }, shift) => {
      const text = `${textOf(units, places)}e${shift}`
      const moved = shift >= 0 ? decimal(10n ** BigInt(shift)) : fromUnits(1n, -shift)
      assert.equal(shown(text), plain(decimal(textOf(units, places)).times(moved)))
    }),
  )
})

test('what the contract can spell has at most 15 digits before the point and 20 after it', () => {
  for (const [text, expected] of [
    ['999999999999999.00000000000000000001', true],
    ['1e15', false],
    ['-1E-20', true],
    ['1E-21', false],
  ] as const) {
    assert.equal(fitsContract(readDecimal(text) ?? ZERO), expected, text)
  }
})

test('a quotient has 36 places, rounded half up', () => {
  assert.equal(plain(ONE.div(decimal('3'))), `0.${'3'.repeat(36)}`)
  assert.equal(plain(decimal('2').div(decimal('3'))), `0.${'6'.repeat(35)}7`)
  assert.equal(plain(decimal('-2').div(decimal('3'))), `-0.${'6'.repeat(35)}7`)
})

test('a quotient is the nearest of its last place, and a division by 0 is refused', () => {
  const last = 10n ** 36n
  fc.assert(
    fc.property(scaled, scaled, (a, b) => {
      fc.pre(b.units !== 0n)
      const [dividend, divisor] = [a, b].map(({ units, places }) => decimal(textOf(units, places)))
      assert.ok(dividend && divisor)
      const off = dividend.div(divisor).times(divisor).minus(dividend).abs()
      assert.ok(off.times(decimal(2n * last)).lte(divisor.abs()))
    }),
  )
  assert.throws(() => ONE.div(decimal('0')), RangeError)
})

test('what is left of a division has the sign of the whole and is smaller than the part', () => {
  fc.assert(
    fc.property(scaled, scaled, (a, b) => {
      fc.pre(b.units !== 0n)
      const whole = decimal(textOf(a.units, a.places))
      const part = decimal(textOf(b.units, b.places))
      const rest = whole.mod(part)
      const times = whole.minus(rest).div(part)
      assert.ok(times.eq(times.truncated()) && rest.abs().lt(part.abs()))
      assert.ok(rest.eq(ZERO) || rest.gt(ZERO) === whole.gt(ZERO))
    }),
  )
})

test('units are counted in the last place, rounded half up', () => {
  assert.equal(plain(fromUnits(7064n, 2)), '70.64')
  assert.equal(toUnits(decimal('-70.645'), 2), -7065n)
  assert.equal(toUnits(decimal('70.6'), 2), 7060n)
})

test('a quotient times any price is right at 20 places, as if it were divided last', () => {
  const seconds = fc.bigInt({ min: 1n, max: 366n * 86_400n })
  const price = fc.bigInt({ min: 1n, max: 10n ** 27n - 1n })
  fc.assert(
    fc.property(seconds, price, (part, units) => {
      const unit_price = decimal(textOf(units, 12))
      const first = decimal(part).div(decimal('3600')).times(unit_price)
      const last = share(unit_price, decimal(part), decimal('3600'))
      assert.equal(plain(roundPrecise(first)), plain(roundPrecise(last)))
    }),
  )
})

test('a share divides last, and the whole is returned untouched', () => {
  assert.equal(plain(share(decimal('50'), decimal('15'), decimal('30'))), '25')
  assert.equal(plain(share(decimal('10'), decimal('1'), decimal('3'))), `3.${'3'.repeat(36)}`)
  assert.equal(
    plain(share(decimal('0.1234567890123456789012345'), decimal('7'), decimal('7'))),
    '0.1234567890123456789012345',
  )
})

test('rounding is half up, away from zero', () => {
  const cases: [string, number, string][] = [
    ['0.005', 2, '0.01'],
    ['-0.005', 2, '-0.01'],
    ['0.0049999999999999999999', 2, '0'],
    ['-0.004', 2, '0'],
    ['2.5', 0, '3'],
    ['-2.5', 0, '-3'],
    ['1.0005', 3, '1.001'],
  ]
  for (const [from, places, to] of cases) assert.equal(plain(round(decimal(from), places)), to, from)
})

test('rounding agrees with integer arithmetic', () => {
  fc.assert(
    fc.property(scaled, fc.integer({ min: 0, max: 12 }), ({ units, places }, kept) => {
      const unit = 10n ** BigInt(Math.max(places - kept, 0))
      const size = units < 0n ? -units : units
      const rounded = ((size + unit / 2n) / unit) * (units < 0n ? -1n : 1n)
      const expected = decimal(textOf(rounded * (places < kept ? 10n ** BigInt(kept - places) : 1n), kept))
      assert.equal(plain(round(decimal(textOf(units, places)), kept)), plain(expected))
    }),
  )
})

test('fixed notation keeps its places, and zero has no sign', () => {
  assert.equal(fixed(decimal('24'), 2), '24.00')
  assert.equal(fixed(decimal('24.005'), 2), '24.01')
  assert.equal(fixed(decimal('-0.004'), 2), '0.00')
  assert.equal(fixed(decimal('7'), 0), '7')
})

test('rounding up reaches the next whole number and leaves whole ones alone', () => {
  assert.equal(plain(roundUp(decimal('1.0000000001'))), '2')
  assert.equal(plain(roundUp(decimal('2'))), '2')
  assert.equal(plain(roundUp(decimal('0'))), '0')
})

test('the smaller and the larger of two', () => {
  assert.equal(plain(smaller(decimal('-1'), decimal('0.5'))), '-1')
  assert.equal(plain(larger(decimal('-1'), decimal('0.5'))), '0.5')
})

function textOf(units: bigint, places: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0')
  const cut = digits.length - places
  return `${units < 0n ? '-' : ''}${digits.slice(0, cut)}${places === 0 ? '' : `.${digits.slice(cut)}`}`
}
