import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimal } from '../../../kernel/decimal.ts'
import { InvariantError } from '../../../kernel/invariant.ts'
import { volumeRater } from './volume.ts'

const TIERS = [
  { up_to: '100', unit_price: '2', flat_price: '10' },
  { up_to: '200', unit_price: '1' },
  { up_to: null, unit_price: '0.5' },
]

test('the tier that the whole quantity falls in prices all of it', () => {
  assert.equal(amount('100'), '210')
  assert.equal(amount('100.5'), '100.5')
  assert.equal(amount('1000'), '500')
})

test('nothing used is nothing due, not even a flat price', () => {
  assert.equal(amount('0'), '0')
})

test('tiers that end below the quantity are a bug', () => {
  const terms = { model: 'volume' as const, tiers: [{ up_to: '1', unit_price: '1' }] }
  assert.throws(() => volumeRater(terms)(decimal('2')), InvariantError)
})

function amount(quantity: string): string {
  return volumeRater({ model: 'volume', tiers: TIERS })(decimal(quantity)).amount.toString()
}
