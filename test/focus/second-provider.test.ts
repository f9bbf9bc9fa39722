import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { decimal, plain, sum } from '../../src/kernel/decimal.ts'
import { type Books, openBooks } from '../scenarios/books.ts'
import { memoryDatabase } from '../support/database.ts'

/** A provider that the program knows nothing of, by its files alone. */

const IMPORT = '/billing/provider-invoices/import'
const TOTAL = '100.435513'

let books: Books
let shop: string
let blog: string

before(async () => {
  books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
  shop = await deploy('boab', 'shop')
  blog = await deploy('mulga', 'blog')
})
after(() => books.close())

test('a FOCUS file comes in whole, balanced and classified', async () => {
  const { status, body } = await upload(fixture('example-cloud-1.2.csv'))
  assert.equal(status, 201)
  const { balanced, ...bill } = await books.ok('GET', `/billing/provider-invoices/${body.data.id}`)
  assert.deepEqual(
    [bill.provider, bill.invoice_number, bill.status, bill.currency, bill.amount, balanced],
    ['example-cloud', 'EXC-2026-0417', 'issued', 'USD', TOTAL, true],
  )
  assert.deepEqual(
    (await lines()).map((line) => [line.kind, line.charge_category, line.amount, line.match_status]),
    [
      ['virtual_machine', 'Usage', '36', 'unmatched'],
      ['virtual_machine', 'Usage', '18.025', 'unmatched'],
      ['object_storage', 'Usage', '0.000012', 'unmatched'],
      ['object_storage', 'Usage', '12.48', 'unmatched'],
      ['unclassified', 'Usage', '0.8', 'unmatched'],
      ['support', 'Purchase', '29', 'unmatched'],
      ['credit', 'Credit', '-5', 'not_applicable'],
      ['tax', 'Tax', '9.130501', 'not_applicable'],
    ],
  )
})

test('the same file again changes nothing, compressed or not', async () => {
  for (const file of [fixture('example-cloud-1.2.csv'), gzipSync(fixture('example-cloud-1.2.csv'))]) {
    assert.equal((await upload(file)).status, 200)
  }
  assert.equal((await lines()).length, 8)
})

test('its lines find their deployment by hand and by rule, and the rest is shown as unmatched', async () => {
  const [first, second] = await lines()
  await assign(first?.id, shop)
  await assign(second?.id, blog)
  await books.ok('POST', '/billing/allocation-rules', {
    provider: 'example-cloud',
    product: 'Object Store',
    shares: [
      { deployment_id: shop, weight: '2' },
      { deployment_id: blog, weight: '1' },
    ],
  })
  assert.deepEqual(
    (await lines()).map((line) => line.match_status),
    ['matched', 'matched', 'allocated', 'allocated', 'unmatched', 'unmatched', 'not_applicable', 'not_applicable'],
  )
  assert.deepEqual(await books.broken(), [])
})

test('the export splits what is shared, names the owners and adds up to the bill exactly', async () => {
  const rows = await exported('period=2026-04')
  assert.equal(rows.length, 10)
  assert.equal(plain(sum(rows.map((row) => decimal(row['BilledCost'] ?? '')))), TOTAL)
  const [first] = rows
  assert.deepEqual(JSON.parse(first?.['Tags'] ?? ''), {
    env: 'prod',
    owner: 'shop',
    'arcadia/tenant': 'boab',
    'arcadia/deployment': 'shop',
  })
  assert.deepEqual(
    ['ProviderName', 'InvoiceId', 'ResourceId', 'ResourceType', 'ListUnitPrice', 'SkuId', 'RegionName'].map(
      (column) => first?.[column],
    ),
    ['Example Cloud', 'EXC-2026-0417', 'i-0a11', 'Virtual Machine', '0.05', 'ins-2', 'Sydney'],
  )
  const shared = rows.filter((row) => row['ChargeDescription'] === 'Requests, first tier')
  assert.deepEqual(
    shared.map((row) => [row['BilledCost'], row['PricingQuantity'], JSON.parse(row['Tags'] ?? '')['arcadia/tenant']]),
    [
      ['0.000008', '20', 'boab'],
      ['0.000004', '10', 'mulga'],
    ],
  )
})

test('what was exported can be read again, as the same costs', async () => {
  const { text } = await books.call('GET', '/exports/focus?period=2026-04')
  const again = text.replaceAll('Example Cloud', 'Another Cloud')
  const { status, body } = await upload(Buffer.from(again))
  assert.equal(status, 201)
  assert.equal((await books.ok('GET', `/billing/provider-invoices/${body.data.id}`)).amount, TOTAL)
})

