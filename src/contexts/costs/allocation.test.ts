import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, bigInt, constantFrom, integer, property, uniqueArray } from 'fast-check'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import {
  type AllocationRule,
  BASES,
  describeRule,
  type Grounds,
  type Share,
  sharesBy,
  splitAmount,
} from './allocation.ts'

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

const RULE: AllocationRule = {
  id: 'r',
  product: 'Spaces',
  project: null,
  description: 'over*',
  basis: 'fixed',
  meter: null,
  shares: [share('a', '3'), share('b', '1')],
  between: [],
}
const GROUNDS: Grounds = {
  renters: [share('a', '1'), share('b', '1')],
  direct_costs: [share('a', '2.5'), share('b', '0'), share('c', '-1')],
  quantities: [share('b', '7')],
}

test('each basis shares by its own: fixed weights, evenly, direct cost, a meter', () => {
  const by = (rule: Partial<AllocationRule>) =>
    sharesBy({ ...RULE, ...rule }, GROUNDS).map(({ deployment_id, weight }) => `${deployment_id} ${weight}`)
  assert.deepEqual(by({}), ['a 3', 'b 1'])
  assert.deepEqual(by({ basis: 'even' }), ['a 1', 'b 1'])
  assert.deepEqual(by({ basis: 'even', between: [share('c', '9')] }), ['c 1'])
  assert.deepEqual(by({ basis: 'direct_cost' }), ['a 2.5'])
  assert.deepEqual(by({ basis: 'direct_cost', between: [share('b', '1')] }), [])
  assert.deepEqual(by({ basis: 'meter', meter: 'calls' }), ['b 7'])
})

test('a rule is described by what it selects and by what it shares', () => {
  assert.equal(describeRule(RULE), 'allocation rule r: product Spaces, description over*, shared by fixed shares')
  assert.match(describeRule({ ...RULE, basis: 'meter', meter: 'calls' }), /shared by the meter calls$/)
})

test('whatever a basis finds, it gives only shares that an amount can be split by', () => {
  const found = uniqueArray(integer({ min: 0, max: 20 }), { maxLength: 6 }).map((ids) =>
    ids.map((id) => share(`d${id}`, String(id - 10))),
  )
  check(
    property(
      constantFrom(...BASES.filter((basis) => basis !== 'fixed')),
      found,
      found,
      (basis, direct_costs, between) => {
        const grounds = { renters: direct_costs, direct_costs, quantities: direct_costs }
        const shares = sharesBy({ ...RULE, basis, between }, grounds)
        if (shares.length === 0) return
        const parts = splitAmount({ amount: '-10.01', currency: 'USD' }, shares)
        assert.equal(plain(sum(parts.map(({ amount }) => decimal(amount)))), '-10.01')
      },
    ),
  )
})

function share(deployment_id: string, weight: string): Share {
  return { tenant_id: 't', deployment_id, weight }
}

function amounts(amount: string, weights: readonly string[]): string[] {
  const shares = weights.map((weight, index) => share(`d${index}`, weight))
  return splitAmount({ amount, currency: 'USD' }, shares).map((part) => part.amount)
}
