import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal } from '../../../kernel/decimal.ts'
import { quantities, tiers } from '../facts.fixture.ts'
import type { Tier } from '../facts.ts'
import { graduatedRater } from './graduated.ts'

const WITH_FLAT_PRICES = [
  { up_to: '10', unit_price: '10', flat_price: '2' },
  { up_to: '20', unit_price: '5', flat_price: '3' },
  { up_to: null, unit_price: '5', flat_price: '3' },
]
const FRACTIONAL = [
  { up_to: '0.1', unit_price: '10' },
  { up_to: '1', unit_price: '5' },
  { up_to: null, unit_price: '2' },
]

test('each unit costs the price of its tier, and each tier entered its flat price', () => {
  assert.equal(amount(WITH_FLAT_PRICES, '11'), '110')
  assert.equal(amount(WITH_FLAT_PRICES, '21'), '163')
})

test('a tier reached exactly does not enter the next one', () => {
  assert.equal(amount(WITH_FLAT_PRICES, '10'), '102')
})

test('nothing used is nothing due, not even a flat price', () => {
  assert.equal(amount(WITH_FLAT_PRICES, '0'), '0')
})

test('bounds may be fractions of a unit', () => {
  assert.equal(amount(FRACTIONAL, '0.5'), '3')
})

test('the tiers entered are stated with their quantities and amounts', () => {
  assert.deepEqual(graduatedRater({ model: 'graduated', tiers: WITH_FLAT_PRICES })(decimal('11')).details, {
    tiers: [
      { up_to: '10', quantity: '10', unit_price: '10', flat_price: '2', amount: '102' },
      { up_to: '20', quantity: '1', unit_price: '5', flat_price: '3', amount: '8' },
    ],
  })
})

test('more is never cheaper', () => {
  fc.assert(
    fc.property(tiers, quantities, quantities, (anyTiers, less, more) => {
      const rate = graduatedRater({ model: 'graduated', tiers: anyTiers })
      const base = rate(decimal(less)).amount
      assert.ok(rate(decimal(less).plus(decimal(more))).amount.gte(base))
    }),
  )
})

function amount(of: readonly Tier[], quantity: string): string {
  return graduatedRater({ model: 'graduated', tiers: of })(decimal(quantity)).amount.toString()
}
