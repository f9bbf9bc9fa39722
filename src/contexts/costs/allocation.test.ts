import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, constantFrom, integer, property, uniqueArray } from 'fast-check'
import { decimal, ZERO } from '../../kernel/decimal.ts'
import { type AllocationRule, BASES, describeRule, type Grounds, type Share, sharesBy } from './allocation.ts'

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
        for (const { weight } of sharesBy({ ...RULE, basis, between }, grounds)) assert.ok(decimal(weight).gt(ZERO))
      },
    ),
  )
})

function share(deployment_id: string, weight: string): Share {
  return { tenant_id: 't', deployment_id, weight }
}
