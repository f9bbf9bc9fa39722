import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { earlierDate, instantsOf, isBefore, laterDate, period } from '../../kernel/period.ts'
import { type Company, testCompany } from './company.fixture.ts'

const APRIL = period('2026-04-01', '2026-05-01')
/** Beyond the month, but in no zone in the future. */
const APRIL_AND_MORNING_MINUTES = (30 * 24 + 12) * 60
const ZONES = ['UTC', 'Australia/Sydney', 'Pacific/Pago_Pago', 'Pacific/Kiritimati', 'America/New_York']
const METERS = { requests: 'sum', payments: 'sum', peak: 'max', seats: 'last', users: 'unique_count' } as const
const LEVELS = ['stored_gb', 'disks']
const CODES = [...Object.keys(METERS), ...LEVELS]

const tiers = [
  { up_to: '10', unit_price: '0.335', flat_price: '2' },
  { up_to: null, unit_price: '0.05' },
]
const PLANS = {
  filters: {
    base_price_cents: 4_999,
    charges: [
      { meter: 'requests', filter: { region: ['syd1', 'syd2'] }, model: 'graduated', tiers, included_quantity: '5' },
      { meter: 'requests', filter: { tier: ['a'] }, model: 'volume', tiers },
      { meter: 'requests', model: 'package', package_size: '3', package_price: '1.01', min_amount: '4.44' },
      { meter: 'users', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '0.123456789012' },
      { meter: 'stored_gb', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '0.0007' },
      { meter: 'stored_gb', model: 'per_unit', unit_price: '0.00031', included_quantity: '100', max_amount: '20' },
    ],
  },
  events: {
    base_price_cents: 0,
    proration: 'none',
    commitment_cents: 3_333,
    charges: [
      { meter: 'payments', model: 'percentage', rate: '0.0299', min_per_event: '1.75', max_per_event: '12' },
      { meter: 'requests', filter: { tier: ['a', 'b'] }, model: 'percentage', rate: '0.1', fixed_per_event: '0.05' },
      { meter: 'peak', model: 'per_unit', unit_price: '0.5' },
      { meter: 'seats', model: 'per_unit', unit_price: '2', included_quantity: '3' },
      { meter: 'disks', model: 'graduated', tiers },
    ],
  },
  yearly: {
    interval: 'year',
    base_price_cents: 98_765,
    commitment_cents: 1_500,
    charges: [{ meter: 'requests', model: 'per_unit', unit_price: '0.015', included_quantity: '7' }],
  },
}

type Discount = { name: string; rate?: string; amount_cents?: number; line_kinds?: string[]; periods?: number }
type Scalar = string | number | boolean
type Case = {
  plan: string
  zone: string
  /** Days from the first of April. */
  starts: number
  /** `at_once`: on the first day of the subscription, or of the month where that was before. */
  ends: number | 'at_once' | null
  /** From the day on, counted from the first of April; `always`: with the subscription. */
  addon: 'always' | number | null
  trial: boolean
  override: object | null
  discounts: Discount[]
  llm: string[]
  events: { meter: string; quantity: string; minute: number; properties: Record<string, Scalar> }[]
}

const cases: fc.Arbitrary<Case> = fc.record({
  plan: fc.constantFrom(...Object.keys(PLANS)),
  zone: fc.constantFrom(...ZONES),
  starts: fc.oneof(fc.integer({ min: 0, max: 25 }), fc.integer({ min: -90, max: -1 })),
  ends: fc.option(fc.oneof(fc.integer({ min: 26, max: 29 }), fc.constant(30), fc.constant('at_once' as const))),
  addon: fc.option(fc.oneof(fc.constant('always' as const), fc.integer({ min: 1, max: 25 }))),
  trial: fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
  override: fc.option(
    fc.constantFrom(
      { base_price_cents: 777 },
      { commitment_cents: 12_345, charges: [{ meter: 'requests', model: 'volume', tiers, max_amount: '3' }] },
      { charges: [{ meter: 'stored_gb', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '0.01' }] },
    ),
    { freq: 2 },
  ),
  discounts: fc.array(
    fc.constantFrom<Discount>(
      { name: 'A third', rate: '0.3333' },
      { name: 'Fixed', amount_cents: 777 },
      { name: 'First month', rate: '0.25', periods: 1 },
      { name: 'On usage', rate: '0.5', line_kinds: ['usage', 'overage'] },
    ),
    { maxLength: 2 },
  ),
  llm: fc.array(fc.constantFrom('0.0123', '1.005', '0.333333'), { maxLength: 3 }),
  events: fc.array(
    fc.record({
      meter: fc.constantFrom(...CODES),
      quantity: fc.oneof(
        fc.integer({ min: 0, max: 60 }).map(String),
        fc.integer({ min: 1, max: 99_999 }).map((thousandths) => (thousandths / 1_000).toFixed(3)),
      ),
      minute: fc.integer({ min: -20_000, max: APRIL_AND_MORNING_MINUTES }),
      properties: fc.record({
        user: fc.constantFrom<Scalar>('ann', 'bo', true, 'true', 7, '7', 1e21, 1.5e-7, '0.00000015'),
        region: fc.constantFrom('syd1', 'syd2', 'ams3'),
        tier: fc.constantFrom('a', 'b', 'c'),
      }),
    }),
    { maxLength: 14 },
  ),
})

let company: Company
let made = 0

