import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, testCompany } from '../invoicing/company.fixture.ts'
import { marginRoutes } from './routes.ts'

const STUDIO = {
  currency: 'AUD',
  base_price_cents: 5_000,
  charges: [
    { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
    { meter: 'api_calls', model: 'per_unit', unit_price: '0.10' },
  ],
}
let company: Company
let boab: string
let kelpie: string

before(async () => {
  company = await testCompany({ routes: (edge) => [marginRoutes(edge)] })
  boab = await company.tenant('boab')
  kelpie = await company.tenant('kelpie')
  const quiet = await company.tenant('quiet')
  // Another plan is no part of the question.
  await company.plan('team', { base_price_cents: 9_900 })
  for (const [id, order] of [
    [boab, {}],
    [kelpie, { start_date: '2026-04-16' }],
    [quiet, { plan_code: 'team' }],
  ] as const) {
    await company.subscribe(id, { start_date: '2026-03-01', ...order })
  }
  await company.use(boab, '50', '2026-03-10T00:00:00Z')
  await company.use(boab, '300', '2026-04-10T00:00:00Z')
  // The draft: 20.00 dearer, and 100 calls free.
  await company.post('/plans/studio/versions', {
    ...STUDIO,
    base_price_cents: 7_000,
    charges: [{ meter: 'api_calls', model: 'per_unit', unit_price: '0.10', included_quantity: '400' }],
  })
})
after(() => company.close())

const ask = (plan: object, months: object = {}) =>
  company.call('POST', '/what-if', { body: { plan, from: '2026-03', to: '2026-04', ...months } })
const answer = async (plan: object, months: object = {}) => {
  const { status, body, text } = await ask(plan, months)
  assert.equal(status, 200, text)
  return body.data
}
const outline = (tenants: Record<string, unknown>[]) =>
  tenants.map((row) => [row['tenant_id'], row['revenue_now_cents'], row['revenue_then_cents'], row['outcome']])

test('a draft is laid over what occurred: who pays less comes first, and the totals add up', async () => {
  const { tenants, totals, currency, plan_version } = await answer({ code: 'studio', version: 2 })
  assert.deepEqual([currency, plan_version], ['AUD', 2])
  assert.deepEqual(outline(tenants), [
    // March 50.00 + 5.00 and April 50.00 + 30.00, against twice 70.00; half of April for 25.00, against 35.00.
    ['boab', 13_500, 14_000, 'loser'],
    ['kelpie', 2_500, 3_500, 'loser'],
  ])
  assert.deepEqual(
    [totals.revenue_now_cents, totals.revenue_then_cents, totals.difference_cents, totals.winners, totals.losers],
    [16_000, 17_500, 1_500, 0, 2],
  )
})

test('prices that are in no version are asked about as they are given', async () => {
  const { tenants, plan_version } = await answer({ code: 'studio', terms: { ...STUDIO, base_price_cents: 4_000 } })
  assert.equal(plan_version, null)
  assert.deepEqual(outline(tenants), [
    ['boab', 13_500, 11_500, 'winner'],
    ['kelpie', 2_500, 2_000, 'winner'],
  ])
})

test('amounts beyond what a float holds are added up and told to the cent', async () => {
  const charges = [{ meter: 'api_calls', model: 'per_unit', unit_price: '999999999999999' }]
  const { tenants, totals } = await answer({
    code: 'studio',
    terms: { ...STUDIO, base_price_cents: 10_000_000_000_000, charges },
  })
  assert.deepEqual(
    tenants.map((row: { tenant_id: string }) => row.tenant_id),
    ['kelpie', 'boab'],
  )
  assert.ok(totals.revenue_then_cents > 2 ** 53)
  const beyond = await ask({ code: 'studio', terms: { ...STUDIO, base_price_cents: 10_000_000_000_001 } })
  assert.equal(beyond.status, 422)
})

test('a yearly price counts by the days of its year, in whatever month one begins to look', async () => {
  const terms = { currency: 'AUD', interval: 'year', base_price_cents: 36_500 }
  const { tenants, hints } = await answer({ code: 'studio', terms })
  // 61 and 15 days at 1.00.
  assert.deepEqual(outline(tenants), [
    ['boab', 13_500, 6_100, 'winner'],
    ['kelpie', 2_500, 1_500, 'winner'],
  ])
  assert.match(hints[0], /^A yearly price counts by the days of its year/)
  const april = await answer({ code: 'studio', terms }, { from: '2026-04' })
  assert.deepEqual(outline(april.tenants), [
    ['boab', 8_000, 3_000, 'winner'],
    ['kelpie', 2_500, 1_500, 'winner'],
  ])
})

test('a yearly price that is asked about a monthly one counts by days on that side too', async () => {
  await company.post('/plans', {
    code: 'annual',
    name: 'Annual',
    version: { currency: 'AUD', interval: 'year', base_price_cents: 36_500 },
  })
  await company.post('/plans/annual/versions/1/publish')
  await company.subscribe(await company.tenant('wombat'), { plan_code: 'annual', start_date: '2026-03-17' })
  const terms = { currency: 'AUD', base_price_cents: 3_100 }
  for (const [from, now_cents, then_cents] of [
    ['2026-03', 4_500, 4_600],
    ['2026-04', 3_000, 3_100],
  ] as const) {
    const { tenants } = await answer({ code: 'annual', terms }, { from })
    assert.deepEqual(outline(tenants), [['wombat', now_cents, then_cents, 'loser']])
  }
})

test('the version that all are on changes nothing, also for a price of one’s own; another drops it', async () => {
  const { subscription } = await company.ok('GET', `/deployments/${kelpie}`)
  const days = { start_date: '2026-04-16', end_date: '2026-05-01' }
  await company.post(`/subscriptions/${subscription.id}/overrides`, { base_price_cents: 3_000, ...days })
  const same = await answer({ code: 'studio', version: 1 })
  assert.deepEqual(outline(same.tenants).at(1), ['kelpie', 1_500, 1_500, 'same'])
  assert.equal(same.totals.difference_cents, 0)
  const moved = await answer({ code: 'studio', version: 2 })
  assert.deepEqual(outline(moved.tenants).at(1), ['kelpie', 1_500, 3_500, 'loser'])
})

test('a cost that no bill names is not known, and neither is the margin', async () => {
  const { totals, hints } = await answer({ code: 'studio', version: 2 })
  assert.deepEqual([totals.cost_cents, totals.margin_now_cents, totals.coverage], [null, null, '0'])
  assert.deepEqual(hints, ['No cost is known for these months, and so no margin.'])
})

test('who is billed in another currency is left out, and said to be', async () => {
  const { tenants, left_out } = await answer({ code: 'studio', terms: { currency: 'USD', base_price_cents: 1 } })
  assert.deepEqual(tenants, [])
  assert.deepEqual(
    left_out.map((row: Record<string, unknown>) => [row['tenant_id'], row['month'], row['code']]),
    [
      ['boab', '2026-03', 'margin/mixed-currencies'],
      ['boab', '2026-04', 'margin/mixed-currencies'],
      ['kelpie', '2026-04', 'margin/mixed-currencies'],
    ],
  )
})

test('nothing is stored', async () => {
  const { subscription } = await company.ok('GET', `/deployments/${boab}`)
  const stored = await company.ok('GET', `/subscriptions/${subscription.id}`)
  await answer({ code: 'studio', version: 2 })
  assert.deepEqual(await company.ok('GET', `/subscriptions/${subscription.id}`), stored)
  assert.deepEqual((await company.call('GET', '/invoices')).body.data, [])
})

test('a question that cannot be answered names the field and the rule', async () => {
  const refusals: [object, object, string][] = [
    [{ code: 'nothing', version: 1 }, {}, 'plan/code: there is no plan nothing; known are annual, studio, team'],
    [{ code: 'studio', version: 9 }, {}, 'plan/version: plan studio has no version 9'],
    [
      { code: 'studio', terms: { ...STUDIO, base_price_cents: -1 } },
      {},
      'plan/terms/base_price_cents: must not be negative',
    ],
    [{ code: 'studio', version: 2 }, { from: '2026-05' }, 'to: must not be before 2026-05'],
    [{ code: 'studio', version: 2 }, { to: '2026-06' }, 'to: must not be after 2026-05: it is history'],
    [{ code: 'studio', version: 2 }, { from: '2020-01' }, 'to: must be at most 36 months on'],
    [
      { code: 'studio', version: 2 },
      { from: '2026-13' },
      'from: must be a month such as 2026-04, or a day in it, in the years 1900 to 2999; found "2026-13"',
    ],
  ]
  for (const [plan, months, fault] of refusals) {
    const { status, body } = await ask(plan, months)
    assert.deepEqual([status, `${body.errors[0].path}: ${body.errors[0].message}`], [422, fault])
  }
  const as = { tenant: 'boab' }
  const body = { plan: { code: 'studio', version: 2 }, from: '2026-03', to: '2026-04' }
  assert.equal((await company.call('POST', '/what-if', { as, body })).status, 403)
})

test('what was used on the day that the plan ended counts in the month of that day', async () => {
  await company.plan('short', { base_price_cents: 1_000 })
  const [used, unused] = [await company.tenant('dingo'), await company.tenant('emu')]
  for (const app of [used, unused]) {
    const { id } = await company.subscribe(app, { plan_code: 'short', start_date: '2026-03-01' })
    await company.post(`/subscriptions/${id}/cancel`, { end_date: '2026-04-01' })
  }
  await company.use(used, '7', '2026-04-01T00:00:00Z')
  const charges = [{ meter: 'api_calls', model: 'per_unit', unit_price: '0.20' }]
  const { tenants } = await answer({ code: 'short', terms: { ...STUDIO, charges } }, { from: '2026-04' })
  assert.deepEqual(outline(tenants), [['dingo', 70, 140, 'loser']])
})
