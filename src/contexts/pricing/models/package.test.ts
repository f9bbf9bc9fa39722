import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal } from '../../../kernel/decimal.ts'
import { prices, quantities, sizes } from '../facts.fixture.ts'
import { packageRater } from './package.ts'

const TEN_FOR_100 = { model: 'package' as const, package_size: '10', package_price: '100' }

test('a package that is begun is charged whole', () => {
  assert.equal(packageRater(TEN_FOR_100)(decimal('111')).amount.toString(), '1200')
  assert.equal(packageRater(TEN_FOR_100)(decimal('110')).amount.toString(), '1100')
  assert.equal(packageRater(TEN_FOR_100)(decimal('0')).amount.toString(), '0')
})

test('the least thing beyond a package begins another, however large the package', () => {
  const terms = { ...TEN_FOR_100, package_size: '1000' }
  assert.equal(packageRater(terms)(decimal('1000.00000000000000000001')).details['packages'], '2')
})

test('packages never cost less than their price per unit', () => {
  fc.assert(
    fc.property(sizes, prices, quantities, (package_size, package_price, quantity) => {
      const { amount } = packageRater({ model: 'package', package_size, package_price })(decimal(quantity))
      assert.ok(amount.times(decimal(package_size)).gte(decimal(quantity).times(decimal(package_price))))
    }),
  )
})
