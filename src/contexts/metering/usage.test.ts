import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import fc from 'fast-check'
import { memoryDatabase } from '../../../test/support/database.ts'
import { decimal, larger, plain, round, sum, ZERO } from '../../kernel/decimal.ts'
import { period } from '../../kernel/period.ts'
import { type Database, insertRows, within } from '../../platform/db.ts'
import { randomIds } from '../../platform/ids.ts'
import { type Charge, type EventCount, type PlanTerms, quote, usageKey } from '../pricing/index.ts'
import { readUsage, type Usage } from './index.ts'

const TENANT = 't_1'
const WEB = '11111111-1111-4111-8111-111111111111'
const CREATED = Temporal.Instant.from('2026-01-01T00:00:00Z')
const APRIL = { start: instant('2026-04-01T00:00:00Z'), end: instant('2026-05-01T00:00:00Z') }

let db: Database

before(async () => {
  db = await memoryDatabase()
  await db.transaction(async (tx) => {
    const updated = { created_at: CREATED, updated_at: CREATED }
    const tenant = { legal_name: 'X', country: 'AU', currency: 'AUD', timezone: 'UTC', tax_treatment: 'exempt' }
    await insertRows(within<'tenants'>(tx), 'tenants.tenant', [{ id: TENANT, ...tenant, ...updated }])
    const deployment = { display_name: 'x', llm_mode: 'off', state: 'active', billing_action_suspended: false }
    await insertRows(within<'deployments'>(tx), 'deployments.deployment', [
      { id: WEB, tenant_id: TENANT, slug: 'web', ...deployment, ...updated },
    ])
    const meter = { name: 'x', unit: 'x', unique_property: null, created_at: CREATED }
    await insertRows(within<'catalog'>(tx), 'catalog.meter', [
      { ...meter, code: 'requests', aggregation: 'sum' },
      { ...meter, code: 'payments', aggregation: 'sum' },
      { ...meter, code: 'calls', aggregation: 'count' },
      { ...meter, code: 'peak', aggregation: 'max' },
      { ...meter, code: 'seats', aggregation: 'last' },
      { ...meter, code: 'users', aggregation: 'unique_count', unique_property: 'user' },
      { ...meter, code: 'stored_gb', aggregation: 'time_weighted_sum' },
    ])
  })
})
after(() => db.close())
afterEach(() => db.transaction((tx) => tx.deleteFrom('metering.usage_event').execute()))

function perUnit(meter: string, filter: Charge['filter'] = null): Charge {
  return { meter, filter, model: 'per_unit', unit_price: '1' }
}

test('an event belongs to the first charge whose filter it meets, else to the default charge', async () => {
  await send([
    event({ quantity: '1', properties: { region: 'syd1', tier: 'a' } }),
    event({ quantity: '10', properties: { region: 'syd2', tier: 'a', more: true } }),
    event({ quantity: '100', properties: { region: 'syd1' } }),
    event({ quantity: '1000', properties: { region: 'ams3', tier: 'a' } }),
    event({ quantity: '10000', properties: { region: null } }),
    event({ quantity: '100000' }),
    event({ quantity: '1000000', properties: { region: 7 } }),
  ])
  const charges = [
    perUnit('requests', { tier: ['b', 'a'], region: ['syd2', 'syd1'] }),
    perUnit('requests'),
    perUnit('requests', { region: ['syd1', 'syd2'] }),
    perUnit('requests', { region: ['7'] }),
  ]
  assert.deepEqual((await usageOf(charges)).usage, {
    'requests[region=syd1|syd2,tier=a|b]': '11',
    'requests[region=syd1|syd2]': '100',
    'requests[region=7]': '1000000',
    requests: '111000',
  })
})

test('what no charge takes stands under its meter, and without charges all of it', async () => {
  await send([
    event({ quantity: '1', properties: { region: 'syd1' } }),
    event({ quantity: '2', properties: { region: 'ams3' } }),
    event({ meter: 'payments', quantity: '3' }),
  ])
  const charges = [perUnit('requests', { region: ['syd1'] })]
  assert.deepEqual((await usageOf(charges)).usage, { 'requests[region=syd1]': '1', requests: '2', payments: '3' })
  assert.deepEqual((await usageOf()).usage, { requests: '3', payments: '3' })
})

