import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import { csvOf } from '../../../demo/digitalocean/documents.ts'
import { parseInvoiceCsv, toBillLine } from '../../providers/digitalocean/index.ts'
import {
  assertSound,
  csv,
  deploy,
  emptyTables,
  HEADER,
  type InvoiceJson,
  listInventory,
  row,
  startCosts,
  upload,
} from './costs.fixture.ts'
import { COUNTS_IN_ITS_MONTH } from './bill-queries.ts'
import { DIFFERENCE_MAX_LINES } from './difference.ts'
import { matchLines } from './match-lines.ts'
import { storeBill } from './store-bill.ts'

// Where uploads are kept: a directory that nobody else uses.
const dir = mkdtempSync(join(tmpdir(), 'arcadia-uploads-'))
const others = process.env['TMPDIR']
const costs = await startCosts()
const { call, db, edge } = costs
before(() => {
  process.env['TMPDIR'] = dir
})
after(async () => {
  if (others === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = others
  await costs.close()
  rmSync(dir, { recursive: true })
})
beforeEach(() => emptyTables(costs))

const PATH = '/billing/provider-invoices/import'
const WEB = row('Droplets', 'web (s-1vcpu-1gb)', '76.00')
const TAX = 'Taxes,,GST (10%),,2026-04-01 00:00:00 +0000,2026-04-30 23:59:59 +0000,$7.90,,'
const JOBS = row('Droplets', 'jobs (s-1vcpu-1gb)', '4.00')

const REAL_FILES = [
  { file: '2019-01-eight-columns.csv', period: '2019-01', amount: '122.11', tax: '0', lines: 7 },
  { file: '2020-07-official-example.csv', period: '2020-07', amount: '3.27', tax: '0.16', lines: 2 },
  { file: '2025-03-nine-columns.csv', period: '2025-03', amount: '85.41', tax: '6.4', lines: 9 },
  { file: 'hard-cases.csv', period: '2026-04', amount: '1625.57', tax: '147.78', lines: 11 },
]

for (const { file, period, amount, tax, lines } of REAL_FILES) {
  test(`${file} comes in whole, with its sums, and again as the same`, async () => {
    const text = fixture(file)
    const { status, body } = await upload(costs, text, `period=${period}`)
    assert.equal(status, 201, JSON.stringify(body))
    const { amount: stored, tax_amount, line_count, balanced } = body.data
    assert.deepEqual([stored, tax_amount, line_count, balanced], [amount, tax, lines, true])
    await assertSound(costs)
    assert.equal((await upload(costs, text, `period=${period}`)).status, 200)
  })
}

test('a packed file is known by its bytes, whatever it is called', async () => {
  const text = csv(WEB, JOBS)
  const send = (type: string) =>
    call('POST', `${PATH}?period=2026-04`, { body: gzipSync(text), headers: { 'content-type': type } })
  assert.equal((await send('text/csv')).status, 201)
  assert.equal((await send('application/gzip')).status, 200)
  const cut = gzipSync(text).subarray(0, 40)
  const { status, body } = await call('POST', `${PATH}?period=2026-04`, {
    body: cut,
    headers: { 'content-type': 'text/csv' },
  })
  assert.deepEqual([status, body.errors[0].message], [422, 'expected a whole gzip file'])
})

test('the parts of an upload are one bill, each with its own header, in any split', async () => {
  const halves = [csv(WEB), gzipSync(csv(JOBS, JOBS))]
  const first = await sendFiles({ 'a.csv': halves[0] ?? '', 'b.csv.gz': halves[1] ?? '' })
  assert.deepEqual([first.status, first.body.data.amount, first.body.data.line_count], [201, '84', 3])
  const whole = await upload(costs, csv(JOBS, WEB, JOBS))
  assert.deepEqual([whole.status, whole.body.data.id], [200, first.body.data.id])
})

test('a fault in one part is named with its file, and nothing of the others is stored', async () => {
  const { status, body } = await sendFiles({ 'a.csv': csv(WEB), 'b.csv': csv(JOBS.replace('$4.00', 'four')) })
  assert.equal(status, 422)
  assert.deepEqual(body.errors[0].row, 2)
  assert.match(body.errors[0].message, /^b\.csv: expected an amount/)
  assert.deepEqual((await call('GET', '/billing/provider-invoices')).body.data, [])
  assert.deepEqual((await call('GET', '/billing/cost-lines')).body.data, [])
})

test('files that are named after two bills are not taken for one', async () => {
  const { status, body } = await sendFiles(
    { 'DigitalOcean Invoice 2026 Apr (1-2).csv': csv(WEB), 'DigitalOcean Invoice 2026 May (1-3).csv': csv(JOBS) },
    '',
  )
  assert.deepEqual([status, body.errors[0].path], [422, 'period'])
})

test('a fault in the last of many rows leaves nothing behind', async () => {
  const rows = Array.from({ length: 60_000 }, () => WEB)
  const { status, body } = await upload(costs, csv(...rows, WEB.replace('$76.00', '?')))
  assert.deepEqual([status, body.errors], [422, [{ row: 60_002, column: 'USD', message: body.errors[0].message }]])
  assert.deepEqual((await call('GET', '/billing/provider-invoices')).body.data, [])
})

test('what an upload was kept in is removed, whether it is stored or refused', async () => {
  await upload(costs, csv(WEB))
  await upload(costs, 'a,b\n1,2\n')
  await sendFiles({ 'a.csv': csv(WEB) })
  // Removed after the answer, so perhaps a moment later.
  for (let waits = 0; waits < 50 && readdirSync(dir).length > 0; waits += 1) await pause(20)
  assert.deepEqual(readdirSync(dir), [])
})

test('an idempotency key replays the answer for the same file, and refuses another', async () => {
  const send = (text: string) =>
    call('POST', `${PATH}?period=2026-04`, {
      body: text,
      headers: { 'content-type': 'text/csv', 'idempotency-key': 'one' },
    })
  const first = await send(csv(WEB))
  const again = await send(csv(WEB))
  assert.deepEqual([again.status, again.headers['idempotency-replayed'], again.body], [201, 'true', first.body])
  assert.equal((await send(csv(JOBS))).body.code, 'request/idempotency-conflict')
})

test('columns without a place of their own are kept with the line', async () => {
  const text = `${HEADER},cost center\n${WEB},R&D\n`
  const { body } = await upload(costs, text)
  const lines = await db.read
    .selectFrom('costs.cost_line')
    .select(['extra', 'service_category', 'service_name'])
    .execute()
  assert.equal(body.data.line_count, 1)
  assert.deepEqual(lines, [
    { extra: { category: 'iaas', 'cost center': 'R&D' }, service_category: 'Compute', service_name: 'Droplets' },
  ])
})

test('the lines of a long bill are matched as they come in to what matching them again finds', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  assert.ok(studio && shop)
  const [own, other] = [['arcadia:boab:studio'], ['arcadia:boab:shop']]
  const plain = Array.from({ length: 40 }, (_, n) => ({ external_id: `p${n}`, name: `Node-${n}`, tags: own }))
  const twins = ['t1', 't2'].map((external_id) => ({ external_id, name: 'twin', tags: own }))
  const volume = { kind: 'volume' as const, external_id: 'v1', name: 'node-1', tags: other }
  const [free, sold] = [
    { external_id: 'f1', name: 'nobody', tags: [] },
    { external_id: 's1', name: 'sold', tags: own },
  ]
  const renamed = { external_id: 'r1', name: 'first', tags: own }
  const disk = { kind: 'volume' as const, external_id: 'v2', name: 'disk', tags: other }
  const saved = { kind: 'snapshot' as const, external_id: 'i1', name: 'node-4', tags: other }
  const still = [...plain, ...twins, volume, free, disk, saved]
  await listInventory(edge, '2026-02-01T00:00:00Z', [...still, sold, renamed])
  const later = [
    { ...sold, tags: other },
    { ...renamed, name: 'second' },
  ]
  await listInventory(edge, '2026-04-10T00:00:00Z', [...still, ...later])
  const droplets = [
    ...plain.map(({ name }) => name),
    'NODE-7',
    'twin',
    'nobody',
    'sold',
    'first',
    'second',
    'gone',
    'É',
  ]
  const products: readonly ((name: string) => [product: string, description: string])[] = [
    (name) => ['Droplets', `${name} (s-1)`],
    (name) => ['Droplet Backups', `${name} (Weekly Backup Services)`],
    (name) => ['Droplet Snapshots', `${name}-1234567890 (nyc1) 10.15GB Droplet Snapshot`],
    (name) => ['Volume Snapshots', `${name === 'Node-9' ? 'disk' : name}-1234567890 (nyc1) 1GB Volume Snapshot`],
  ]
  const rows = Array.from({ length: 12_000 }, (_, n) => {
    const describe = products[Math.floor(n / 28) % products.length] ?? products[0]
    const [product, description] = describe?.(droplets[n % droplets.length] ?? '') ?? []
    const day = String(1 + (n % 28)).padStart(2, '0')
    return row(product ?? '', description ?? '', '1.00').replace('2026-05-01 00', `2026-04-${day} 12`)
  })
  const apart = [row('Volumes', 'node-1 (nyc1) 10GB', '2.00'), row('Droplet Backups', 'node-2 (Weekly)', '3.00'), TAX]
  assert.equal((await upload(costs, csv(...rows, ...apart))).status, 201)
  const before = await matches()
  const reasons = new Set(before.map(({ match_reason }) => match_reason))
  assert.ok(reasons.size > 90, `only ${reasons.size} reasons`)
  for (const kind of ['droplet node-7', 'volume disk', 'droplet second']) {
    assert.ok(reasons.has(`belongs to the ${kind}`), kind)
  }
  await db.transaction((tx) => matchLines(tx, {}))
  assert.deepEqual(await matches(), before)
  await assertSound(costs)
})

