import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { SignJWT } from 'jose'
import { createFinanceClient } from '../../src/providers/finance/index.ts'
import { type FinanceStandIn, startFinanceStandIn } from './index.ts'

const JWT_SECRET = 'a-secret-of-the-finance-service-0123456789'
const NOW = Temporal.Instant.from('2026-05-01T03:00:00Z')
const NOW_S = NOW.epochMilliseconds / 1_000
const BILLS = '/api/v1/integrations/cloud/import-invoice'
const TENANT_INVOICES = '/api/v1/integrations/cloud/import-tenant-invoice'

let finance: FinanceStandIn

beforeEach(async () => {
  finance = await startFinanceStandIn({ jwt_secret: JWT_SECRET, now: () => NOW })
})
afterEach(() => finance.close())

const BILL = {
  tenant_id: 'platform-admin',
  source: 'digitalocean',
  external_id: 'c5e6f1f0-0d1f-4a3e-9a53-4a2c5c4a7a10',
  invoice_number: '514200001',
  vendor: { name: 'DigitalOcean', category: 'cloud' },
  currency: 'USD',
  period: { start: '2026-04-01', end: '2026-05-01' },
  issued_on: '2026-05-01',
  amount_net_minor: 7902,
  amount_tax_minor: 790,
  amount_gross_minor: 8692,
  lines: [
    { description: 'web-1', kind: 'droplet', amount_minor: 7902, tax: false, tenant_id: 't_42', deployment_id: 'd_1' },
    { description: 'GST', kind: 'tax', amount_minor: 790, tax: true, tenant_id: null, deployment_id: null },
  ],
}
const { vendor: _, ...withoutVendor } = BILL
const TENANT_INVOICE = { ...withoutVendor, source: 'arcadia-cloud', customer: { name: 'Studio Pty Ltd' } }

test('what the finance client sends is taken, first as created and then as updated', async () => {
  const clock = { now: () => NOW }
  const client = createFinanceClient({ base_url: finance.url, jwt_secret: JWT_SECRET, clock, max_retries: 0 })
  const bill = {
    tenant_id: 'platform-admin',
    source: 'digitalocean',
    external_id: 'bill-1',
    invoice_number: '514200001',
    vendor: { name: 'DigitalOcean', category: 'cloud' },
    currency: 'USD',
    period: { start: Temporal.PlainDate.from('2026-04-01'), end: Temporal.PlainDate.from('2026-05-01') },
    issued_on: Temporal.PlainDate.from('2026-05-01'),
    amount_net_minor: 100n,
    amount_tax_minor: 0n,
    amount_gross_minor: 100n,
    lines: [
      { description: 'web-1', kind: 'droplet', amount_minor: 100n, tax: false, tenant_id: null, deployment_id: null },
    ],
  } as const
  assert.deepEqual(await client.importBill(bill), { id: 'doc_1', action: 'created' })
  assert.deepEqual(await client.importBill(bill), { id: 'doc_1', action: 'updated' })
  assert.deepEqual(
    finance.documents().map((document) => [document.type, document.actions]),
    [['bill', { created: 1, updated: 1 }]],
  )
})

test('an updated document replaces what was held', async () => {
  await post(BILLS, BILL)
  await post(BILLS, { ...BILL, invoice_number: '514200002' })
  assert.deepEqual(
    finance.documents().map((document) => document.payload.invoice_number),
    ['514200002'],
  )
})

test('documents of another source or id are other documents', async () => {
  await post(BILLS, BILL)
  await post(BILLS, { ...BILL, external_id: 'another' })
  await post(TENANT_INVOICES, { ...TENANT_INVOICE })
  assert.deepEqual(
    finance.documents().map((document) => document.id),
    ['doc_1', 'doc_2', 'doc_3'],
  )
})

test('the list shows what it holds', async () => {
  await post(TENANT_INVOICES, TENANT_INVOICE)
  const answer = await fetch(`${finance.url}/api/v1/documents`, { headers: await authorization() })
  assert.deepEqual(await answer.json(), {
    data: [{ id: 'doc_1', type: 'tenant_invoice', actions: { created: 1, updated: 0 }, payload: TENANT_INVOICE }],
  })
})

