import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal, plain, sum, ZERO } from '../../../kernel/decimal.ts'
import { toMinor } from '../../../kernel/money.ts'
import { prices, quantities } from '../facts.fixture.ts'
import type { EventCount, PercentageTerms } from '../facts.ts'
import { percentageRater } from './percentage.ts'
import type { Rated } from './rated.ts'

const CARDS: PercentageTerms = { model: 'percentage', rate: '0.0299', min_per_event: '1.75', max_per_event: '12' }

test('a rate is a fraction of the metered amount', () => {
  const rated = rate({ model: 'percentage', rate: '0.067' }, [{ quantity: '55', count: 1 }])
  assert.equal(plain(rated.amount), '3.685')
  assert.equal(toMinor(rated.amount, 'AUD'), 369n)
  assert.deepEqual([rated.unit_price, rated.details], [null, { rate: '0.067' }])
})

test('each event costs its rate, but no less than the least and no more than the most per event', () => {
  const rated = rate(CARDS, [one('10'), one('80'), one('10000')])
  assert.equal(plain(rated.amount), '16.142')
  assert.equal(toMinor(rated.amount, 'AUD'), 1614n)
  assert.deepEqual(rated.details, {
    rate: '0.0299',
    min_per_event: '1.75',
    max_per_event: '12',
    event_count: '3',
    events_amount: '16.142',
    events: [
      { quantity: '10', count: '1', fee: '1.75' },
      { quantity: '80', count: '1', fee: '2.392' },
      { quantity: '10000', count: '1', fee: '12' },
    ],
  })
})

test('a fixed amount comes on top of each event, also of one that moved nothing', () => {
  const terms: PercentageTerms = { model: 'percentage', rate: '0.029', fixed_per_event: '0.30' }
  assert.equal(plain(rate(terms, [{ quantity: '10', count: 4 }]).amount), '2.36')
  assert.equal(plain(rate(terms, [one('0')]).amount), '0.3')
  assert.equal(plain(rate({ ...terms, max_per_event: '0.5' }, [one('1000')]).amount), '0.5')
})

test('an included quantity takes its share of the fees', () => {
  const terms: PercentageTerms = { model: 'percentage', rate: '0', fixed_per_event: '1' }
  assert.equal(plain(rate(terms, [{ quantity: '10', count: 10 }], '25').amount), '7.5')
  assert.equal(plain(rate(terms, [one('0')], '25').amount), '0')
})

test('events of up to 20 amounts are listed, once per amount and however they are spelt, those of more are not', () => {
  const same = [one('2'), one('2.0'), { quantity: '1', count: 3 }]
  assert.deepEqual(rate(CARDS, same).details['events'], [
    { quantity: '1', count: '3', fee: '1.75' },
    { quantity: '2', count: '2', fee: '1.75' },
  ])
  const amounts = (number: number) => Array.from({ length: number }, (_, index) => one(`${index}`))
  assert.equal((rate(CARDS, amounts(20)).details['events'] as unknown[]).length, 20)
  const { events, events_note } = rate(CARDS, amounts(21)).details
  assert.deepEqual([events, events_note], [undefined, 'of more than 20 amounts: not listed'])
})

test('events that are counted together cost what they cost one by one, in any order', () => {
  const events = fc.array(fc.record({ quantity: quantities, count: fc.integer({ min: 1, max: 4 }) }), { maxLength: 6 })
  const terms = fc.record({
    model: fc.constant('percentage' as const),
    rate: prices,
    fixed_per_event: fc.option(prices),
    min_per_event: fc.option(prices),
  })
  fc.assert(
    fc.property(terms, events, (anyTerms, counted) => {
      const perEvent = { ...anyTerms, max_per_event: '150' }
      const single = counted.flatMap(({ quantity, count }) => Array.from({ length: count }, () => one(quantity)))
      const { amount } = rate(perEvent, counted)
      assert.ok(rate(perEvent, single.toReversed()).amount.eq(amount))
      assert.ok(amount.lte(decimal('150').times(decimal(BigInt(single.length)))))
      const least = decimal(anyTerms.min_per_event ?? '0')
      assert.ok(amount.gte(least.times(decimal(BigInt(single.length)))))
    }),
  )
})

function one(quantity: string): EventCount {
  return { quantity, count: 1 }
}

function rate(terms: PercentageTerms, events: readonly EventCount[], included_quantity = '0'): Rated {
  const metered = sum(events.map(({ quantity, count }) => decimal(quantity).times(decimal(BigInt(count)))))
  const included = decimal(included_quantity)
  const billable = metered.gt(included) ? metered.minus(included) : ZERO
  return percentageRater(terms)(billable, { metered, included, events })
}