async function matches() {
  return db.read
    .selectFrom('costs.cost_line')
    .select(['position', 'resource_id', 'tenant_id', 'deployment_id', 'match_status', 'match_method', 'match_reason'])
    .orderBy('position')
    .execute()
}

const FOCUS_HEADER =
  'ProviderName,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ServiceCategory,ChargeDescription,InvoiceId,BilledCost'
const focus = (month: string, invoice_id: string, cost: string, currency = 'USD') =>
  `Example Cloud,${currency},${month}-01T00:00:00Z,,${month}-01T00:00:00Z,${month}-02T00:00:00Z,Usage,Instances,Compute,One day,${invoice_id},${cost}`

test('a FOCUS file may hold several bills: each is stored, the answer names them all', async () => {
  const text = [
    FOCUS_HEADER,
    focus('2026-04', 'E-4', '1.5'),
    focus('2026-03', 'E-3', '0.000001'),
    focus('2026-04', 'E-4', '2.25'),
    focus('2026-04', '', '7', 'EUR'),
  ].join('\n')
  const { status, body } = await upload(costs, text, '')
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual(
    body.bills.map((bill: Record<string, unknown>) => [
      bill['provider'],
      bill['external_id'],
      bill['currency'],
      bill['amount'],
    ]),
    [
      ['example-cloud', 'E-4', 'USD', '3.75'],
      ['example-cloud', 'E-3', 'USD', '0.000001'],
      ['example-cloud', '2026-04', 'EUR', '7'],
    ],
  )
  assert.deepEqual(body.data, body.bills[0])
  await assertSound(costs)
  const again = await upload(costs, text, '')
  assert.deepEqual([again.status, again.body.bills.length], [200, 3])
})

