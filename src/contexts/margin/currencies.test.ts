import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { costsRoutes } from '../costs/index.ts'
import { type Company, testCompany } from '../invoicing/company.fixture.ts'
import { marginRoutes } from './routes.ts'

/** A tenant in AUD, one in USD, and a bill in USD. */

const BILL = `product,group_description,description,hours,start,end,USD,project_name,category
Droplets,,shop-web,720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$33.33,,iaas
Droplets,,blog-web,720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$20.00,,iaas
Droplets,,nobody,720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$5.00,,iaas
Taxes,,GST 10%,,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$5.83,,
`

let company: Company

before(async () => {
  company = await testCompany({
    routes: (edge) => [costsRoutes(edge, { provider: null, onBillIssued: async () => {} }), marginRoutes(edge)],
  })
  await company.plan('overseas', { currency: 'USD', base_price_cents: 2_000 })
  const boab = await company.tenant('boab')
  const mulga = await company.tenant('mulga', { currency: 'USD' })
  await company.subscribe(boab)
  await company.subscribe(mulga, { plan_code: 'overseas' })
  await company.rollup()
  await company.ok('POST', '/billing/provider-invoices/import?period=2026-04', {
    body: BILL,
    headers: { 'content-type': 'text/csv' },
  })
  await assign('shop-web', boab)
  await assign('blog-web', mulga)
})
after(() => company.close())

test('without a rate the margin is refused, and says which rate to record', async () => {
  const { status, body } = await company.call('GET', '/margin?period=2026-04')
  assert.deepEqual([status, body.code], [422, 'margin/no-exchange-rate'])
  assert.match(body.detail, /AUD to USD.*POST \/billing\/exchange-rates/)
})

test('without a rate a what-if leaves the cost out, and says why', async () => {
  const { totals, hints } = await whatIf()
  assert.deepEqual([totals.cost_cents, totals.margin_now_cents, totals.coverage], [null, null, '0'])
  assert.match(hints[0], /^The cost of 2026-04 is left out: No rate .*USD to AUD.*POST \/billing\/exchange-rates/)
})

test('invoices in two currencies are added up in that of the bill, at the last rate up to the end of the month', async () => {
  await record('2026-04-15', '0.5')
  await record('2026-04-30', '0.66')
  await record('2026-05-01', '0.7')
  const { currency, rows, totals, conversions } = await margin('period=2026-04')
  assert.equal(currency, 'USD')
  assert.deepEqual(rows.map(shown), [
    ['boab-app', 3_300, 3_333, -33],
    ['mulga-app', 2_000, 2_000, 0],
  ])
  assert.deepEqual([totals.revenue_cents, totals.bill_total_cents, totals.margin_cents], [5_300, 6_416, -1_116])
  assert.deepEqual(conversions, [
    {
      of: 'revenue',
      from: 'AUD',
      to: 'USD',
      date: '2026-04-30',
      rate: '0.66',
      inverse_of: null,
      source: 'Reserve Bank',
      amount_from: '50',
      amount_to: '33',
    },
  ])
})

test('a what-if has its cost converted by the same rate into the currency of the prices', async () => {
  const { totals, hints } = await whatIf()
  // 33.33 ÷ 0.66.
  assert.deepEqual(
    [totals.revenue_now_cents, totals.revenue_then_cents, totals.cost_cents, totals.coverage],
    [5_000, 6_000, 5_050, '1'],
  )
  assert.deepEqual([totals.margin_now_cents, totals.margin_then_cents], [-50, 950])
  assert.deepEqual(hints, [])
})

test('the same month in the other currency, by the same rate, adds up as well', async () => {
  const { currency, rows, totals, conversions } = await margin('period=2026-04&currency=AUD')
  assert.equal(currency, 'AUD')
  assert.deepEqual(rows.map(shown), [
    ['boab-app', 5_000, 5_050, -50],
    ['mulga-app', 3_030, 3_030, 0],
  ])
  assert.deepEqual(totals, {
    revenue_cents: 8_030,
    draft_revenue_cents: 8_030,
    attributed_cost_cents: 8_080,
    unmatched_cost_cents: 758,
    tax_cents: 883,
    credit_cents: 0,
    bill_total_cents: 9_721,
    margin_cents: -1_691,
    coverage: '0.9143',
  })
  assert.deepEqual(
    conversions.map((of: Record<string, unknown>) => [of['of'], of['amount_from'], of['inverse_of']]),
    [
      ['revenue', '20', '0.66'],
      ['cost', '64.16', '0.66'],
    ],
  )
})

test('invoices in one currency decide what the margin is in, whatever the bills are in', async () => {
  const { id } = await company.invoice('mulga')
  await company.post(`/invoices/${id}/void`, {})
  const { currency, totals } = await margin('period=2026-04')
  assert.deepEqual([currency, totals.revenue_cents, totals.bill_total_cents], ['AUD', 5_000, 9_721])
})

test('a month without books is in the currency that is named, without a rate', async () => {
  const { currency, totals, conversions } = await margin('period=2026-01&currency=JPY')
  assert.deepEqual([currency, totals.revenue_cents, conversions], ['JPY', 0, []])
})

test('what is no currency is refused', async () => {
  for (const currency of ['aud', 'XQX', '']) {
    const { status, body } = await company.call('GET', `/margin?period=2026-04&currency=${currency}`)
    assert.deepEqual([status, body.errors?.[0]?.path], [422, 'currency'])
  }
})

function margin(query: string) {
  return company.ok('GET', `/margin?${query}`)
}

function whatIf() {
  const terms = { currency: 'AUD', base_price_cents: 6_000 }
  return company.post('/what-if', { plan: { code: 'studio', terms }, from: '2026-04', to: '2026-04' })
}

async function record(date: string, rate: string): Promise<void> {
  await company.post('/billing/exchange-rates', { from: 'AUD', to: 'USD', date, rate, source: 'Reserve Bank' })
}

async function assign(description: string, deployment_id: string): Promise<void> {
  const lines = await company.ok('GET', '/billing/cost-lines?period=2026-04')
  const line = lines.find((of: { description: string }) => of.description === description)
  await company.post(`/billing/cost-lines/${line?.id}/assignment`, { deployment_id })
}

function shown(row: Record<string, unknown>) {
  return [row['deployment'], row['revenue_cents'], row['cost_cents'], row['margin_cents']]
}
