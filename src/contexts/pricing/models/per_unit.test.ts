import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimal } from '../../../kernel/decimal.ts'
import { perUnitRater } from './per_unit.ts'

test('every unit costs the same, to the last digit of the product', () => {
  const rated = perUnitRater({ model: 'per_unit', unit_price: '0.000000000001' })(decimal('0.123'))
  assert.equal(rated.amount.toString(), '0.000000000000123')
  assert.equal(rated.unit_price, '0.000000000001')
})