test('of several bills all are stored or none', async () => {
  const known = [FOCUS_HEADER, focus('2026-04', 'E-4', '1.5')].join('\n')
  assert.equal((await upload(costs, known, '')).status, 201)
  const mixed = [FOCUS_HEADER, focus('2026-03', 'E-3', '1'), focus('2026-04', 'E-4', '1.6')].join('\n')
  const { status, body } = await upload(costs, mixed, '')
  assert.deepEqual([status, body.code], [409, 'costs/invoice-differs'])
  assert.equal((await call('GET', '/billing/provider-invoices')).body.data.length, 1)
})

test('a FOCUS bill may hold nothing but the correction of an earlier month', async () => {
  const correction = focus('2026-04', 'E-4', '-1.5').replace(/2026-04-01T00:00:00Z,2026-04-02.*?,Usage/, (period) =>
    period.replaceAll('2026-04', '2026-03').replace('Usage', 'Adjustment'),
  )
  const { status, body } = await upload(costs, [FOCUS_HEADER, correction].join('\n'), '')
  assert.deepEqual([status, body.data.period.start, body.data.amount], [201, '2026-04-01', '-1.5'])
})

test('bills with the same lines are several, where the files tell them apart', async () => {
  const rows = [focus('2026-04', 'E-4', '5'), focus('2026-04', 'E-5', '5'), focus('2026-04', '', '5', 'EUR')]
  for (const each of rows) assert.equal((await upload(costs, [FOCUS_HEADER, each].join('\n'), '')).status, 201)
  const monthly = csv('Support,,Plan,,,,$10.00,,')
  assert.equal((await upload(costs, monthly, 'period=2026-03')).status, 201)
  assert.equal((await upload(costs, monthly, 'period=2026-04')).status, 201)
  assert.equal((await upload(costs, monthly, 'period=2026-04&invoice_number=9')).body.data.invoice_number, null)
  await assertSound(costs)
})

test('the same lines under another number are refused, though the provider lists the first', async () => {
  const { body } = await upload(costs, csv(WEB), 'period=2026-04&invoice_number=512')
  await db.transaction((tx) =>
    tx.updateTable('costs.provider_invoice').set({ provider_uuid: 'a-uuid' }).where('id', '=', body.data.id).execute(),
  )
  const again = await upload(costs, csv(WEB), 'period=2026-04&invoice_number=513')
  assert.deepEqual([again.status, again.body.code], [409, 'costs/content-stored-already'])
})

for (const [number, ids] of Object.entries({
  '': ['2026-04/acc-1', '2026-04/acc-2'],
  'E-4': ['E-4', 'E-4/2026-04-01/acc-2/USD'],
})) {
  test(`each billing account has its own bills, with the number "${number}", in one file or in two`, async () => {
    const header = `${FOCUS_HEADER},BillingAccountId`
    const rows = ['acc-1', 'acc-2'].map((account) => `${focus('2026-04', number, '5')},${account}`)
    const together = await upload(costs, [header, ...rows].join('\n'), '')
    assert.deepEqual(
      together.body.bills.map((bill: Record<string, unknown>) => [
        bill['external_id'],
        bill['billing_account'],
        bill['amount'],
      ]),
      [
        [ids[0], 'acc-1', '5'],
        [ids[1], 'acc-2', '5'],
      ],
    )
    for (const each of rows) assert.equal((await upload(costs, [header, each].join('\n'), '')).status, 200)
    await emptyTables(costs)
    for (const each of rows) assert.equal((await upload(costs, [header, each].join('\n'), '')).status, 201)
  })
}

test('one number over two months is a bill for each', async () => {
  const text = [FOCUS_HEADER, focus('2026-04', 'E-4', '5'), focus('2026-03', 'E-4', '6')].join('\n')
  const first = await upload(costs, text, '')
  assert.equal(first.status, 201, JSON.stringify(first.body))
  assert.deepEqual(
    first.body.bills.map((bill: Record<string, unknown>) => [bill['external_id'], bill['amount']]),
    [
      ['E-4', '5'],
      ['E-4/2026-03-01/USD', '6'],
    ],
  )
  assert.equal((await upload(costs, text, '')).status, 200)
})

