import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { insertRows, within } from '../../platform/db.ts'
import { type Company, testCompany } from '../invoicing/company.fixture.ts'
import { marginRoutes } from './routes.ts'

const statements: string[] = []
let company: Company
let boab: string
let mulga: string

before(async () => {
  company = await testCompany({ routes: (edge) => [marginRoutes(edge)], on_query: (text) => statements.push(text) })
  boab = await company.tenant('boab')
  mulga = await company.tenant('mulga')
  for (const id of [boab, mulga]) await company.subscribe(id)
  const droplets = await company.droplets('boab', boab, { count: 2, from: '2026-03-15T00:00:00Z' })
  await company.droplets('mulga', mulga, { count: 1, from: '2026-03-15T00:00:00Z', to: '2026-04-01T00:00:00Z' })
  await rentWhatNoBillNames('boab', boab)
  await company.rollup()
  await bill('issued', '2026-04-01', [
    { amount: '12.00', match_status: 'matched', resource_id: droplets[0], tenant_id: 'boab', deployment_id: boab },
    {
      amount: '9.00',
      match_status: 'allocated',
      shares: [
        { tenant_id: 'boab', deployment_id: boab, amount: '6.00' },
        { tenant_id: 'mulga', deployment_id: mulga, amount: '3.00' },
      ],
    },
    { amount: '5.00', match_status: 'unmatched' },
    { amount: '2.60', charge_category: 'Tax', match_status: 'not_applicable' },
    { amount: '-1.00', charge_category: 'Credit', match_status: 'not_applicable' },
  ])
  await bill('preview', '2026-04-01', [{ amount: '99.00', match_status: 'unmatched' }])
})
after(() => company.close())

/** It must not lower the coverage. */
async function rentWhatNoBillNames(tenant_id: string, deployment_id: string): Promise<void> {
  const { ids } = company.edge
  const at = '2026-03-15T00:00:00Z'
  const resources = [
    { kind: 'project', size: '' },
    { kind: 'kubernetes_node', size: 's-1vcpu-1gb' },
    { kind: 'reserved_ip', size: 'assigned' },
  ].map((of) => ({ ...of, id: ids.uuid(), span_id: ids.uuid() }))
  await company.db.transaction(async (tx) => {
    const seen = { born_at: at, first_seen_at: at, last_seen_at: at }
    await insertRows(
      within<'inventory'>(tx),
      'inventory.resource',
      resources.map(({ id, kind }) => ({
        id,
        kind,
        provider: 'digitalocean',
        external_id: id,
        name: id,
        tags: [],
        ...seen,
      })),
    )
    await insertRows(
      within<'inventory'>(tx),
      'inventory.span',
      resources.map(({ id, span_id, size }) => ({
        id: span_id,
        resource_id: id,
        starts_at: at,
        name: id,
        size,
        size_gb: '0',
        tags: [],
        tenant_id,
        deployment_id,
        changed_at: at,
      })),
    )
  })
}

type Line = {
  amount: string
  match_status: string
  charge_category?: string
  resource_id?: string | undefined
  tenant_id?: string
  deployment_id?: string
  shares?: { tenant_id: string; deployment_id: string; amount: string }[]
}

/** Stores a provider's bill in the tenants' currency, as it is after its ingestion. */
async function bill(status: 'issued' | 'preview', period_start: string, lines: Line[]) {
  const { ids, clock } = company.edge
  const provider_invoice_id = ids.uuid()
  const amount = plain(sum(lines.map((line) => decimal(line.amount))))
  const period_end = Temporal.PlainDate.from(period_start).add({ months: 1 })
  const header = {
    id: provider_invoice_id,
    provider: 'digitalocean',
    external_id: status,
    status: 'preview',
    currency: 'AUD',
    amount,
    lines_amount: amount,
    content_hash: 'h',
    incomplete_readings: 0,
    announced_at: clock.now(),
    ingested_at: clock.now(),
    period_start,
    period_end,
  }
  const stored = lines.map((line, position) => {
    const { shares: _shares, ...columns } = line
    return {
      provider_invoice_id,
      position,
      id: ids.uuid(),
      provider: 'digitalocean',
      kind: 'droplet',
      product: 'Droplets',
      service_category: 'Compute',
      service_name: 'Droplets',
      description: 'a droplet',
      currency: 'AUD',
      charge_start: `${period_start}T00:00:00Z`,
      charge_end: `${period_start}T01:00:00Z`,
      match_reason: 'a test',
      charge_category: 'Usage',
      resource_id: null,
      tenant_id: null,
      deployment_id: null,
      ...columns,
    }
  })
  const shares = lines.flatMap((line, position) =>
    (line.shares ?? []).map((share) => ({ cost_line_id: stored[position]?.id, ...share })),
  )
  await company.db.transaction(async (tx) => {
    const costs = within<'costs'>(tx)
    await insertRows(costs, 'costs.provider_invoice', [header])
    await insertRows(costs, 'costs.cost_line', stored)
    await insertRows(costs, 'costs.line_share', shares)
    // The lines of an issued bill cannot be changed any more.
    await costs.updateTable('costs.provider_invoice').set({ status }).where('id', '=', provider_invoice_id).execute()
  })
}

