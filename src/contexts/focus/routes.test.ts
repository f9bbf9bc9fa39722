import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import type { CallOptions } from '../../../test/support/http.ts'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { insertRows, within } from '../../platform/db.ts'
import { type Company, SELLER, testCompany } from '../invoicing/company.fixture.ts'
import { focusRoutes } from './routes.ts'

const MANY_LINES = 2_345

let company: Company
let boab: string
let mulga: string
let invoice: { number: string; total_cents: number; currency: string }

before(async () => {
  company = await testCompany({ routes: (edge) => [focusRoutes(edge)] })
  boab = await company.tenant('boab', { timezone: 'Australia/Hobart' })
  mulga = await company.tenant('mulga')
  for (const id of [boab, mulga]) await company.subscribe(id)
  await company.use(boab, '3', '2026-04-10T00:00:00Z')
  await company.ask('boab', boab, { charge: '0.12345', occurred_at: '2026-04-11T00:00:00Z' })
  await company.rollup()
  const drafts = await company.ok('GET', '/invoices?period=2026-04&tenant_id=boab')
  invoice = await company.post(`/invoices/${drafts[0].id}/issue`, {})
})
after(() => company.close())

test('the rows of an allocated line are its shares, and the file adds up to the bill with what no line explains', async () => {
  await bill({ month: '2026-04-01', amount: '27.65', invoice_number: 'EXT-4' }, [
    { amount: '12.00', match_status: 'matched', tenant_id: 'boab', deployment_id: boab },
    {
      amount: '9.00',
      quantity: '90',
      unit: 'hours',
      match_status: 'allocated',
      shares: [
        { tenant_id: 'boab', deployment_id: boab, amount: '6.00' },
        { tenant_id: 'mulga', deployment_id: mulga, amount: '3.00' },
      ],
    },
    { amount: '5.00', charge_category: 'Purchase', kind: 'spaces' },
    { amount: '2.60', charge_category: 'Tax', kind: 'tax', match_status: 'not_applicable' },
    { amount: '-1.00', charge_category: 'Credit', kind: 'credit', match_status: 'not_applicable' },
  ])
  const rows = await exported('/exports/focus?period=2026-04')
  assert.deepEqual(
    rows.map((row) => [
      row['ChargeCategory'],
      row['BilledCost'],
      row['EffectiveCost'],
      row['PricingQuantity'],
      row['PricingUnit'],
    ]),
    [
      ['Usage', '12', '12', '1', 'Units'],
      ['Usage', '6', '6', '60', 'Hours'],
      ['Usage', '3', '3', '30', 'Hours'],
      ['Purchase', '5', '0', '1', 'Units'],
      ['Tax', '2.6', '2.6', '', ''],
      ['Credit', '-1', '-1', '', ''],
      ['Adjustment', '0.05', '0.05', '', ''],
    ],
  )
  assert.deepEqual(
    rows.slice(0, 4).map((row) => row['Tags']),
    [owner('boab', 'boab-app'), owner('boab', 'boab-app'), owner('mulga', 'mulga-app'), ''],
  )
  assert.equal(costOf(rows), '27.65')
  assert.deepEqual(
    [...new Set(rows.map((row) => `${row['InvoiceIssuerName']} ${row['InvoiceId']}`))],
    ['DigitalOcean EXT-4'],
  )
})

test('a backup that is matched by its droplet does not have the id of the droplet', async () => {
  const droplet = company.edge.ids.uuid()
  await company.db.script(`
    insert into inventory.resource (id, provider, kind, external_id, name, tags, born_at, first_seen_at, last_seen_at)
    values ('${droplet}', 'digitalocean', 'droplet', '4711', 'web', '{}', '2026-01-01', '2026-01-01', '2026-01-01')`)
  await bill({ month: '2026-01-01', amount: null }, [
    { amount: '4.00', resource_id: droplet, resource_name: 'web' },
    { amount: '0.80', kind: 'backup', resource_id: droplet, resource_name: 'web' },
  ])
  const rows = await exported('/exports/focus?period=2026-01')
  assert.deepEqual(
    rows.map((row) => [row['ResourceId'], row['ResourceType'], row['ResourceName']]),
    [
      ['4711', 'Droplet', 'web'],
      ['', '', ''],
    ],
  )
})

test('a bill of any number of lines comes whole and in order', async () => {
  const amounts = Array.from({ length: MANY_LINES }, (_, index) => `0.${index + 1_000}`)
  await bill(
    { month: '2026-02-01', amount: null },
    amounts.map((amount) => ({ amount })),
  )
  const rows = await exported('/exports/focus?period=2026-02')
  assert.deepEqual(
    rows.map((row) => row['BilledCost']),
    amounts.map((amount) => plain(decimal(amount))),
  )
})

test('a month that is not billed yet is refused, and with preview=true comes without an invoice', async () => {
  await bill({ month: '2026-05-01', amount: null, status: 'preview' }, [{ amount: '4.00' }])
  const { status, body } = await company.call('GET', '/exports/focus?period=2026-05')
  assert.deepEqual([status, body.code], [409, 'focus/only-previews'])
  const rows = await exported('/exports/focus?period=2026-05&preview=true')
  assert.deepEqual(
    rows.map((row) => [row['BilledCost'], row['InvoiceId']]),
    [['4', '']],
  )
})

test('a month without bills is a file without rows', async () => {
  const { headers, text } = await company.call('GET', '/exports/focus?period=2025-01')
  assert.equal(text.split('\n').length, 2)
  assert.equal(headers['content-disposition'], 'attachment; filename="focus-2025-01.csv"')
})

