import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Charge } from './facts.ts'
import { charges, chargeFacts, quantities } from './facts.fixture.ts'
import { checkCharges } from './check.ts'
import { quote } from './quote.ts'

const TIERED = { meter: 'calls', model: 'graduated' as const }

test('a price list with every model has no faults', () => {
  const list: Charge[] = [
    { meter: 'a', model: 'per_unit', unit_price: '0.000000000001', included_quantity: '1488' },
    {
      meter: 'b',
      model: 'graduated',
      tiers: [
        { up_to: '0.5', unit_price: '1' },
        { up_to: null, unit_price: '2' },
      ],
    },
    { meter: 'c', model: 'volume', tiers: [{ up_to: null, unit_price: '1', flat_price: '3' }] },
    { meter: 'd', model: 'package', package_size: '1000', package_price: '1.00' },
    { meter: 'e', model: 'percentage', rate: '0.029', min_amount: '5.00', max_amount: '5' },
  ]
  assert.deepEqual(faults(...list), [])
})

test('a meter is priced only once', () => {
  const charge: Charge = { meter: 'a', model: 'per_unit', unit_price: '1' }
  assert.deepEqual(faults(charge, charge), ['charges/1/meter is priced already by charges/0'])
})

test('tiers must rise strictly from above 0', () => {
  assert.deepEqual(faults({ ...TIERED, tiers: bounds('0', '10', '10', null) }), [
    'charges/0/tiers/0/up_to must be above 0',
    'charges/0/tiers/2/up_to must be above the up_to of the tier before, "10"; found "10"',
  ])
})

test('exactly the last tier has no bound', () => {
  assert.deepEqual(faults({ ...TIERED, tiers: bounds(null, '10') }), [
    'charges/0/tiers/0/up_to must be null in the last tier only: none after it would be reached',
    'charges/0/tiers/1/up_to must be null in the last tier, which has no end; found "10"',
  ])
  assert.deepEqual(faults({ ...TIERED, tiers: [] }), [
    'charges/0/tiers must have at least one tier, such as {"up_to": null, "unit_price": "0.10"}',
  ])
})

test('every negative amount is named', () => {
  const tiers = [{ up_to: null, unit_price: '-1', flat_price: '-2' }]
  assert.deepEqual(
    faults(
      { ...TIERED, tiers, included_quantity: '-3', min_amount: '-4' },
      {
        meter: 'mail',
        model: 'package',
        package_size: '-5',
        package_price: '-6',
      },
    ),
    [
      'charges/0/included_quantity must not be negative',
      'charges/0/min_amount must not be negative',
      'charges/0/tiers/0/unit_price must not be negative',
      'charges/0/tiers/0/flat_price must not be negative',
      'charges/1/package_size must not be negative',
      'charges/1/package_price must not be negative',
    ],
  )
})

test('a price has at most 12 digits after the point that count', () => {
  assert.deepEqual(faults({ meter: 'a', model: 'per_unit', unit_price: '0.0000000000010' }), [])
  assert.deepEqual(faults({ meter: 'a', model: 'percentage', rate: '0.0000000000001' }), [
    'charges/0/rate must have at most 12 digits after the point',
  ])
})

test('a package holds something, and a minimum is not above its maximum', () => {
  const charge: Charge = {
    meter: 'a',
    model: 'package',
    package_size: '0',
    package_price: '1',
    min_amount: '10',
    max_amount: '9',
  }
  assert.deepEqual(faults(charge), [
    'charges/0/min_amount must not be above max_amount',
    'charges/0/package_size must be above 0',
  ])
})

test('text that is no decimal and an unknown currency are faults, not crashes', () => {
  assert.deepEqual(faults({ meter: 'a', model: 'per_unit', unit_price: '1e3', max_amount: '' }), [
    'charges/0/max_amount must be a decimal string',
    'charges/0/unit_price must be a decimal string',
  ])
  assert.deepEqual(checkCharges({ currency: 'XYZ', charges: [] }), [
    { path: 'currency', message: 'must be three capital letters of ISO 4217; nearest to "XYZ" is BYN' },
  ])
})

test('a meter may have charges with different filters, and one without', () => {
  const charge: Charge = { meter: 'a', model: 'per_unit', unit_price: '1' }
  const [syd, mel] = ['syd1', 'mel1'].map((region): Charge => ({ ...charge, filter: { region: [region, 'nyc1'] } }))
  assert.ok(syd && mel)
  assert.deepEqual(faults(syd, mel, charge), [])
  const turned: Charge = { ...charge, filter: { region: ['nyc1', 'syd1'] } }
  assert.deepEqual(faults(syd, charge, turned, { ...charge, filter: null }), [
    'charges/2/filter is priced already by charges/0',
    'charges/3/meter is priced already by charges/1',
  ])
})

test('a filter names properties and values that can be told apart', () => {
  const charge: Charge = { meter: 'a', model: 'per_unit', unit_price: '1' }
  const message = 'must not be empty or have any of [ ] = | ,'
  assert.deepEqual(faults({ ...charge, filter: {} }), [
    'charges/0/filter must name a property; a charge for all other events has no filter',
  ])
  assert.deepEqual(faults({ ...charge, filter: { region: [], 'a=b': ['x', 'x', '', 'y|z'] } }), [
    'charges/0/filter/region must have at least one value',
    `charges/0/filter/a=b ${message}`,
    'charges/0/filter/a=b/1 is named already',
    `charges/0/filter/a=b/2 ${message}`,
    `charges/0/filter/a=b/3 ${message}`,
  ])
})

test('terms per event are prices in order, on a meter that counts events', () => {
  const charge: Charge = {
    meter: 'a',
    model: 'percentage',
    rate: '0.01',
    fixed_per_event: '-1',
    min_per_event: '2',
    max_per_event: '1.0000000000001',
  }
  assert.deepEqual(faults(charge), [
    'charges/0/fixed_per_event must not be negative',
    'charges/0/max_per_event must have at most 12 digits after the point',
    'charges/0/min_per_event must not be above max_per_event',
  ])
  const on = (aggregation: string, terms: Partial<Charge> = { min_per_event: '1' }) =>
    checkCharges(
      { currency: 'AUD', charges: [{ meter: 'a', model: 'percentage', rate: '0.01', ...terms } as Charge] },
      new Map([['a', aggregation]]),
    )
  assert.deepEqual([on('sum'), on('count'), on('max', {})], [[], [], []])
  assert.deepEqual(on('max'), [{ path: 'charges/0/meter', message: 'must be a sum or a count of events; it is max' }])
})

test('a negative base price or commitment is named', () => {
  assert.deepEqual(checkCharges({ currency: 'BHD', base_price_cents: -1n, commitment_cents: -1n, charges: [] }), [
    { path: 'base_price_cents', message: 'must not be negative' },
    { path: 'commitment_cents', message: 'must not be negative' },
  ])
})

test('what passes can be rated for any quantity', () => {
  fc.assert(
    fc.property(charges('a'), quantities, (charge, quantity) => {
      assert.deepEqual(faults(charge), [])
      assert.ok(quote(chargeFacts(charge, quantity)).subtotal_cents >= 0n)
    }),
  )
})

function faults(...list: Charge[]): string[] {
  return checkCharges({ currency: 'AUD', charges: list }).map((fault) => {
    assert.ok('path' in fault)
    return `${fault.path} ${fault.message}`
  })
}

function bounds(...up_to: (string | null)[]): { up_to: string | null; unit_price: string }[] {
  return up_to.map((bound) => ({ up_to: bound, unit_price: '1' }))
}