const margin = (query: string) => company.ok('GET', `/margin?${query}`)

test('revenue comes from the month’s live invoices, cost from its issued bill, a preview left aside', async () => {
  const { rows, totals, currency, period } = await margin('period=2026-04')
  assert.deepEqual([currency, period], ['AUD', { start: '2026-04-01', end: '2026-05-01' }])
  // Two droplets are 1,440 hours: within what the plan includes. Only one of them is on the bill.
  assert.deepEqual(rows.map(shown), [
    ['boab-app', 5_000, 1_800, 3_200, '0.5'],
    ['mulga-app', 5_000, 300, 4_700, '1'],
  ])
  assert.deepEqual(totals, {
    revenue_cents: 10_000,
    draft_revenue_cents: 10_000,
    attributed_cost_cents: 2_100,
    unmatched_cost_cents: 500,
    tax_cents: 260,
    credit_cents: -100,
    bill_total_cents: 2_760,
    margin_cents: 7_240,
    coverage: '0.8077',
  })
})

test('both books are read in one statement, so that neither changes in between', async () => {
  statements.length = 0
  await margin('period=2026-04')
  assert.equal(statements.length, 1)
})

test('every row says how much of its revenue is draft', async () => {
  await company.post(`/invoices/${(await company.invoice('boab')).id}/issue`)
  const drafts = async (group_by: string) => {
    const { rows, totals, hints } = await margin(`period=2026-04&group_by=${group_by}`)
    const of = rows.map((row: { draft_revenue_cents: number }) => row.draft_revenue_cents)
    return [of, totals.draft_revenue_cents, /on drafts/.test(hints[0])]
  }
  assert.deepEqual(await drafts('deployment'), [[0, 5_000], 5_000, true])
  assert.deepEqual(await drafts('tenant'), [[0, 5_000], 5_000, true])
  // What was sold, then what was rented.
  assert.deepEqual(await drafts('kind'), [[0, 5_000, null], 5_000, true])
})

test('what is credited, less its tax, is no revenue, and is of no deployment', async () => {
  const { id } = await company.invoice('boab')
  await company.post(`/invoices/${id}/credit-notes`, { amount_cents: 1_100, reason: 'Goodwill' })
  const { rows, totals } = await margin('period=2026-04&group_by=kind')
  assert.deepEqual(rows.slice(0, 2).map(shownKind), [
    ['credit', -1_000],
    ['overage', 0],
  ])
  assert.equal(totals.revenue_cents, 9_000)
  const owners = await margin('period=2026-04')
  assert.deepEqual(owners.rows.map(shown)[1], [null, -1_000, 0, -1_000, null])
})

test('a void invoice is no revenue', async () => {
  const { id } = await company.invoice('mulga')
  await company.post(`/invoices/${id}/void`, {})
  const { rows } = await margin('period=2026-04&group_by=tenant')
  assert.deepEqual(
    rows.map((row: { tenant_id: string; revenue_cents: number }) => [row.tenant_id, row.revenue_cents]),
    [
      ['boab', 4_000],
      ['mulga', 0],
    ],
  )
})

test('a month without a bill has unknown cost', async () => {
  const { rows, totals } = await margin('period=2026-03')
  assert.deepEqual(
    rows.map((row: { deployment: string; cost_cents: null }) => [row.deployment, row.cost_cents]),
    [
      ['boab-app', null],
      ['mulga-app', null],
    ],
  )
  assert.equal(totals.bill_total_cents, null)
})

test('the margin is the operator’s alone', async () => {
  assert.equal((await company.call('GET', '/margin?period=2026-04', { as: { tenant: 'boab' } })).status, 403)
})

test('a query that is not understood is refused', async () => {
  for (const query of ['', 'period=april', 'period=2026-04&group_by=plan', 'period=2026-04&tenant=boab']) {
    assert.equal((await company.call('GET', `/margin?${query}`)).status, 422, query)
  }
})

function shownKind(row: Record<string, unknown>) {
  return [row['kind'], row['revenue_cents']]
}

function shown(row: Record<string, unknown>) {
  return [row['deployment'], row['revenue_cents'], row['cost_cents'], row['margin_cents'], row['coverage']]
}