test('a bill without a number is found again, whatever comes before it in its file', async () => {
  const [numbered, unnumbered] = [focus('2026-04', 'E-4', '5'), focus('2026-04', '', '6')]
  assert.equal((await upload(costs, [FOCUS_HEADER, numbered, unnumbered].join('\n'), '')).status, 201)
  assert.equal((await upload(costs, [FOCUS_HEADER, unnumbered, numbered].join('\n'), '')).status, 200)
})

test('a month that contradicts that of the stored bill is refused', async () => {
  await upload(costs, csv(WEB), 'period=2026-04&invoice_number=512')
  const { status, body } = await upload(costs, csv(WEB), 'period=2026-03&invoice_number=512')
  assert.deepEqual([status, body.code], [422, 'costs/period-differs'])
})

test('a file of a month that is not over is a preview, replaced whole by the next, and never handed over', async () => {
  const header = `${FOCUS_HEADER},BillingAccountId`
  const running = (cost: string, account: string, currency?: string) =>
    `${focus('2026-05', '', cost, currency)},${account}`
  const send = (...rows: string[]) => upload(costs, [header, ...rows].join('\n'), '')
  const first = await send(running('1', 'acc-1'), running('2', 'acc-1', 'EUR'), running('9', 'acc-2'))
  assert.deepEqual([first.status, first.body.bills.length, first.body.data.status], [201, 3, 'preview'])
  const second = await send(running('4', 'acc-1'))
  assert.deepEqual([second.status, second.body.data.line_count, second.body.data.balanced], [201, 1, true])
  assert.deepEqual(await stored(), [
    ['preview', '2026-05-01', '4', 'acc-1'],
    ['preview', '2026-05-01', '9', 'acc-2'],
  ])
  assert.equal((await call('GET', '/billing/cost-lines')).body.data.length, 2)
  costs.clock.set(Temporal.Instant.from('2026-06-01T00:00:00Z'))
  try {
    assert.equal((await send(running('5', 'acc-1'))).body.data.status, 'issued')
    assert.deepEqual(await stored(), [
      ['issued', '2026-05-01', '5', 'acc-1'],
      ['preview', '2026-05-01', '9', 'acc-2'],
    ])
    assert.equal(costs.issued.length, 1)
    assert.deepEqual(await countedAccounts(), ['acc-1', 'acc-2'])
    await assertSound(costs)
  } finally {
    costs.clock.set(Temporal.Instant.from('2026-05-02T06:00:00Z'))
  }
})

/** Whose bills count in their month. */
async function countedAccounts(): Promise<(string | null)[]> {
  const bills = await db.read
    .selectFrom('costs.provider_invoice as bill')
    .select('bill.billing_account')
    .where(COUNTS_IN_ITS_MONTH)
    .orderBy('bill.billing_account')
    .execute()
  return bills.map(({ billing_account }) => billing_account)
}

test('whether a bill is final may be said, and what is issued is only compared', async () => {
  const april = await upload(costs, csv(WEB), 'period=2026-04&preview=true')
  assert.equal(april.body.data.status, 'preview')
  assert.equal((await upload(costs, csv(WEB), 'period=2026-04&preview=false')).body.data.status, 'issued')
  const again = await upload(costs, csv(WEB), 'period=2026-04&preview=true')
  assert.deepEqual([again.status, again.body.data.status], [200, 'issued'])
  const may = csv(WEB.replaceAll('2026-05', '2026-06').replaceAll('2026-04', '2026-05'))
  assert.equal((await upload(costs, may, 'period=2026-05')).body.data.status, 'preview')
  assert.equal((await upload(costs, may, 'period=2026-05&preview=false')).body.data.status, 'issued')
  assert.equal((await upload(costs, may, 'period=2026-05')).status, 200)
  assert.deepEqual(
    (await stored()).map(([status]) => status),
    ['issued', 'issued'],
  )
})

async function stored(): Promise<unknown[][]> {
  const { body } = await call('GET', '/billing/provider-invoices')
  return body.data
    .map((bill: InvoiceJson & { period: { start: string } }) => [
      bill.status,
      bill.period.start,
      bill.amount,
      bill.billing_account,
    ])
    .toSorted((a: string[], b: string[]) => (a.join() < b.join() ? -1 : 1))
}

/** A bill of FOCUS 1.3: its names of providers, and a month that is written in the zone of who bills it. */
const FOCUS_1_3 = [
  'BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ServiceProviderName,HostProviderName,InvoiceIssuerName,ServiceName,ServiceCategory,Tags',
  '1.5,acct-1001,USD,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,Usage,2025-01-01T00:00:00Z,2025-01-02T00:00:00Z,Example Cloud,Example Cloud,Reseller Pty Ltd,Instances,Compute,"[{""key"":""env"",""value"":""prod""}]"',
  '22.5,acct-1001,USD,2025-01-01T00:00:00+11:00,2025-01-31T23:59:59+11:00,Usage,2025-01-02T00:00:00Z,2025-01-03T00:00:00Z,Example Cloud,A Host,Reseller Pty Ltd,Database,Databases,N/A',
].join('\n')

