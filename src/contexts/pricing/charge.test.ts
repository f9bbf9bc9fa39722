import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal, plain, share } from '../../kernel/decimal.ts'
import { InvariantError } from '../../kernel/invariant.ts'
import { toMinor } from '../../kernel/money.ts'
import { days, period } from '../../kernel/period.ts'
import {
  APRIL,
  attached,
  chargeFacts,
  charges,
  partsOfApril,
  prices,
  quantities,
  quoteFacts,
  segmentFacts,
  STORAGE,
  STUDIO,
} from './facts.fixture.ts'
import type { Charge, QuoteLine, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const PER_UNIT: Charge = { meter: 'calls', model: 'per_unit', unit_price: '0.01' }
const HALF = period('2026-04-01', '2026-04-16')
const chargesBesidesVolume = charges('a').filter((charge) => charge.model !== 'volume')

test('package pricing rounds up after the included quantity', () => {
  const packages: Charge = { meter: 'mail', model: 'package', package_size: '10', package_price: '100' }
  const [line] = lines({ ...packages, included_quantity: '10' }, '121')
  assert.deepEqual([line?.quantity, line?.details['packages'], line?.amount_cents], ['111', '12', 120_000n])
})

test('volume pricing finds its tier after the included quantity', () => {
  const tiers = [
    { up_to: '100', unit_price: '2', flat_price: '10' },
    { up_to: null, unit_price: '1' },
  ]
  const [line] = lines({ meter: 'gb', model: 'volume', tiers, included_quantity: '20' }, '120')
  assert.equal(line?.amount_cents, 21_000n)
})

test('a percentage is rounded half up', () => {
  assert.equal(lines({ meter: 'volume', model: 'percentage', rate: '0.067' }, '55')[0]?.amount_cents, 369n)
})

test('a charge that saw usage keeps its line at 0, and one that saw none has no line', () => {
  const charge = { ...PER_UNIT, included_quantity: '100' }
  const [line] = lines(charge, '80')
  assert.deepEqual([line?.kind, line?.quantity, line?.amount_cents], ['overage', '0', 0n])
  assert.deepEqual([line?.details['metered_quantity'], line?.details['included_quantity']], ['80', '100'])
  assert.deepEqual(lines(charge, '0'), [])
})

test('usage on a meter that the plan does not price is not charged', () => {
  assert.deepEqual(lines({ ...PER_UNIT, meter: 'constructor' }, '1', { usage: { other: '5' } }), [])
})

test('an add-on adds its quantity to what its meter includes, prorated alike', () => {
  const addon = { ...STORAGE, price_cents: 0n, grants_meter: 'calls' }
  const charge = { ...PER_UNIT, included_quantity: '100' }
  const usage = (active = APRIL): QuoteLine | undefined =>
    quote(chargeFacts(charge, '200', { active }, [attached(addon)])).lines[1]
  assert.equal(usage()?.details['included_quantity'], '150')
  assert.equal(usage(HALF)?.details['included_quantity'], '75')
})

test('each filter has its own usage, included quantity and price, and its lines say so', () => {
  const [all, syd]: [Charge, Charge] = [
    { ...PER_UNIT, included_quantity: '10' },
    { ...PER_UNIT, unit_price: '0.02', included_quantity: '5', filter: { region: ['syd1'] } },
  ]
  const plan = { ...STUDIO, base_price_cents: 0n, charges: [syd, all] }
  const usage = { calls: '110', 'calls[region=syd1]': '105', 'calls[region=mel1]': '900' }
  const made = quote(quoteFacts([segmentFacts({ plan, usage })])).lines.slice(0, -1)
  assert.deepEqual(
    made.map(({ description, meter, amount_cents, details }) => [description, meter, amount_cents, details['filter']]),
    [
      ['calls[region=syd1] overage', 'calls', 200n, { region: ['syd1'] }],
      ['calls overage', 'calls', 100n, undefined],
    ],
  )
})

test('an add-on adds to the default charge of its meter, or without one to the first', () => {
  const addons = [attached({ ...STORAGE, price_cents: 0n, grants_meter: 'calls' })]
  const included = (charges: Charge[]): unknown[] => {
    const plan = { ...STUDIO, base_price_cents: 0n, charges }
    const usage = { calls: '100', 'calls[region=a]': '100', 'calls[region=b]': '100' }
    const { lines } = quote(quoteFacts([segmentFacts({ plan, usage })], { addons }))
    return lines.flatMap(({ details }) => details['included_quantity'] ?? [])
  }
  const [a, b] = ['a', 'b'].map((region): Charge => ({ ...PER_UNIT, filter: { region: [region] } }))
  assert.ok(a && b)
  assert.deepEqual(included([a, PER_UNIT]), ['0', '50'])
  assert.deepEqual(included([b, a]), ['50', '0'])
})

test('terms per event need the events, and an event of nothing costs its fixed amount', () => {
  const charge: Charge = { meter: 'calls', model: 'percentage', rate: '0.01', fixed_per_event: '0.30' }
  const [line] = lines(charge, '0')
  assert.deepEqual([line?.quantity, line?.amount_cents], ['0', 30n])
  assert.throws(() => lines(charge, '5', { events: {} }), InvariantError)
  assert.deepEqual(lines(charge, '0', { usage: {}, events: {} }), [])
})

test('tier bounds and flat prices are not prorated', () => {
  const tiers = [
    { up_to: '10', unit_price: '1', flat_price: '2' },
    { up_to: null, unit_price: '5' },
  ]
  assert.equal(lines({ meter: 'calls', model: 'graduated', tiers }, '10', { active: HALF })[0]?.amount_cents, 1200n)
})

test('a minimum is topped up by a line of its own, also when nothing was used', () => {
  const charge = { ...PER_UNIT, min_amount: '5' }
  assert.deepEqual(posted(charge, '123'), ['usage 123', 'minimum 377'])
  assert.deepEqual(posted(charge, '0'), ['minimum 500'])
  assert.deepEqual(posted(charge, '500'), ['usage 500'])
  assert.deepEqual(posted(charge, '0', { active: HALF }), ['minimum 250'])
})

test('a usage line and its minimum line add up to the minimum where both halves would round up', () => {
  assert.deepEqual(posted({ ...PER_UNIT, min_amount: '5' }, '0.5'), ['usage 1', 'minimum 499'])
})

test('a trial and a pause have no minimum', () => {
  assert.deepEqual(posted({ ...PER_UNIT, min_amount: '5' }, '100', { mode: 'trial' }), ['usage 0'])
  assert.deepEqual(posted({ ...PER_UNIT, min_amount: '5' }, '100', { mode: 'paused' }), ['usage 100'])
})

test('a maximum caps the line and says so', () => {
  const [line] = lines({ ...PER_UNIT, max_amount: '500' }, '30000', { active: HALF })
  assert.equal(line?.amount_cents, 25_000n)
  assert.equal(line.details['max_amount'], '250')
  assert.equal(line.details['uncapped_amount'], '300')
})

test('the charge of a period lies between its prorated minimum and maximum', () => {
  fc.assert(
    fc.property(charges('a'), quantities, partsOfApril, (charge, quantity, active) => {
      const cents = quote(chargeFacts(charge, quantity, { active })).subtotal_cents
      const limit = (amount: string): bigint =>
        toMinor(share(decimal(amount), decimal(BigInt(days(active))), decimal('30')), 'AUD')
      assert.ok(!charge.min_amount || cents >= limit(charge.min_amount))
      assert.ok(!charge.max_amount || cents <= limit(charge.max_amount))
    }),
  )
})

test('more usage never costs less, except where volume tiers reprice it', () => {
  fc.assert(
    fc.property(chargesBesidesVolume, quantities, quantities, (charge, less, more) => {
      const both = plain(decimal(less).plus(decimal(more)))
      const { subtotal_cents } = quote(chargeFacts(charge, both))
      assert.ok(subtotal_cents >= quote(chargeFacts(charge, less)).subtotal_cents)
    }),
  )
})

test('a larger included quantity never makes a bill larger, except where volume tiers reprice it', () => {
  fc.assert(
    fc.property(chargesBesidesVolume, quantities, prices, (charge, quantity, extra) => {
      const included_quantity = plain(decimal(charge.included_quantity ?? '0').plus(decimal(extra)))
      const before = quote(chargeFacts(charge, quantity)).subtotal_cents
      assert.ok(quote(chargeFacts({ ...charge, included_quantity }, quantity)).subtotal_cents <= before)
    }),
  )
})

function posted(charge: Charge, quantity: string, changes: Partial<SegmentFacts> = {}): string[] {
  return lines(charge, quantity, changes).map((line) => `${line.kind} ${line.amount_cents}`)
}

function lines(charge: Charge, quantity: string, changes: Partial<SegmentFacts> = {}): QuoteLine[] {
  return quote(chargeFacts(charge, quantity, changes)).lines.filter((line) => line.kind !== 'tax')
}