test("a tenant's rows are the lines of its issued invoice, tax too, and nothing of what they cost", async () => {
  const rows = await exported('/exports/focus?period=2026-04', { as: { tenant: 'boab' } })
  assert.deepEqual(
    rows.map((row) => [row['ChargeCategory'], row['ChargeFrequency'], row['ServiceName'], row['BilledCost']]),
    [
      ['Usage', 'Recurring', 'Application hosting', '50'],
      ['Usage', 'Usage-Based', 'Application hosting', '0.3'],
      ['Usage', 'Usage-Based', 'Language models', '0.12'],
      ['Tax', 'One-Time', 'Taxes', '5.04'],
    ],
  )
  assert.equal(costOf(rows), plain(decimal(BigInt(invoice.total_cents)).div(decimal('100'))))
  for (const row of rows) {
    assert.deepEqual(
      ['ProviderName', 'PublisherName', 'InvoiceIssuerName', 'InvoiceId', 'BillingCurrency', 'BillingAccountId'].map(
        (column) => row[column],
      ),
      [SELLER.legal_name, SELLER.legal_name, SELLER.legal_name, invoice.number, invoice.currency, 'boab'],
    )
    // The month of the tenant's zone.
    assert.equal(`${row['BillingPeriodStart']}/${row['BillingPeriodEnd']}`, '2026-03-31T13:00:00Z/2026-04-30T14:00:00Z')
  }
})

test('the operator gets the same file for a tenant, and a draft is not in it', async () => {
  const own = await company.call('GET', '/exports/focus?period=2026-04', { as: { tenant: 'boab' } })
  const asked = await company.call('GET', '/exports/focus?period=2026-04&tenant_id=boab')
  assert.equal(asked.text, own.text)
  assert.deepEqual(await exported('/exports/focus?period=2026-04&tenant_id=mulga'), [])
})

test('another tenant is not there, the previews are the operator’s, and a gateway has no exports', async () => {
  const answers: [string, CallOptions, number][] = [
    ['period=2026-04&tenant_id=mulga', { as: { tenant: 'boab' } }, 404],
    ['period=2026-04&tenant_id=nobody', {}, 404],
    ['period=2026-04&preview=true', { as: { tenant: 'boab' } }, 422],
    ['period=April', {}, 422],
    ['period=2026-04', { as: 'gateway' }, 403],
  ]
  for (const [query, options, status] of answers) {
    assert.equal((await company.call('GET', `/exports/focus?${query}`, options)).status, status, query)
  }
})

type Line = {
  amount: string
  kind?: string
  charge_category?: string
  match_status?: string
  quantity?: string
  unit?: string
  resource_id?: string
  resource_name?: string
  tenant_id?: string
  deployment_id?: string
  shares?: { tenant_id: string; deployment_id: string; amount: string }[]
}

/** Stores a provider's bill as it is after its ingestion. */
async function bill(
  {
    month,
    amount,
    invoice_number = null,
    status = 'issued',
  }: { month: string; amount: string | null; invoice_number?: string | null; status?: 'issued' | 'preview' },
  lines: readonly Line[],
): Promise<void> {
  const { ids, clock } = company.edge
  const provider_invoice_id = ids.uuid()
  const lines_amount = plain(sum(lines.map((line) => decimal(line.amount))))
  const header = {
    id: provider_invoice_id,
    provider: 'digitalocean',
    invoice_number,
    number_is_stated: invoice_number !== null,
    external_id: status === 'preview' ? 'preview' : `EXT-${month}`,
    status: 'preview',
    currency: 'USD',
    amount: amount ?? lines_amount,
    lines_amount,
    content_hash: month,
    incomplete_readings: 0,
    announced_at: clock.now(),
    ingested_at: clock.now(),
    period_start: month,
    period_end: Temporal.PlainDate.from(month).add({ months: 1 }),
  }
  const stored = lines.map(({ shares: _shares, ...line }, position) => ({
    provider_invoice_id,
    position,
    id: ids.uuid(),
    provider: 'digitalocean',
    kind: 'droplet',
    product: 'Droplets',
    description: 'a line',
    currency: 'USD',
    charge_category: 'Usage',
    service_category: 'Compute',
    service_name: 'Droplets',
    charge_start: `${month}T00:00:00Z`,
    charge_end: `${month}T01:00:00Z`,
    match_status: 'unmatched',
    match_reason: 'a test',
    quantity: null,
    unit: null,
    resource_id: null,
    resource_name: null,
    tenant_id: null,
    deployment_id: null,
    ...line,
  }))
  const shares = lines.flatMap((line, position) =>
    (line.shares ?? []).map((share) => Object.assign({ cost_line_id: stored[position]?.id }, share)),
  )
  await company.db.transaction(async (tx) => {
    const costs = within<'costs'>(tx)
    await insertRows(costs, 'costs.provider_invoice', [header])
    await insertRows(costs, 'costs.cost_line', stored)
    await insertRows(costs, 'costs.line_share', shares)
    await costs.updateTable('costs.provider_invoice').set({ status }).where('id', '=', provider_invoice_id).execute()
  })
}

async function exported(path: string, options: CallOptions = {}): Promise<Record<string, string>[]> {
  const { status, text, headers } = await company.call('GET', path, options)
  assert.equal(status, 200, text)
  assert.equal(headers['content-type'], 'text/csv; charset=utf-8')
  return parse(text, { columns: true })
}

function costOf(rows: readonly Record<string, string>[]): string {
  return plain(sum(rows.map((row) => decimal(row['BilledCost'] ?? ''))))
}

function owner(tenant: string, deployment: string): string {
  return JSON.stringify({ 'arcadia/tenant': tenant, 'arcadia/deployment': deployment })
}
