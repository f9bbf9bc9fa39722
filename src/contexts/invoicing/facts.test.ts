import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runAudit } from '../../platform/audit.ts'
import { within } from '../../platform/db.ts'
import type { DeploymentTransition } from '../deployments/index.ts'
import { followDeployment } from '../subscriptions/index.ts'
import { type Company, testCompany } from './company.fixture.ts'
import { invoicingInvariants } from './invariants.ts'

const NOW = '2026-05-02T06:00:00Z'

let company: Company
before(async () => {
  company = await testCompany()
})
after(() => company.close())

async function cancelled(tenant_id: string, at: string): Promise<string> {
  const deployment_id = await company.tenant(tenant_id)
  const { id } = await company.subscribe(deployment_id)
  company.clock.set(at)
  await company.post(`/subscriptions/${id}/cancel`, {})
  company.clock.set(NOW)
  return deployment_id
}

async function billed(tenant_id: string, period?: string): Promise<string[]> {
  const { lines } = await company.invoice(tenant_id, period)
  return lines
    .filter((line: { kind: string }) => line.kind !== 'tax')
    .map((line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`)
}

async function sell(code: string, version: object): Promise<void> {
  await company.post('/plans', { code, name: code, version: { currency: 'AUD', base_price_cents: 0, ...version } })
  await company.post(`/plans/${code}/versions/1/publish`)
}

async function subscribed(tenant_id: string, order: object): Promise<{ app: string; subscription: string }> {
  const app = await company.tenant(tenant_id)
  return { app, subscription: `/subscriptions/${(await company.subscribe(app, order)).id}` }
}

async function follows(
  deployment_id: string,
  { at, ...change }: Pick<DeploymentTransition, 'tenant_id' | 'from' | 'to'> & { at: string },
) {
  const transition = { deployment_id, at: Temporal.Instant.from(at), ...change }
  await company.db.transaction((tx) => followDeployment(within(tx), transition, company.edge))
}

/** Rolls the months up in their order, issues each invoice, and gives what they bill. */
async function billedBy(tenant_id: string, months: readonly string[]): Promise<string[][]> {
  const bills: string[][] = []
  company.clock.set('2026-12-02T06:00:00Z')
  for (const month of months) {
    await company.rollup({ tenant_id, period: month })
    const { body } = await company.call('GET', `/invoices?tenant_id=${tenant_id}&period=${month}`)
    if (body.data[0]) await company.post(`/invoices/${body.data[0].id}/issue`)
    bills.push(body.data[0] ? await billed(tenant_id, month) : [])
  }
  company.clock.set(NOW)
  return bills
}

test('what is used on the day of cancellation is billed, the day itself is not', async () => {
  const app = await cancelled('boab', '2026-04-10T18:00:00Z')
  await company.use(app, '7', '2026-04-10T09:00:00Z')
  await company.use(app, '100', '2026-04-11T00:00:00Z')
  await company.rollup({ tenant_id: 'boab' })
  assert.deepEqual(await billed('boab'), ['plan_base 1500', 'usage 70'])
})

test('a subscription that is cancelled on its first day has no base price, and nothing included; its usage is billed', async () => {
  for (const [tenant_id, at, expected] of [
    ['karri', '2026-04-10T18:00:00Z', ['usage 1', 'usage 70']],
    // Called off on the day before it begins: it never held.
    ['coolabah', '2026-04-09T18:00:00Z', null],
  ] as const) {
    const app = await company.tenant(tenant_id)
    company.clock.set(at)
    const { id } = await company.subscribe(app, { start_date: '2026-04-10', addons: [{ code: 'storage_50gb' }] })
    await company.post(`/subscriptions/${id}/cancel`, {})
    company.clock.set(NOW)
    await company.use(app, '7', '2026-04-10T09:00:00Z')
    await company.use(app, '100', '2026-04-11T00:00:00Z')
    await company.droplets(tenant_id, app, { count: 1, from: '2026-04-10T23:00:00Z' })
    const { created } = await company.rollup({ tenant_id })
    assert.equal(created, expected === null ? 0 : 1)
    if (expected !== null) assert.deepEqual(await billed(tenant_id), expected)
  }
})

test('of subscriptions that end on one day, one has its usage: that with days before it, or else the last one made', async () => {
  const app = await company.tenant('gimlet')
  const [first, second] = ['2026-04-01', '2026-04-10'].map((start_date) => async () => {
    const { id } = await company.subscribe(app, { start_date })
    await company.post(`/subscriptions/${id}/cancel`, { end_date: '2026-04-10' })
  })
  await first?.()
  await second?.()
  await second?.()
  await company.use(app, '7', '2026-04-10T09:00:00Z')
  await company.rollup({ tenant_id: 'gimlet' })
  assert.deepEqual(await billed('gimlet'), ['plan_base 1500', 'usage 70'])

  const twice = await company.tenant('mallee')
  for (const price of [5_000, 6_000]) {
    await sell(`once_${price}`, {
      base_price_cents: price,
      charges: [{ meter: 'api_calls', model: 'per_unit', unit_price: `${price / 1_000}` }],
    })
    const { id } = await company.subscribe(twice, { plan_code: `once_${price}`, start_date: '2026-04-10' })
    await company.post(`/subscriptions/${id}/cancel`, { end_date: '2026-04-10' })
  }
  await company.use(twice, '7', '2026-04-10T09:00:00Z')
  await company.rollup({ tenant_id: 'mallee' })
  assert.deepEqual(await billed('mallee'), ['usage 4200'])
})

test('a subscription that follows on the day takes its usage, in the same month or the next', async () => {
  for (const [tenant_id, day] of [
    ['mulga', '2026-04-10'],
    ['wattle', '2026-05-01'],
  ] as const) {
    const app = await cancelled(tenant_id, `${day}T18:00:00Z`)
    await company.subscribe(app, { start_date: day })
    await company.use(app, '7', `${day}T09:00:00Z`)
    await company.rollup({ tenant_id })
  }
  assert.deepEqual(await billed('mulga'), ['plan_base 1500', 'plan_base 3500', 'usage 70'])
  assert.deepEqual(await billed('wattle'), ['plan_base 5000'])
})

test('usage on the first day of a month that ended a subscription is billed with that month', async () => {
  const app = await cancelled('banksia', '2026-05-01T18:00:00Z')
  await company.rollup({ tenant_id: 'banksia' })
  await company.post(`/invoices/${(await company.invoice('banksia')).id}/issue`)
  company.clock.set('2026-06-02T06:00:00Z')
  await company.use(app, '7', '2026-05-01T09:00:00Z')
  await company.rollup({ tenant_id: 'banksia', period: '2026-05' })
  assert.deepEqual(await billed('banksia'), ['plan_base 5000'])
  assert.deepEqual(await billed('banksia', '2026-05'), ['usage 70'])
  const { id, lines } = await company.invoice('banksia', '2026-05')
  assert.deepEqual(lines[0].service_period, { start: '2026-05-01', end: '2026-05-02' })
  const { formula } = await company.ok('GET', `/invoices/${id}/lines/${lines[0].id}/explanation`)
  assert.equal(formula, '7 × 0.1 = 0.70')
})

test('a year is billed once, and the rest of it is given back when the plan is left', async () => {
  await sell('year', { interval: 'year', base_price_cents: 36_500 })
  const { subscription } = await subscribed('acacia', { plan_code: 'year', start_date: '2026-04-10' })
  company.clock.set('2026-05-11T00:00:00Z')
  await company.post(`${subscription}/plan-change`, { plan_code: 'studio', effective_date: '2026-07-01' })
  // 82 days under the plan, the other 283 are given back with those of the last month under it.
  assert.deepEqual(await billedBy('acacia', ['2026-04', '2026-05', '2026-06', '2026-07']), [
    ['plan_base 36500'],
    [],
    ['credit -28300'],
    ['plan_base 5000'],
  ])
})

test('a year’s price is given back once, by credit notes and by leaving together', async () => {
  const given = async (tenant_id: string, credit_cents: number) => {
    const { subscription } = await subscribed(tenant_id, {
      plan_code: 'year',
      start_date: '2026-04-10',
    })
    company.clock.set('2026-05-02T06:00:00Z')
    await company.rollup({ tenant_id })
    const { id } = await company.invoice(tenant_id)
    await company.post(`/invoices/${id}/issue`)
    const credit = (amount_cents: number) =>
      company.call('POST', `/invoices/${id}/credit-notes`, { body: { amount_cents, reason: 'Agreed' } })
    if (credit_cents > 0) assert.equal((await credit(credit_cents)).status, 201)
    // 31 of 365 days were had.
    await company.post(`${subscription}/cancel`, { end_date: '2026-05-11' })
    company.clock.set('2026-06-02T06:00:00Z')
    return { credit, lines: (await billedBy(tenant_id, ['2026-05']))[0] }
  }
  const { lines, credit } = await given('year_kept', 0)
  assert.deepEqual(lines, ['credit -33400'])
  const refused = await credit(40_150)
  assert.deepEqual([refused.status, refused.body.code], [422, 'invoicing/credit-too-large'])
  assert.match(refused.body.detail, /^At most 34.10 AUD/)
  assert.equal((await credit(3_410)).status, 201)
  assert.deepEqual((await given('year_credited', 40_150)).lines, [])
  assert.deepEqual((await given('year_mostly', 36_740)).lines, ['credit -3100'])
  assert.deepEqual((await given('year_goodwill', 1_100)).lines, ['credit -33400'])
  const broken = (await runAudit(company.db.read, invoicingInvariants)).filter(({ ok }) => !ok)
  assert.deepEqual(broken, [])
})

test('a month of which credit was given may come to less than nothing, by a year that is given back in it', async () => {
  const charges = [{ meter: 'api_calls', model: 'per_unit', unit_price: '0.10' }]
  await sell('metered_year', { interval: 'year', base_price_cents: 36_500, charges })
  const { subscription, app } = await subscribed('year_below', { plan_code: 'metered_year', start_date: '2026-03-10' })
  await company.use(app, '100', '2026-04-20T00:00:00Z')
  company.clock.set('2026-05-02T06:00:00Z')
  await company.rollup({ tenant_id: 'year_below' })
  const { id } = await company.invoice('year_below')
  await company.post(`/invoices/${id}/issue`)
  await company.post(`/invoices/${id}/credit-notes`, { amount_cents: 1_100, reason: 'Agreed' })
  await company.post(`${subscription}/cancel`, { end_date: '2026-04-11' })
  company.clock.set('2026-06-02T06:00:00Z')
  assert.deepEqual(await billedBy('year_below', ['2026-05']), [['adjustment -33300']])
  const broken = (await runAudit(company.db.read, invoicingInvariants)).filter(({ ok }) => !ok)
  assert.deepEqual(broken, [])
})

test('the next year begins on the day of the first, at the price of that day', async () => {
  await sell('annual', { interval: 'year', base_price_cents: 36_500 })
  const { subscription } = await subscribed('wandoo', { plan_code: 'annual', start_date: '2025-05-20' })
  await company.post(`${subscription}/overrides`, { base_price_cents: 73_000, start_date: '2026-05-02' })
  await company.post(`${subscription}/cancel`, { end_date: '2026-05-30' })
  assert.deepEqual(await billedBy('wandoo', ['2026-04', '2026-05']), [[], ['plan_base 73000', 'credit -71000']])
})

test('a year that an override has become dearer in is given back at what it was billed at', async () => {
  const { subscription } = await subscribed('marri', { plan_code: 'annual', start_date: '2026-05-01' })
  await company.post(`${subscription}/overrides`, { base_price_cents: 73_000, start_date: '2026-05-02' })
  await company.post(`${subscription}/cancel`, { end_date: '2026-05-11' })
  assert.deepEqual(await billedBy('marri', ['2026-05']), [['plan_base 36500', 'credit -35500']])
})

test('a year is given back at what the discounts of its first month left of it, less what pauses gave back', async () => {
  const { app, subscription } = await subscribed('bunya', { plan_code: 'annual', start_date: '2026-04-01' })
  await company.post(`${subscription}/discounts`, { name: 'Half', rate: '0.5', start_date: '2026-04-01', periods: 1 })
  await follows(app, { tenant_id: 'bunya', from: 'active', to: 'paused', at: '2026-05-11T00:00:00Z' })
  await follows(app, { tenant_id: 'bunya', from: 'paused', to: 'active', at: '2026-05-21T00:00:00Z' })
  await company.post(`${subscription}/discounts`, { name: 'Late', rate: '0.5', start_date: '2026-06-01' })
  await company.post(`${subscription}/cancel`, { end_date: '2026-07-01' })
  // 182.50 ÷ 365 a day: 10 days paused, and 274 from July on.
  assert.deepEqual(await billedBy('bunya', ['2026-04', '2026-05', '2026-06']), [
    ['plan_base 36500', 'credit -18250'],
    ['credit -500'],
    ['credit -13700'],
  ])
})

test('what is due once in a month is due once, however an override spells the same charge', async () => {
  const charge = { meter: 'api_calls', model: 'per_unit', unit_price: '0.10', min_amount: '10' }
  await sell('least', { base_price_cents: 0, proration: 'none', charges: [charge] })
  const { app, subscription } = await subscribed('sheoak', { plan_code: 'least', start_date: '2026-04-01' })
  const same = { min_amount: '10.00', unit_price: '0.1', max_amount: null, model: 'per_unit', meter: 'api_calls' }
  await company.post(`${subscription}/overrides`, { charges: [same], start_date: '2026-04-16' })
  await company.use(app, '30', '2026-04-20T00:00:00Z')
  assert.deepEqual(await billedBy('sheoak', ['2026-04']), [['usage 300', 'minimum 700']])
})

test('an override holds on its days, with its own filters', async () => {
  const { app, subscription } = await subscribed('tuart', { start_date: '2026-05-01' })
  await company.post(`${subscription}/overrides`, {
    base_price_cents: 3_100,
    charges: [{ meter: 'api_calls', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '1' }],
    start_date: '2026-05-16',
    end_date: '2026-05-26',
  })
  company.clock.set('2026-05-31T12:00:00Z')
  for (const day of [10, 20, 30]) {
    await company.use(app, '2', `2026-05-${day}T00:00:00Z`, { region: 'syd1' })
    await company.use(app, '3', `2026-05-${day}T00:00:01Z`, { region: 'ams3' })
  }
  // 15 of 31 days of 50.00, 10 of 31.00, and 6 of 50.00.
  assert.deepEqual(await billedBy('tuart', ['2026-05']), [
    ['plan_base 2419', 'usage 50', 'plan_base 1000', 'usage 30', 'usage 200', 'plan_base 968', 'usage 50'],
  ])
})

test('a discount of two months is on two invoices', async () => {
  const { subscription } = await subscribed('peppermint', { start_date: '2026-04-01' })
  await company.post(`${subscription}/discounts`, { name: 'Half', rate: '0.5', start_date: '2026-04-20', periods: 2 })
  assert.deepEqual(await billedBy('peppermint', ['2026-04', '2026-05', '2026-06']), [
    ['plan_base 5000', 'credit -2500'],
    ['plan_base 5000', 'credit -2500'],
    ['plan_base 5000'],
  ])
})

test('a level is billed every month that it lasts, and a fee per event for each event', async () => {
  await company.post('/meters', { code: 'stored', name: 'x', unit: 'GB·h', aggregation: 'time_weighted_sum' })
  await sell('fees', {
    charges: [
      { meter: 'stored', model: 'per_unit', unit_price: '0.01' },
      { meter: 'api_calls', model: 'percentage', rate: '0.0299', min_per_event: '1.75', max_per_event: '12' },
    ],
  })
  const { app } = await subscribed('jarrah', { plan_code: 'fees', start_date: '2026-04-01' })
  const level = { id: 'level', deployment_id: app, meter: 'stored', quantity: '1', occurred_at: '2026-03-05T00:00:00Z' }
  await company.post('/usage/events', { events: [level] })
  for (const quantity of ['10', '80', '10000']) await company.use(app, quantity, '2026-04-07T00:00:00Z')
  assert.deepEqual(await billedBy('jarrah', ['2026-04', '2026-05']), [['usage 720', 'usage 1614'], ['usage 744']])
})

test('a free add-on attached on 11 April changes nothing that the plan charges', async () => {
  await company.post('/addons', { code: 'gift', name: 'Gift', price_cents: 0, currency: 'AUD', quantity: '1' })
  const tiers = [{ up_to: null, unit_price: '0.03', flat_price: '90' }]
  const perUnit = { meter: 'api_calls', model: 'per_unit', unit_price: '1' }
  // A month that the add-on cut came to 210.00, 43.33 and 16.67.
  const cases: [plan: string, charge: object, before: string, after: string, subtotal_cents: number][] = [
    ['gift_tiers', { meter: 'api_calls', model: 'graduated', tiers }, '500', '500', 12_000],
    ['gift_least', { ...perUnit, min_amount: '30' }, '23.33', '0', 3_000],
    ['gift_most', { ...perUnit, max_amount: '30' }, '100', '6.67', 3_000],
  ]
  for (const [code, charge, before_it, after_it, subtotal_cents] of cases) {
    await sell(code, { charges: [charge] })
    const { app, subscription } = await subscribed(code, { plan_code: code })
    await company.post(`${subscription}/addons`, { code: 'gift', start_date: '2026-04-11' })
    await company.use(app, before_it, '2026-04-05T00:00:00Z')
    await company.use(app, after_it, '2026-04-20T00:00:00Z')
    await company.rollup({ tenant_id: code })
    assert.equal((await company.invoice(code)).subtotal_cents, subtotal_cents, code)
  }
})