test('every aggregation is divided by filters, and each window by its own charges', async () => {
  const properties = { region: 'syd1' }
  await send([
    ...['4', '9'].flatMap((quantity) => [
      event({ meter: 'calls', quantity, properties }),
      event({ meter: 'peak', quantity, properties }),
    ]),
    event({ meter: 'calls', quantity: '0' }),
    event({ meter: 'peak', quantity: '10' }),
    event({ meter: 'seats', quantity: '5', properties, occurred_at: at(20) }),
    event({ meter: 'seats', quantity: '6', occurred_at: at(21) }),
    ...['a', 'b', 'a'].map((user) => event({ meter: 'users', properties: { user, ...properties } })),
    event({ meter: 'users', properties: { user: 'a' } }),
  ])
  const meters = ['calls', 'peak', 'seats', 'users']
  const divided = meters.map((meter) => perUnit(meter, { region: ['syd1'] }))
  const window = { tenant_id: TENANT, deployment_id: WEB, ...APRIL }
  const usage = await readUsage(db.read, [
    { key: 'divided', ...window, charges: divided },
    { key: 'whole', ...window, charges: meters.map((meter) => perUnit(meter)) },
  ])
  assert.deepEqual(usage.get('divided')?.usage, {
    'calls[region=syd1]': '2',
    calls: '1',
    'peak[region=syd1]': '9',
    peak: '10',
    'seats[region=syd1]': '5',
    seats: '6',
    'users[region=syd1]': '2',
    users: '1',
  })
  assert.deepEqual(usage.get('whole')?.usage, { calls: '3', peak: '10', seats: '6', users: '2' })
})

test('a charge with terms per event has its events by size, and their sum as its usage', async () => {
  await send([
    ...['10', '2.50', '10.0', '0'].map((quantity) => event({ meter: 'payments', quantity })),
    event({ meter: 'payments', quantity: '7', properties: { region: 'syd1' } }),
    event({ meter: 'calls', quantity: '99' }),
    event({ meter: 'calls', quantity: '3' }),
    event({ quantity: '1' }),
  ])
  const perEvent = { model: 'percentage', rate: '0.01', fixed_per_event: '0.30' } as const
  const charges: Charge[] = [
    { meter: 'payments', ...perEvent },
    { meter: 'payments', filter: { region: ['syd1'] }, model: 'percentage', rate: '0.02' },
    { meter: 'calls', ...perEvent },
    { meter: 'requests', filter: { region: ['syd1'] }, ...perEvent },
  ]
  assert.deepEqual(await usageOf(charges), {
    usage: { payments: '22.5', 'payments[region=syd1]': '7', calls: '2', requests: '1' },
    events: {
      payments: [
        { quantity: '0', count: 1 },
        { quantity: '2.5', count: 1 },
        { quantity: '10', count: 2 },
      ],
      calls: [{ quantity: '1', count: 2 }],
    },
  })
})

test('more amounts than are kept apart cost what they cost one by one', async () => {
  const terms = { model: 'percentage', rate: '0.029', fixed_per_event: '0.1' } as const
  const limits = { min_per_event: '1.75', max_per_event: '12' }
  const charges: Charge[] = [
    { meter: 'payments', filter: { region: ['syd1'] }, ...terms },
    { meter: 'payments', ...terms, ...limits },
  ]
  // From 0 to 422.5, with a hundred of them and more on each side of the bounds (57 and 410.3).
  const amounts = (unit: string) =>
    Array.from({ length: 900 }, (_, index) => plain(decimal(BigInt(Math.min(index, 650) ** 2)).div(decimal(unit))))
  await send([
    ...amounts('1000').map((quantity) => event({ meter: 'payments', quantity })),
    ...amounts('100000').map((quantity) => event({ meter: 'payments', quantity, properties: { region: 'syd1' } })),
  ])
  const { usage, events } = await usageOf(charges)
  for (const [key, unit] of [
    ['payments', '1000'],
    ['payments[region=syd1]', '100000'],
  ] as const) {
    const charge = charges.find((one) => usageKey(one) === key)
    assert.ok(charge)
    const exact = amounts(unit).map((quantity) => ({ quantity, count: 1 }))
    assert.ok((events[key]?.length ?? 0) > 20 && (events[key]?.length ?? 0) <= 106)
    const [kept, each] = [events[key] ?? [], exact].map((counts) => amountOf(charge, counts))
    assert.equal(kept, each)
    assert.equal(usage[key], plain(sum(exact.map(({ quantity }) => decimal(quantity)))))
  }
})

/** What the engine makes of the events of a charge, at 20 places. */
function amountOf(charge: Charge, events: readonly EventCount[]): string | undefined {
  const key = usageKey(charge)
  const plan: PlanTerms = {
    code: null,
    version: null,
    name: null,
    currency: 'AUD',
    interval: 'month',
    base_price_cents: 0n,
    proration: 'daily',
    commitment_cents: null,
    charges: [charge],
  }
  const april = period('2026-04-01', '2026-05-01')
  const total = plain(sum(events.map(({ quantity, count }) => decimal(quantity).times(decimal(BigInt(count))))))
  const measured = { usage: { [key]: total }, events: { [key]: events } }
  const segment = { active: april, mode: 'normal', plan, year: null, ...measured } as const
  const owner = { deployment_id: null, subscription_id: null }
  return quote({
    currency: 'AUD',
    period: april,
    tax: { treatment: 'export', name: null, rate: null },
    subscriptions: [{ ...owner, segments: [segment], addons: [], discounts: [] }],
    llm: [],
    adjustments: [],
  }).lines[0]?.amount_precise
}