before(async () => {
  company = await testCompany()
  for (const [code, aggregation] of Object.entries(METERS)) {
    const unique = aggregation === 'unique_count' ? { unique_property: 'user' } : {}
    await company.post('/meters', { code, name: code, unit: 'x', aggregation, ...unique })
  }
  for (const code of LEVELS) {
    await company.post('/meters', { code, name: code, unit: 'GB·h', aggregation: 'time_weighted_sum' })
  }
  for (const [code, version] of Object.entries(PLANS)) {
    await company.post('/plans', { code, name: code, version: { currency: 'AUD', ...version } })
    await company.post(`/plans/${code}/versions/1/publish`)
  }
})
after(() => company.close())

test('a quote of the facts has the lines of the invoice, to the last digit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(cases, { minLength: 15, maxLength: 15 }), async (given) => {
      const sold = []
      for (const one of given) sold.push(await sell(one))
      await company.rollup()
      for (const { tenant_id, request } of sold) {
        const quoted = await company.post('/quotes', request)
        const { body } = await company.call('GET', `/invoices?tenant_id=${tenant_id}&period=2026-04`)
        if (body.data.length === 0) assert.deepEqual(quoted.lines, [])
        else {
          const invoice = await company.ok('GET', `/invoices/${body.data[0].id}`)
          assert.deepEqual(invoice.lines.map(comparable), quoted.lines.map(comparable))
          assert.deepEqual(
            [invoice.subtotal_cents, invoice.tax_cents, invoice.total_cents],
            [quoted.subtotal_cents, quoted.tax_cents, quoted.total_cents],
          )
        }
      }
    }),
    { numRuns: 2, endOnFailure: true },
  )
})

/** Makes the subscription and sends its usage; gives the quote that asks for the same. */
async function sell({ plan, zone, starts, ends, addon, trial, override, discounts, llm, events }: Case) {
  made += 1
  const tenant_id = `t_${made}`
  const deployment_id = await company.tenant(tenant_id, { timezone: zone })
  const first = APRIL.start.add({ days: starts })
  const start = laterDate(first, APRIL.start)
  const active = { start, end: ends === 'at_once' ? start : APRIL.start.add({ days: ends ?? 30 }) }
  const order = {
    plan_code: plan,
    start_date: first,
    addons: addon === 'always' ? [{ code: 'storage_50gb' }] : [],
    ...(trial && { trial_days: 366 }),
  }
  const { id } = await company.subscribe(deployment_id, order)
  if (override !== null) await company.post(`/subscriptions/${id}/overrides`, { ...override, start_date: first })
  for (const discount of discounts) {
    await company.post(`/subscriptions/${id}/discounts`, { ...discount, start_date: first })
  }
  const attached_on = typeof addon === 'number' ? laterDate(start, APRIL.start.add({ days: addon })) : null
  const is_attached = attached_on !== null && isBefore(attached_on, active.end)
  if (is_attached) {
    await company.post(`/subscriptions/${id}/addons`, { code: 'storage_50gb', start_date: attached_on })
  }
  if (ends !== null) await company.post(`/subscriptions/${id}/cancel`, { end_date: active.end })
  for (const [index, charge] of llm.entries()) {
    await company.ask(tenant_id, deployment_id, {
      id: `${tenant_id}/${index}`,
      charge,
      occurred_at: '2026-04-15T00:00:00Z',
    })
  }
  const sent = events.map(({ minute, ...event }, index) => ({
    ...event,
    id: `e_${String(index).padStart(3, '0')}`,
    deployment_id,
    occurred_at: instantsOf(APRIL, zone).start.add({ minutes: minute }),
  }))
  if (sent.length > 0) {
    const { rejected } = await company.post('/usage/events', { events: sent })
    assert.deepEqual(rejected, [])
  }
  const metered = instantsOf({ ...active, end: earlierDate(APRIL.end, active.end.add({ days: 1 })) }, zone)
  const counted = sent.filter(
    ({ meter, occurred_at }) =>
      Temporal.Instant.compare(occurred_at, metered.end) < 0 &&
      (LEVELS.includes(meter) || Temporal.Instant.compare(occurred_at, metered.start) >= 0),
  )
  const terms = discounts.map(({ periods: _periods, ...discount }) => discount)
  const began_before = starts < 0
  const year = { start: first, end: first.add({ years: 1 }), discounts: terms }
  const usage = Object.groupBy(counted, ({ meter }) => meter)
  return {
    tenant_id,
    request: {
      plan: { code: plan, version: 1 },
      ...(override && { override }),
      mode: trial ? 'trial' : 'normal',
      addons: is_attached ? [{ code: 'storage_50gb', active: { start: attached_on, end: active.end } }] : order.addons,
      usage: Object.fromEntries(Object.entries(usage).map(([meter, own = []]) => [meter, own.map(quotedEvent)])),
      llm_charges: llm,
      period: APRIL,
      active,
      left: ends !== null,
      ...(plan === 'yearly' && began_before && { year }),
      discounts: terms.filter((_, index) => !began_before || discounts[index]?.periods === undefined),
      tenant_id,
    },
  }
}

function quotedEvent({
  quantity,
  properties,
  occurred_at,
}: {
  quantity: string
  properties: object
  occurred_at: unknown
}) {
  return { quantity, properties, occurred_at }
}

type Line = Record<string, unknown> & { details: Record<string, unknown> }

/** Without what only a stored line has. */
function comparable(line: Line) {
  const {
    id: _id,
    position: _position,
    deployment_id: _deployment_id,
    subscription_id: _subscription_id,
    details: { discount_id: _discount_id, ...details },
    ...rest
  } = line
  return { ...rest, details }
}