test('a bill of FOCUS 1.3 is one, with who invoices it, however the edges of its month are written', async () => {
  const { status, body } = await upload(costs, FOCUS_1_3, '')
  assert.equal(status, 201, JSON.stringify(body))
  const { provider, issuer_name, billing_account, amount, period, line_count } = body.data
  assert.deepEqual(
    [body.bills.length, provider, issuer_name, billing_account, amount, line_count],
    [1, 'example-cloud', 'Reseller Pty Ltd', 'acct-1001', '24', 2],
  )
  assert.deepEqual(period, { start: '2025-01-01', end: '2025-02-01' })
  assert.equal((await upload(costs, FOCUS_1_3, '')).status, 200)
  const direct = FOCUS_1_3.replaceAll('Reseller Pty Ltd', 'Example Cloud Inc')
  const second = await upload(costs, direct, '')
  assert.deepEqual(
    [second.status, second.body.data.issuer_name],
    [201, 'Example Cloud Inc'],
    'two creditors, two bills',
  )
  await assertSound(costs)
})

test('a bare list of costs is a bill, once it is said whose, in what and of when', async () => {
  const list = 'BilledCost;ResourceName;ServiceName\n1.5;web-1;Instances\n22.5;web-2;Instances\n'
  const refused = await upload(costs, list, '')
  assert.equal(refused.status, 422)
  assert.deepEqual(
    refused.body.errors.map(({ column }: { column: string }) => column),
    ['BillingCurrency', 'BillingPeriodStart', 'ChargeCategory', 'ChargePeriodEnd', 'ChargePeriodStart', 'ProviderName'],
  )
  const query = 'provider=example-cloud&currency=AUD&service_category=Compute&period=2026-04'
  const { status, body } = await upload(costs, list, query)
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual(
    [body.data.provider, body.data.currency, body.data.amount, body.data.unclassified_lines],
    ['example-cloud', 'AUD', '24', 0],
  )
  const { data: lines } = (await call('GET', '/billing/cost-lines')).body
  assert.deepEqual(
    lines.map((line: Record<string, unknown>) => [line['description'], line['kind'], line['charge_period']]),
    ['web-1', 'web-2'].map((name) => [
      name,
      'instances',
      { start: '2026-04-01T00:00:00Z', end: '2026-05-01T00:00:00Z' },
    ]),
  )
  const other = await upload(costs, csv(WEB), 'period=2026-04&currency=EUR')
  assert.deepEqual([other.status, other.body.errors[0].path], [422, 'currency'])
  const unknown = await upload(costs, list, `${query}&currency=XYZ`.replace('currency=AUD&', ''))
  assert.deepEqual([unknown.status, unknown.body.errors[0].path], [422, 'currency'])
})

test('a stated total refuses rows that come twice, with both sums and what is between them', async () => {
  const [header, ...rows] = FOCUS_1_3.split('\n')
  const doubled = await upload(costs, [header, ...rows, ...rows].join('\n'), 'amount=24.00')
  assert.deepEqual([doubled.status, doubled.body.code], [422, 'costs/totals-differ'])
  assert.match(doubled.body.detail, /said to come to 24\.00 USD, and its lines add up to 48 USD: 24 too much/)
  assert.deepEqual((await call('GET', '/billing/provider-invoices')).body.data, [])
  const short = await upload(costs, [header, rows[1]].join('\n'), 'amount=24')
  assert.match(short.body.detail, /22\.5 USD: 1\.5 too little/)
  assert.equal((await upload(costs, FOCUS_1_3, 'amount=24.00')).status, 201)
  assert.equal((await upload(costs, FOCUS_1_3, 'amount=24.01')).status, 422)
  const two = [FOCUS_HEADER, focus('2026-04', 'E-4', '1'), focus('2026-04', 'E-5', '1', 'EUR')].join('\n')
  assert.equal((await upload(costs, two, 'amount=2')).body.errors[0].path, 'amount')
  assert.equal((await upload(costs, csv(WEB, JOBS), 'period=2026-04&amount=80.004')).status, 201, 'to the cent')
})

test('a file that is no bill is told by what it is and what is expected', async () => {
  const detailOf = async (file: string | Buffer) => {
    const { status, body } = await call('POST', `${PATH}?period=2026-04`, {
      body: file,
      headers: { 'content-type': 'text/csv' },
    })
    assert.equal(status, 422)
    return `${body.code}: ${body.detail} ${JSON.stringify(body.errors ?? '')}`
  }
  const workbook = Buffer.from('PK\x03\x04\x14\0\x06\0[Content_Types].xml', 'latin1')
  assert.match(await detailOf(workbook), /^costs\/not-text: The file is an Excel workbook \(\.xlsx\)\. Save it as CSV/)
  assert.match(await detailOf('%PDF-1.7\n%\xe2\xe3'), /^costs\/not-text: The file is a PDF\. Save it as CSV/)
  const unreadable = /^costs\/invoice-unreadable: .*expected the columns of FOCUS .* or of DigitalOcean's own invoice/
  const aws = await detailOf('lineItem/UsageAccountId,lineItem/UnblendedCost\n1,2\n')
  assert.match(aws, unreadable)
  assert.match(aws, /found lineItem\/UsageAccountId, .*this is a Cost and Usage Report of AWS; download it in FOCUS/)
  assert.match(await detailOf('Name|Amount\nweb|5\n'), /found Name\|Amount/)
  assert.match(await detailOf('{"bills": []}'), /found JSON/)
  assert.match(await detailOf('<!doctype html>'), /found a web page/)
})