test('a file of several bills is stored as each of them, in its own currency', async () => {
  const { status, body } = await upload(fixture('example-cloud-1.0.csv'))
  assert.equal(status, 201)
  assert.equal(body.bills.length, 2)
  const bills = await books.ok<Record<string, string>[]>('GET', '/billing/provider-invoices?period=2026-03')
  assert.deepEqual(bills.map(({ currency, amount }) => `${amount} ${currency}`).toSorted(), [
    '15.840000000000333 USD',
    '980 JPY',
  ])
})

test('the books get a bill finer than a cent rounded once, with lines that add up', async () => {
  const pushes = await books.ok<{ payload: Payload }[]>('GET', '/finance/pushes')
  const payloads = pushes.map(({ payload }) => payload)
  for (const { amount_net_minor, amount_tax_minor, amount_gross_minor, lines } of payloads) {
    assert.equal(amount_net_minor + amount_tax_minor, amount_gross_minor)
    assert.equal(
      lines.reduce((total, line) => total + line.amount_minor, 0),
      amount_gross_minor,
    )
  }
  assert.deepEqual(
    payloads.map(({ vendor, currency, amount_gross_minor }) => [vendor.name, currency, amount_gross_minor]).toSorted(),
    [
      ['Another Cloud', 'USD', 10_044],
      ['Example Cloud', 'JPY', 980],
      ['Example Cloud', 'USD', 10_044],
      ['Example Cloud', 'USD', 1_584],
    ].toSorted(),
  )
})

test('the books owe it to who invoices, where that is not the provider', async () => {
  const resold = fixture('example-cloud-1.2.csv')
    .toString()
    .replaceAll('EXC-2026-0417,Example Cloud', 'R-1,Reseller Pty Ltd')
  const { status, body } = await upload(
    Buffer.from(resold.replaceAll('2026-04', '2026-02').replaceAll('2026-05', '2026-03')),
  )
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual([body.data.provider, body.data.issuer_name], ['example-cloud', 'Reseller Pty Ltd'])
  const pushes = await books.ok<{ external_id: string; payload: Payload & { source: string } }[]>(
    'GET',
    '/finance/pushes',
  )
  const { payload } = pushes.find(({ external_id }) => external_id === 'R-1') ?? {}
  assert.deepEqual([payload?.vendor.name, payload?.source], ['Reseller Pty Ltd', 'example-cloud'])
})

test('the margin of a month of two currencies is asked for in one of them or a third, with rates for the rest', async () => {
  const refused = await Promise.all(
    ['', '&currency=AUD'].map((query) => books.call('GET', `/margin?period=2026-03${query}`)),
  )
  assert.deepEqual(
    refused.map(({ body }) => body.code),
    ['margin/mixed-currencies', 'margin/no-exchange-rate'],
  )
  await rate({ from: 'USD', to: 'AUD', rate: '1.5' })
  await rate({ from: 'AUD', to: 'JPY', rate: '98' })
  const { totals, conversions } = await books.ok('GET', '/margin?period=2026-03&currency=AUD')
  // 980 JPY are 10.00, and 15.840000000000333 USD are 23.76.
  assert.deepEqual([totals.bill_total_cents, totals.margin_cents], [3_376, -3_376])
  assert.deepEqual(
    conversions.map((conversion: Record<string, string>) => [conversion['from'], conversion['amount_to']]),
    [
      ['JPY', '10'],
      ['USD', '23.7600000000004995'],
    ],
  )
})

test('a form that is cut off, or whose parts nothing divides, is refused', async () => {
  const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b'
  for (const boundary of ['', '; boundary=', '; boundary=b', `; boundary=${'b'.repeat(300)}`]) {
    const headers = { 'content-type': `multipart/form-data${boundary}` }
    const { status, body } = await books.call('POST', IMPORT, { body: part, headers })
    assert.deepEqual([status, body.code], [400, 'request/malformed'], boundary)
  }
})

