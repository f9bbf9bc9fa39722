import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimal } from '../../../kernel/decimal.ts'
import { ratePercentage } from './percentage.ts'

test('a rate is a fraction of the metered amount', () => {
  const rated = ratePercentage({ model: 'percentage', rate: '0.067' }, decimal('55'))
  assert.equal(rated.amount.toFixed(), '3.685')
  assert.equal(rated.unit_price, null)
})