test('a cell that cannot be read is told with its row, its column and what was found', async () => {
  const focusDay = [FOCUS_HEADER, focus('2026-09', 'E-9', '5').replace('2026-09-02', '2026-09-31')].join('\n')
  assert.deepEqual((await upload(costs, focusDay, '')).body.errors, [
    {
      row: 2,
      column: 'ChargePeriodEnd',
      message:
        'expected a time such as 2026-04-01T00:00:00Z, in the years 1900 to 2999, found "2026-09-31T00:00:00Z": there is no such day',
    },
  ])
  const own = csv(WEB, JOBS.replace('2026-05-01 00', '2026-09-31 00'))
  const { errors } = (await upload(costs, own)).body
  assert.deepEqual([errors[0].row, errors[0].column], [3, 'end'])
  assert.match(errors[0].message, /found "2026-09-31 00:00:00 \+0000": there is no such day$/)
})

test('what is said of a FOCUS file must agree with it', async () => {
  const text = [FOCUS_HEADER, focus('2026-04', 'E-4', '1.5')].join('\n')
  assert.equal((await upload(costs, text, 'period=2026-03')).body.code, 'costs/period-differs')
  assert.equal((await upload(costs, text, 'provider=digitalocean')).body.errors[0].path, 'provider')
  assert.equal((await upload(costs, text, 'invoice_number=9')).body.errors[0].path, 'invoice_number')
  assert.equal((await upload(costs, text, 'provider=example-cloud&period=2026-04&invoice_number=E-4')).status, 201)
  assert.equal((await upload(costs, csv(WEB), 'provider=example-cloud&period=2026-04')).body.errors[0].path, 'provider')
})

test('an upload that differs from an issued bill is told line by line, of both sides', async () => {
  await upload(costs, csv(WEB, JOBS, JOBS))
  const { status, body } = await upload(costs, csv(JOBS, WEB.replace('$76.00', '$77.00')))
  assert.deepEqual([status, body.code], [409, 'costs/invoice-differs'])
  assert.deepEqual(body.errors, [
    { path: 'stored/0', message: 'only in the books: Droplets, web (s-1vcpu-1gb), 76' },
    { path: 'stored/2', message: 'only in the books: Droplets, jobs (s-1vcpu-1gb), 4' },
    { path: 'received/1', message: 'only in the file: Droplets, web (s-1vcpu-1gb), 77' },
  ])
  assert.match(body.detail, /no alarm is kept/)
  const { data } = (await call('GET', '/billing/provider-invoices')).body
  assert.equal(data[0].difference, null)
})

const JUNE_HEADER =
  'ProviderName,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ServiceCategory,ResourceId,ResourceName,InvoiceId,BilledCost'
/** A line of June 2026. */
const june = (resource: string, cost: string, { number = '', category = 'Usage' } = {}) =>
  `Example Cloud,acc-1,USD,2026-06-01,2026-07-01,2026-06-01,2026-07-01,${category},Instances,Compute,${resource},${resource},${number},${cost}`
const juneFile = (...lines: string[]) => [JUNE_HEADER, ...lines].join('\n')

/** As if it were another time, for as long as the work takes. */
async function at<T>(time: string, work: () => Promise<T>): Promise<T> {
  const before = costs.clock.now()
  costs.clock.set(time)
  try {
    return await work()
  } finally {
    costs.clock.set(before.toString())
  }
}

test('a month that was sent before it was final is replaced by its final form, and kept as it was', async () => {
  const first = await at('2026-07-03T06:00:00Z', () => upload(costs, juneFile(june('R-111', '1500.00')), ''))
  assert.deepEqual([first.status, first.body.data.status, first.body.data.amount], [201, 'issued', '1500'])
  const final = juneFile(june('R-111', '1200.00', { number: 'INV-6' }), june('R-222', '300.00', { number: 'INV-6' }))
  const second = await at('2026-07-05T06:00:00Z', () => upload(costs, final, ''))
  assert.equal(second.status, 201, JSON.stringify(second.body))
  const { data: bills } = (await call('GET', '/billing/provider-invoices?period=2026-06')).body
  assert.deepEqual(
    bills.map((bill: InvoiceJson) => [bill.invoice_number, bill.status, bill.amount, bill.line_count, bill.replaces]),
    [['INV-6', 'issued', '1500', 2, [first.body.data.id]]],
  )
  const { data: lines } = (await call('GET', '/billing/cost-lines?period=2026-06')).body
  assert.deepEqual(lines.map((line: { amount: string }) => line.amount).toSorted(), ['1200', '300'])
  const { data: old } = (await call('GET', `/billing/provider-invoices/${first.body.data.id}`)).body
  assert.deepEqual(
    [old.status, old.amount, old.withdrawal],
    [
      'withdrawn',
      '1500',
      {
        withdrawn_at: '2026-07-05T06:00:00.000000Z',
        withdrawn_by: old.withdrawal.withdrawn_by,
        reason: 'replaced by the bill INV-6',
        replaced_by: second.body.data.id,
      },
    ],
  )
  const kept = (await call('GET', `/billing/provider-invoices/${old.id}/withdrawn-lines`)).body.data
  assert.deepEqual(
    kept.map(({ line }: { line: Record<string, unknown> }) => [
      line['resource_name'],
      line['amount'],
      line['match_status'],
    ]),
    [['R-111', '1500', 'unmatched']],
  )
  assert.deepEqual(costs.issued, [first.body.data.id, first.body.data.id, second.body.data.id])
  assert.equal((await upload(costs, final, '')).status, 200)
  const other = await upload(costs, final.replace('300.00', '301.00'), '')
  assert.deepEqual([other.status, other.body.code], [409, 'costs/invoice-differs'], 'a number is final')
  await assertSound(costs)
})

