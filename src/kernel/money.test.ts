import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal, plain } from './decimal.ts'
import { InvariantError } from './invariant.ts'
import {
  allMinorUnitPlaces,
  expectedCurrency,
  formatMinor,
  fromMinor,
  isCurrency,
  minorUnitPlaces,
  roundTogether,
  splitByLargestRemainder,
  toMinor,
} from './money.ts'

test('the minor unit is the currency’s own', () => {
  assert.equal(minorUnitPlaces('JPY'), 0)
  assert.equal(minorUnitPlaces('USD'), 2)
  assert.equal(minorUnitPlaces('AUD'), 2)
  assert.equal(minorUnitPlaces('BHD'), 3)
})

test('minor units are those of the published list of ISO 4217, whatever the runtime’s locale data say', () => {
  const file = fileURLToPath(import.meta.resolve('currency-codes/iso-4217-list-one.xml'))
  const entries = [...readFileSync(file, 'utf8').matchAll(/<Ccy>(\w+)<\/Ccy>[\s\S]*?<CcyMnrUnts>(.*?)<\/CcyMnrUnts>/g)]
  const listed = new Map(entries.map(([, code = '', places]) => [code, places === 'N.A.' ? undefined : Number(places)]))
  for (const [code, places] of listed) {
    assert.equal(isCurrency(code), places !== undefined, code)
    if (places !== undefined) assert.equal(minorUnitPlaces(code), places, code)
  }
  const others = Object.keys(allMinorUnitPlaces()).filter((code) => !listed.has(code))
  assert.deepEqual([listed.size > 170, others], [true, ['XCG']])
})

test('currencies that are written without a fraction are posted with the places of ISO 4217', () => {
  const two = 'AFN ALL COP HUF IDR IRR KPW LAK LBP MGA MMK PKR SOS SYP YER VED XCG'.split(' ')
  for (const code of two) assert.equal(minorUnitPlaces(code), 2, code)
  assert.deepEqual(['IQD', 'JPY', 'UYW'].map(minorUnitPlaces), [3, 0, 4])
})

test('only ISO 4217 codes in upper case that have a minor unit are currencies', () => {
  assert.equal(isCurrency('EUR'), true)
  for (const code of ['eur', 'EURO', '', 'ZZZ', 'XXX', 'XTS', 'XAU', 'HRK']) assert.equal(isCurrency(code), false, code)
  assert.throws(() => minorUnitPlaces('ZZZ'), InvariantError)
})

test('what is no currency is told the nearest one, by its name or its letters', () => {
  const nearestTo = (given: string) => /is (\w+)$/.exec(expectedCurrency(given))?.[1]
  assert.equal(expectedCurrency('aud'), 'three capital letters of ISO 4217; nearest to "aud" is AUD')
  assert.deepEqual(['Dollar', 'Euro', 'us dollar', 'US$', 'XYZ'].map(nearestTo), ['AUD', 'EUR', 'USD', 'USD', 'BYN'])
  assert.ok(expectedCurrency('a'.repeat(1_000_000)).length < 200)
})

test('an amount is rounded once, half up, away from zero', () => {
  assert.equal(toMinor(decimal('6.415'), 'AUD'), 642n)
  assert.equal(toMinor(decimal('6.4149999999'), 'AUD'), 641n)
  assert.equal(toMinor(decimal('-6.415'), 'AUD'), -642n)
  assert.equal(toMinor(decimal('0.5'), 'JPY'), 1n)
  assert.equal(toMinor(decimal('0.0005'), 'BHD'), 1n)
  assert.equal(toMinor(decimal('-0.001'), 'USD'), 0n)
})

test('rounding to minor units agrees with integer arithmetic', () => {
  const beyond = 10n ** 10n
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (units) => {
      const size = units < 0n ? -units : units
      const expected = ((size + beyond / 2n) / beyond) * (units < 0n ? -1n : 1n)
      assert.equal(toMinor(decimal(units).div(decimal(100n * beyond)), 'USD'), expected)
    }),
  )
})