for (const [name, token] of Object.entries<() => Promise<string>>({
  'an expired token': () => mint({ exp: NOW_S }),
  'a token that lives longer than five minutes': () => mint({ exp: NOW_S + 301 }),
  'a token without an end': () => mint({ exp: undefined }),
  'a token of a tenant': () => mint({ tenant_id: 't_42' }),
  'a token without the admin role': () => mint({ roles: ['viewer'] }),
  'a token signed with another secret': () => mint({}, 'another-secret-of-some-other-service-0123'),
  'a token signed with another algorithm': () => mint({}, JWT_SECRET, 'HS512'),
  'no token': async () => '',
})) {
  test(`${name} is refused`, async () => {
    const headers = { authorization: `Bearer ${await token()}` }
    assert.equal(await post(BILLS, BILL, headers), 401)
    assert.deepEqual(finance.documents(), [])
  })
}

const [firstLine, ...otherLines] = BILL.lines
for (const [name, body] of Object.entries({
  'an unknown field': { ...BILL, note: 'x' },
  'a missing field': withoutVendor,
  'a vendor and a customer': { ...BILL, customer: { name: 'Studio Pty Ltd' } },
  'an amount as a string': { ...BILL, amount_net_minor: '7902' },
  'an amount with a fraction': { ...BILL, amount_net_minor: 7902.5 },
  'an amount that is not exact in JSON': { ...BILL, amount_net_minor: 2 ** 53 },
  'a period that ends as it starts': { ...BILL, period: { start: '2026-04-01', end: '2026-04-01' } },
  'a day that does not exist': { ...BILL, issued_on: '2026-04-31' },
  'an unknown field of a line': { ...BILL, lines: [{ ...firstLine, currency: 'USD' }, ...otherLines] },
  'another tenant': { ...BILL, tenant_id: 't_42' },
  'net and tax that miss gross': { ...BILL, amount_net_minor: 7901 },
  'lines that miss gross': { ...BILL, lines: [{ ...firstLine, amount_minor: 7901 }, ...otherLines] },
  'tax lines that miss tax': { ...BILL, lines: BILL.lines.map((line) => ({ ...line, tax: true })) },
})) {
  test(`a bill with ${name} is refused`, async () => {
    assert.equal(await post(BILLS, body), 422)
    assert.deepEqual(finance.documents(), [])
  })
}

test('a tenant invoice with a vendor, or of another source, is refused', async () => {
  assert.equal(await post(TENANT_INVOICES, BILL), 422)
  assert.equal(await post(TENANT_INVOICES, { ...TENANT_INVOICE, source: 'digitalocean' }), 422)
})

async function post(path: string, body: unknown, headers?: Record<string, string>): Promise<number> {
  const answer = await fetch(`${finance.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(headers ?? (await authorization())) },
    body: JSON.stringify(body),
  })
  await answer.text()
  return answer.status
}

async function authorization() {
  return { authorization: `Bearer ${await mint({})}` }
}

function mint(claims: Record<string, unknown>, secret = JWT_SECRET, alg = 'HS256'): Promise<string> {
  const key = new TextEncoder().encode(secret)
  const valid = { tenant_id: 'platform-admin', roles: ['admin'], exp: NOW_S + 300 }
  return new SignJWT({ ...valid, ...claims }).setProtectedHeader({ alg }).sign(key)
}

test('documents outlive the process when they are given a file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'finance-'))
  t.after(() => rm(dir, { recursive: true }))
  const options = { jwt_secret: JWT_SECRET, now: () => NOW, ledger_file: join(dir, 'ledger.json') }
  for (const _start of ['first', 'second']) {
    await finance.close()
    finance = await startFinanceStandIn(options)
    assert.equal(await post(BILLS, BILL), 200)
  }
  assert.deepEqual(
    finance.documents().map((document) => document.actions),
    [{ created: 1, updated: 1 }],
  )
})