test('a month without a number that is sent again with other lines stands in the place of the one before', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  const rule = { provider: 'example-cloud', product: 'Instances', shares: [{ deployment_id: studio, weight: '1' }] }
  await call('POST', '/billing/allocation-rules', { body: rule })
  await at('2026-07-03T06:00:00Z', async () => {
    const tax = june('', '10.00', { category: 'Tax' })
    const first = await upload(costs, juneFile(june('R-111', '100.00'), tax), '')
    const second = await upload(costs, juneFile(tax, june('R-111', '90.00'), june('R-222', '25.00')), '')
    assert.equal(second.status, 201, JSON.stringify(second.body))
    const { id, external_id, amount, tax_amount, allocated_amount, line_count, replaces } = second.body.data
    assert.deepEqual(
      [external_id, amount, tax_amount, allocated_amount, line_count, replaces],
      [first.body.data.external_id, '125', '10', '115', 3, [first.body.data.id]],
    )
    const kept = (await call('GET', `/billing/provider-invoices/${first.body.data.id}/withdrawn-lines`)).body.data
    assert.deepEqual(kept[0].line.shares, [{ tenant_id: 'boab', deployment_id: studio, amount: '100' }])
    await assertSound(costs)
    const again = await upload(costs, juneFile(june('R-222', '25.00'), tax, june('R-111', '90.00')), '')
    assert.deepEqual([again.status, again.body.data.id], [200, id])
    const third = await upload(costs, juneFile(june('R-111', '90.00')), '')
    assert.deepEqual([third.status, third.body.data.replaces], [201, [id]])
    const { data: withdrawn } = (await call('GET', '/billing/provider-invoices?status=withdrawn')).body
    assert.equal(withdrawn.length, 2)
    await assertSound(costs)
  })
})

test('in a closed month nothing is replaced', async () => {
  await at('2026-07-03T06:00:00Z', async () => {
    await upload(costs, juneFile(june('R-111', '100.00')), '')
    await call('POST', '/billing/periods/2026-06/close')
    for (const number of ['', 'INV-6']) {
      const { status, body } = await upload(costs, juneFile(june('R-111', '90.00', { number })), '')
      assert.deepEqual([status, body.code], [409, 'costs/invoice-differs'], number)
    }
    assert.equal((await upload(costs, juneFile(june('R-111', '100.00', { number: 'INV-6' })), '')).status, 200)
  })
})

test('an uploaded bill that was wrong is withdrawn with a reason, while its month is open, and the right one comes in', async () => {
  const { body } = await upload(costs, csv(WEB), 'period=2026-04&invoice_number=512')
  const { id } = body.data
  const withdraw = (reason: unknown = 'half of the file') =>
    call('POST', `/billing/provider-invoices/${id}/withdraw`, { body: { reason } })
  assert.equal((await withdraw('')).status, 422)
  await call('POST', '/billing/periods/2026-04/close')
  assert.deepEqual([(await withdraw()).status, (await withdraw()).body.code], [409, 'costs/period-closed'])
  await call('POST', '/billing/periods/2026-04/reopen', { body: { reason: 'the bill was wrong' } })
  const { status, body: answer } = await withdraw()
  assert.equal(status, 200, JSON.stringify(answer))
  const { reason, replaced_by } = answer.data.withdrawal
  assert.deepEqual([answer.data.status, reason, replaced_by], ['withdrawn', 'half of the file', null])
  assert.deepEqual((await call('GET', '/billing/cost-lines')).body.data, [])
  assert.deepEqual((await call('GET', '/billing/provider-invoices')).body.data, [])
  assert.deepEqual(costs.issued, [id, id])
  const events = await db.read
    .selectFrom('events.event')
    .select(['type', 'reason', 'data'])
    .where('subject_id', '=', id)
    .execute()
  const was = { provider: 'digitalocean', external_id: '512', invoice_number: '512', period_start: '2026-04-01' }
  assert.deepEqual(events, [
    {
      type: 'provider_invoice.withdrawn',
      reason: 'half of the file',
      data: { was: { ...was, status: 'issued', currency: 'USD', amount: '76', line_count: 1 }, replaced_by: null },
    },
  ])
  const again = await withdraw()
  assert.deepEqual([again.status, again.body.code], [409, 'costs/not-withdrawable'])
  assert.match(again.body.detail, /half of the file/)
  const right = await upload(costs, csv(WEB, JOBS), 'period=2026-04&invoice_number=512')
  assert.deepEqual([right.status, right.body.data.external_id, right.body.data.amount], [201, '512', '80'])
  assert.equal(
    (await call('POST', `/billing/provider-invoices/${edge.ids.uuid()}/withdraw`, { body: { reason: 'x' } })).status,
    404,
  )
  await assertSound(costs)
})