test('minor units go to major units and back unchanged, whatever their size', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.constantFrom('JPY', 'USD', 'BHD'), (cents, currency) => {
      assert.equal(toMinor(fromMinor(cents, currency), currency), cents)
    }),
  )
  assert.equal(plain(fromMinor(7064n, 'USD')), '70.64')
  assert.equal(plain(fromMinor(7064n, 'JPY')), '7064')
  assert.equal(plain(fromMinor(7064n, 'BHD')), '7.064')
})

test('amounts are shown with the currency’s places and grouped thousands', () => {
  assert.equal(formatMinor(-1_234_567n, 'USD'), '-12,345.67')
  assert.equal(formatMinor(5n, 'USD'), '0.05')
  assert.equal(formatMinor(1_234_567n, 'JPY'), '1,234,567')
  assert.equal(formatMinor(1_000n, 'BHD'), '1.000')
})

const exactAmounts = fc.array(
  fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }).map((units) => decimal(units).div(decimal(100_000n))),
  { minLength: 1, maxLength: 30 },
)

test('amounts rounded together add up, each within one unit of its own', () => {
  fc.assert(
    fc.property(exactAmounts, fc.constantFrom('JPY', 'USD', 'BHD'), (amounts, currency) => {
      const total = toMinor(
        amounts.reduce((a, b) => a.plus(b)),
        currency,
      )
      const rounded = roundTogether(amounts, { total, currency })
      assert.equal(
        rounded.reduce((a, b) => a + b),
        total,
      )
      const unit = fromMinor(1n, currency)
      for (const [index, amount] of amounts.entries()) {
        const moved = amount.minus(fromMinor(rounded[index] ?? 0n, currency))
        assert.ok(moved.abs().lt(unit), `amount ${index}`)
      }
    }),
  )
})

test('amounts that are asked to add up to something else share the difference', () => {
  fc.assert(
    fc.property(exactAmounts, fc.bigInt({ min: -1000n, max: 1000n }), (amounts, total) => {
      const rounded = roundTogether(amounts, { total, currency: 'USD' })
      assert.equal(
        rounded.reduce((a, b) => a + b),
        total,
      )
    }),
  )
  assert.deepEqual(roundTogether([decimal('0.004'), decimal('0.004')], { total: 5n, currency: 'USD' }), [3n, 2n])
})

const weights = fc
  .array(
    fc.bigInt({ min: 0n, max: 10n ** 12n }).map((weight) => decimal(weight).div(decimal(1_000_000n))),
    { minLength: 1, maxLength: 30 },
  )
  .filter((list) => list.some((weight) => weight.gt(decimal('0'))))

test('the parts of a split add up exactly, and each is within one unit of its exact share', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), weights, (total, list) => {
      const parts = splitByLargestRemainder(total, list)
      assert.equal(
        parts.reduce((a, b) => a + b, 0n),
        total,
      )
      const whole = list.reduce((a, b) => a.plus(b))
      for (const [index, weight] of list.entries()) {
        // Multiplied out, so that the check itself does not round.
        const difference = decimal(parts[index] ?? 0n)
          .times(whole)
          .minus(decimal(total).times(weight))
        assert.ok(difference.abs().lt(whole), `part ${index}`)
      }
    }),
  )
})

test('what is left of a split goes to the largest remainders, the earlier one on a tie', () => {
  assert.deepEqual(split(100n, '1', '1', '1'), [34n, 33n, 33n])
  assert.deepEqual(split(-100n, '1', '1', '1'), [-34n, -33n, -33n])
  assert.deepEqual(split(10n, '1', '2', '0'), [3n, 7n, 0n])
  assert.deepEqual(split(0n, '1', '2'), [0n, 0n])
})

test('a split without weight, or with a negative one, is a bug', () => {
  assert.throws(() => splitByLargestRemainder(1n, []), InvariantError)
  assert.throws(() => splitByLargestRemainder(1n, [decimal('0')]), InvariantError)
  assert.throws(() => splitByLargestRemainder(1n, [decimal('-1'), decimal('2')]), InvariantError)
})

function split(total: bigint, ...weights: string[]): bigint[] {
  return splitByLargestRemainder(
    total,
    weights.map((weight) => decimal(weight)),
  )
}