test('the books and the margin follow a bill that is replaced by its final form, and one that is withdrawn', async () => {
  const header =
    'ProviderName,BillingCurrency,BillingPeriodStart,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ServiceCategory,ResourceName,InvoiceId,BilledCost'
  const line = (resource: string, cost: string, number = '') =>
    `Example Cloud,USD,2026-06-01,2026-06-01,2026-07-01,Usage,Instances,Compute,${resource},${number},${cost}`
  const send = async (...lines: string[]) => (await upload(Buffer.from([header, ...lines].join('\n')))).body.data
  const june = async () => {
    await books.push()
    const { totals } = await books.ok('GET', '/margin?period=2026-06&currency=USD')
    const grossOf = ({ payload }: { payload: unknown }) => (payload as Payload).amount_gross_minor
    const isOfJune = ({ payload }: { payload: unknown }) =>
      (payload as { period: { start: string } }).period.start === '2026-06-01'
    return {
      cost_cents: totals.bill_total_cents,
      books: books.finance
        .documents()
        .filter(isOfJune)
        .map((document) => [document.payload['external_id'], grossOf(document)]),
    }
  }
  books.clock.set('2026-07-03T06:00:00Z')
  await send(line('R-111', '1500.00'))
  assert.deepEqual(await june(), { cost_cents: 150_000, books: [['2026-06', 150_000]] })
  books.clock.set('2026-07-05T06:00:00Z')
  const final = await send(line('R-111', '1200.00', 'INV-6'), line('R-222', '300.00', 'INV-6'))
  assert.deepEqual(await june(), {
    cost_cents: 150_000,
    books: [
      ['2026-06', 0],
      ['INV-6', 150_000],
    ],
  })
  await books.ok('POST', `/billing/provider-invoices/${final.id}/withdraw`, { reason: 'of another company' })
  assert.deepEqual(await june(), {
    cost_cents: null,
    books: [
      ['2026-06', 0],
      ['INV-6', 0],
    ],
  })
  const unsent = await send(line('R-333', '7.00', 'INV-7'))
  await books.ok('POST', `/billing/provider-invoices/${unsent.id}/withdraw`, { reason: 'of another company' })
  assert.deepEqual(
    (await june()).books,
    [
      ['2026-06', 0],
      ['INV-6', 0],
    ],
    'what was never sent stays unsent',
  )
  assert.deepEqual(await books.broken(), [])
})

test('a fault in a row is named, and nothing of the file is stored', async () => {
  const broken = fixture('example-cloud-1.2.csv').toString().replace('36.00', 'lots').replaceAll('EXC-2026', 'EXC-2027')
  const { status, body } = await upload(Buffer.from(broken))
  assert.equal(status, 422)
  assert.deepEqual([body.errors[0].row, body.errors[0].column], [2, 'BilledCost'])
})

test('names that a spreadsheet would run are exported guarded, numbers as they are, and read again as they were', async () => {
  const header =
    'ProviderName,BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ChargePeriodEnd'
  const rows = [
    'Third Cloud,-1.5,USD,2025-11-01,Credit,2025-11-01,2025-12-01,i-1,=HYPERLINK(1),@promo',
    "Third Cloud,2,USD,2025-11-01,Usage,2025-11-01,2025-12-01,i-2,''=kept,-n",
  ]
  const file = [`${header},ResourceId,ResourceName,ChargeDescription`, ...rows].join('\n')
  assert.equal((await upload(Buffer.from(file))).status, 201)
  const { text } = await books.call('GET', '/exports/focus?period=2025-11')
  for (const cell of ["'=HYPERLINK(1)", "'@promo", "''=kept", "'-n", '-1.5'])
    assert.ok(text.includes(`,${cell},`), cell)
  assert.equal((await upload(Buffer.from(text.replaceAll('Third Cloud', 'Fourth Cloud')))).status, 201)
  const lines = await books.ok<Record<string, string>[]>('GET', '/billing/cost-lines?period=2025-11')
  const told = lines.map(({ amount, resource_name, description }) => [amount, resource_name, description]).toSorted()
  const credit = ['-1.5', '=HYPERLINK(1)', '@promo']
  const usage = ['2', "'=kept", '-n']
  assert.deepEqual(told, [credit, credit, usage, usage])
})

type LineOut = { id: string; kind: string; charge_category: string; amount: string; match_status: string }
type Payload = {
  vendor: { name: string }
  currency: string
  amount_net_minor: number
  amount_tax_minor: number
  amount_gross_minor: number
  lines: { amount_minor: number }[]
}

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../src/providers/focus/fixtures/${name}`, import.meta.url))
}

function upload(file: Buffer) {
  return books.call('POST', IMPORT, { body: file, headers: { 'content-type': 'text/csv' } })
}

async function lines(): Promise<LineOut[]> {
  return books.ok('GET', '/billing/cost-lines?period=2026-04')
}

async function assign(line_id: string | undefined, deployment_id: string): Promise<void> {
  await books.ok('POST', `/billing/cost-lines/${line_id}/assignment`, { deployment_id, remember: true })
}

async function rate(pair: { from: string; to: string; rate: string }): Promise<void> {
  await books.ok('POST', '/billing/exchange-rates', { ...pair, date: '2026-03-31', source: 'Reserve Bank' })
}

async function exported(query: string): Promise<Record<string, string>[]> {
  const { text, headers } = await books.call('GET', `/exports/focus?${query}`)
  assert.match(String(headers['content-type']), /^text\/csv/)
  return parse(text, { columns: true })
}

async function deploy(tenant_id: string, slug: string): Promise<string> {
  const billing = { legal_name: `${tenant_id} Pty Ltd`, country: 'AU', currency: 'USD' }
  await books.ok('POST', '/tenants', { id: tenant_id, ...billing })
  return (await books.ok('POST', '/deployments', { tenant_id, slug })).id
}