test('what the provider itself sends is not withdrawn, and the database holds all of it', async () => {
  const { body } = await upload(costs, csv(WEB), 'period=2026-04&invoice_number=512')
  const bill = (set: string) => db.script(`update costs.provider_invoice set ${set} where id = '${body.data.id}'`)
  const withdrawn = "status = 'withdrawn', withdrawn_at = now(), withdrawn_by = 'a', withdrawn_reason = 'b'"
  await assert.rejects(bill("status = 'preview'"), /cannot be changed/)
  await assert.rejects(bill("status = 'withdrawn'"), /provider_invoice_withdrawn_whole/)
  await assert.rejects(bill(`${withdrawn}, amount = 1`), /cannot be changed/)
  await call('POST', '/billing/periods/2026-04/close')
  await assert.rejects(bill(withdrawn), /month of the bill is closed/)
  await call('POST', '/billing/periods/2026-04/reopen', { body: { reason: 'x' } })
  await bill("read_from = 'items'")
  await assert.rejects(bill(withdrawn), /only a bill that was uploaded/)
  const refused = await call('POST', `/billing/provider-invoices/${body.data.id}/withdraw`, { body: { reason: 'x' } })
  assert.deepEqual([refused.status, refused.body.code], [409, 'costs/not-withdrawable'])
  await bill("read_from = 'upload'")
  await call('POST', `/billing/provider-invoices/${body.data.id}/withdraw`, { body: { reason: 'x' } })
  await assert.rejects(bill("withdrawn_reason = 'y'"), /is kept as it was/)
  await assert.rejects(db.script('delete from costs.provider_invoice'), /is kept as it was/)
  await assert.rejects(db.script("update costs.withdrawn_line set line = '{}'"), /is kept as it was/)
  await assert.rejects(db.script('delete from costs.withdrawn_line'), /is kept as it was/)
})

test('what the provider sends later that differs is an alarm that shows both versions', async () => {
  const bill = demoAccount().invoices.find(({ invoice_period }) => invoice_period === '2026-04')
  assert.ok(bill)
  const { body } = await upload(costs, csvOf(bill))
  const { id } = body.data
  const difference = async () => call('GET', `/billing/provider-invoices/${id}/difference`)
  assert.equal((await difference()).status, 404)
  const [first, ...others] = parseInvoiceCsv(csvOf(bill)).items.map(toBillLine)
  assert.ok(first)
  const received = [...others, { ...first, amount: '0.01' }, { ...first, amount: '0.01' }]
  const outcome = await store(id, received)
  assert.deepEqual(outcome, { outcome: 'differs', line_count: 34 })
  const { status, body: shown } = await difference()
  assert.equal(status, 200)
  const { stored, received: sent } = shown.data
  assert.deepEqual([stored.line_count, stored.lines_amount, stored.differing_count], [33, '86.92', 1])
  assert.deepEqual([sent.line_count, sent.differing_count], [34, 2])
  assert.deepEqual([stored.lines[0].amount, stored.lines[0].description], [first.amount, first.description])
  assert.deepEqual(
    sent.lines.map((line: { amount: string }) => line.amount),
    ['0.01', '0.01'],
  )
  const lines = await call('GET', `/billing/cost-lines?provider_invoice_id=${id}&limit=200`)
  assert.equal(lines.body.data.length, 33, 'nothing of what is issued has changed')
})

test('of a version that differs throughout the first lines are kept, and all are counted', async () => {
  const count = DIFFERENCE_MAX_LINES + 5
  const many = (amount: string) =>
    csv(...Array.from({ length: count }, (_, at) => row('Droplets', `n${at} (s-1)`, amount)))
  const { body } = await upload(costs, many('1.00'))
  await store(body.data.id, parseInvoiceCsv(many('2.00')).items.map(toBillLine))
  const { data } = (await call('GET', `/billing/provider-invoices/${body.data.id}/difference`)).body
  assert.deepEqual([data.received.differing_count, data.received.lines.length], [count, DIFFERENCE_MAX_LINES])
})

async function store(provider_invoice_id: string, lines: Parameters<typeof storeBill>[1]['bill']['lines']) {
  const bill = { lines, summary: null, read_from: 'items' as const }
  const context = { now: costs.clock.now(), ids: edge.ids, onBillIssued: async () => {} }
  return db.transaction((tx) => storeBill(tx, { provider_invoice_id, bill }, context))
}

async function sendFiles(files: Record<string, string | Buffer>, query = 'period=2026-04') {
  const boundary = 'x-boundary'
  const parts = Object.entries(files).flatMap(([name, content]) => [
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\n`,
    content,
    '\r\n',
  ])
  return call('POST', `${PATH}?${query}`, {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...parts, `--${boundary}--\r\n`].map((part) => Buffer.from(part as string))),
  })
}

function fixture(name: string): string {
  return readFileSync(new URL(`../../providers/digitalocean/fixtures/${name}`, import.meta.url), 'utf8')
}
