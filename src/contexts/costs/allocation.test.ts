import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, bigInt, integer, property } from 'fast-check'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { splitAmount } from './allocation.ts'

test('a cent that cannot be split goes to the largest remainder', () => {
  assert.deepEqual(amounts('10.00', ['1', '1', '1']), ['3.34', '3.33', '3.33'])
  assert.deepEqual(amounts('-10', ['1', '1', '1']), ['-3.34', '-3.33', '-3.33'])
  assert.deepEqual(amounts('5.00', ['0.75', '0.25']), ['3.75', '1.25'])
})

test('an amount finer than a cent is split in its own last digit', () => {
  assert.deepEqual(amounts('0.0005', ['1', '1']), ['0.0003', '0.0002'])
})

test('whatever the weights, the shares add up to the line exactly', () => {
  const weights = array(integer({ min: 1, max: 1_000 }).map(String), { minLength: 1, maxLength: 8 })
  check(
    property(
      bigInt({ min: -1_000_000_000_000n, max: 1_000_000_000_000n }),
      integer({ min: 0, max: 6 }),
      weights,
      (units, places, of) => {
        const amount = plain(decimal(units).div(decimal(10n ** BigInt(places))))
        const total = sum(amounts(amount, of).map((part) => decimal(part)))
        assert.equal(plain(total), amount)
      },
    ),
  )
})

function amounts(amount: string, weights: readonly string[]): string[] {
  const shares = weights.map((weight, index) => ({ tenant_id: 't', deployment_id: `d${index}`, weight }))
  return splitAmount({ amount, currency: 'USD' }, shares).map((share) => share.amount)
}