test('a level is carried over: 1 GB since March is 720 GB·h in April', async () => {
  await send([event({ meter: 'stored_gb', quantity: '1', occurred_at: '2026-03-01T00:00:00Z' })])
  assert.deepEqual(await usageOf(), { usage: { stored_gb: '720' }, events: {} })
})

test('a level changes when it changes, ends with the window, and below 0 counts as 0', async () => {
  const change = (quantity: string, occurred_at: string) => event({ meter: 'stored_gb', quantity, occurred_at })
  await send([
    change('2', '2026-03-31T23:59:59.999999Z'),
    change('-0.5', '2026-04-02T00:00:00Z'), // two days of 2, then 1.5
    change('-2', '2026-04-03T12:00:00Z'), // 36 hours of 1.5, then −0.5
    change('1', '2026-04-30T00:00:00Z'), // a day of 0.5
    change('100', '2026-05-01T00:00:00Z'),
  ])
  assert.deepEqual((await usageOf()).usage, { stored_gb: plain(decimal('114')) })
  assert.deepEqual((await usageOf([], { ...APRIL, end: instant('2026-04-01T12:00:00Z') })).usage, { stored_gb: '24' })
})

test('a level that went back to 0 before the window is no usage', async () => {
  await send([
    event({ meter: 'stored_gb', quantity: '5', occurred_at: '2026-02-01T00:00:00Z' }),
    event({ meter: 'stored_gb', quantity: '-5', occurred_at: '2026-03-01T00:00:00Z' }),
  ])
  assert.deepEqual((await usageOf()).usage, {})
})

test('levels are kept for each charge, and cutting a window anywhere leaves the sum as it is', async () => {
  const changes = fc.array(
    fc.record({
      quantity: fc.integer({ min: -5, max: 9 }).map(String),
      occurred_at: fc.integer({ min: -20, max: 29 * 24 }).map((hour) => APRIL.start.add({ hours: hour }).toString()),
      properties: fc.constantFrom({}, { region: 'syd1' }, { region: 'ams3' }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  const charges = [perUnit('stored_gb', { region: ['syd1'] }), perUnit('stored_gb')]
  await fc.assert(
    fc.asyncProperty(changes, fc.integer({ min: 0, max: 720 }), async (sent, hours) => {
      await db.transaction((tx) => tx.deleteFrom('metering.usage_event').execute())
      await send(sent.map((change) => event({ meter: 'stored_gb', ...change })))
      const cut = APRIL.start.add({ hours })
      const { usage } = await usageOf(charges)
      const before = await usageOf(charges, { ...APRIL, end: cut })
      const after_it = await usageOf(charges, { ...APRIL, start: cut })
      for (const [index, charge] of charges.entries()) {
        const key = usageKey(charge)
        const own = sent.filter(({ properties }) => ('region' in properties && properties.region === 'syd1') === !index)
        assert.equal(usage[key] ?? '0', levelHours(own))
        const parts = [before.usage[key], after_it.usage[key]].map((part) => decimal(part ?? '0'))
        assert.equal(plain(round(sum(parts), 12)), usage[key] ?? '0')
      }
    }),
    { numRuns: 40 },
  )
})

/** Hour by hour, as all changes lie on the hour. */
function levelHours(changes: readonly { quantity: string; occurred_at: string }[]): string {
  let total = ZERO
  for (let hour = APRIL.start; Temporal.Instant.compare(hour, APRIL.end) < 0; hour = hour.add({ hours: 1 })) {
    const done = changes.filter(({ occurred_at }) => Temporal.Instant.compare(instant(occurred_at), hour) <= 0)
    total = total.plus(larger(sum(done.map(({ quantity }) => decimal(quantity))), ZERO))
  }
  return plain(total)
}

function instant(text: string): Temporal.Instant {
  return Temporal.Instant.from(text)
}

function at(day: number): string {
  return `2026-04-${day}T00:00:00Z`
}

function event(changes: { meter?: string; quantity?: string; occurred_at?: string; properties?: object } = {}) {
  const usual = { meter: 'requests', quantity: '1', occurred_at: at(10), properties: {} }
  return { ...usual, ...changes }
}

async function send(events: readonly ReturnType<typeof event>[]): Promise<void> {
  const rows = events.map((one) => ({
    tenant_id: TENANT,
    source: 's',
    event_id: randomIds.uuid(),
    deployment_id: WEB,
    content_hash: '',
    received_at: one.occurred_at,
    ...one,
  }))
  await db.transaction((tx) => insertRows(within<'metering'>(tx), 'metering.usage_event', rows))
}

async function usageOf(charges?: readonly Charge[], window = APRIL): Promise<Usage> {
  const asked = { key: 'w', tenant_id: TENANT, deployment_id: WEB, ...window, ...(charges && { charges }) }
  const usage = await readUsage(db.read, [asked])
  return usage.get('w') ?? { usage: {}, events: {} }
}
