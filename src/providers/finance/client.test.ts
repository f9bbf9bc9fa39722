import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { compactVerify } from 'jose'
import { period } from '../../kernel/period.ts'
import { frozenClock } from '../../platform/clock.ts'
import { OutboundError } from '../../platform/outbound.ts'
import { type Answer, json, type Received, startScriptedServer } from '../../../test/support/scripted-server.ts'
import { type BillPayload, createFinanceClient, type FinanceOptions, type TenantInvoicePayload } from './index.ts'
import { IMPATIENCE_MS } from '../../../test/support/patience.ts'

const JWT_SECRET = 'a-secret-of-the-finance-service-0123456789'
const NOW = '2026-05-01T03:00:00.750Z'
const NOW_S = Math.floor(Temporal.Instant.from(NOW).epochMilliseconds / 1_000)

const server = await startScriptedServer()
const { base_url } = server

after(server.close)
beforeEach(() => {
  server.answers = [json({ id: 'doc_1', action: 'created' })]
  server.received = []
})

const SHARED = {
  tenant_id: 'platform-admin',
  currency: 'USD',
  period: period('2026-04-01', '2026-05-01'),
  issued_on: Temporal.PlainDate.from('2026-05-01'),
  amount_net_minor: 7902n,
  amount_tax_minor: 790n,
  amount_gross_minor: 8692n,
  lines: [
    { description: 'web-1', kind: 'droplet', amount_minor: 7902n, tax: false, tenant_id: 't_42', deployment_id: 'd_1' },
    { description: 'GST', kind: 'tax', amount_minor: 790n, tax: true, tenant_id: null, deployment_id: null },
  ],
} as const

const BILL: BillPayload = {
  ...SHARED,
  source: 'digitalocean',
  external_id: 'c5e6f1f0-0d1f-4a3e-9a53-4a2c5c4a7a10',
  invoice_number: '514200001',
  vendor: { name: 'DigitalOcean', category: 'cloud' },
}

const TENANT_INVOICE: TenantInvoicePayload = {
  ...SHARED,
  source: 'arcadia-cloud',
  external_id: 'inv_1',
  invoice_number: 'INV-2026-0001',
  customer: { name: 'Studio Pty Ltd', country: 'AU' },
}

test('a bill arrives as the contract spells it, amounts as JSON integers', async () => {
  assert.deepEqual(await finance().importBill(BILL), { id: 'doc_1', action: 'created' })
  const [call] = server.received
  assert.deepEqual([call?.method, call?.url], ['POST', '/api/v1/integrations/cloud/import-invoice'])
  assert.deepEqual(JSON.parse(call?.body ?? ''), {
    tenant_id: 'platform-admin',
    source: 'digitalocean',
    external_id: BILL.external_id,
    invoice_number: '514200001',
    vendor: { name: 'DigitalOcean', category: 'cloud' },
    currency: 'USD',
    period: { start: '2026-04-01', end: '2026-05-01' },
    issued_on: '2026-05-01',
    amount_net_minor: 7902,
    amount_tax_minor: 790,
    amount_gross_minor: 8692,
    lines: [
      {
        description: 'web-1',
        kind: 'droplet',
        amount_minor: 7902,
        tax: false,
        tenant_id: 't_42',
        deployment_id: 'd_1',
      },
      { description: 'GST', kind: 'tax', amount_minor: 790, tax: true, tenant_id: null, deployment_id: null },
    ],
  })
})

test('a tenant invoice goes to its own path and names a customer, not a vendor', async () => {
  server.answers = [json({ id: 'doc_2', action: 'updated', booked_by: 'someone' })]
  assert.deepEqual(await finance().importTenantInvoice(TENANT_INVOICE), { id: 'doc_2', action: 'updated' })
  assert.equal(server.received[0]?.url, '/api/v1/integrations/cloud/import-tenant-invoice')
  const body = JSON.parse(server.received[0]?.body ?? '')
  assert.deepEqual([body.source, body.customer], ['arcadia-cloud', { name: 'Studio Pty Ltd', country: 'AU' }])
  assert.equal('vendor' in body, false)
})

test('every call carries its own token: HS256, five minutes, admin of platform-admin', async () => {
  const clock = frozenClock(NOW)
  const client = finance({ clock })
  await client.importBill(BILL)
  clock.set(Temporal.Instant.from(NOW).add({ minutes: 10 }))
  await client.importBill(BILL)
  assert.deepEqual(await claims(server.received[0]), expectedClaims(NOW_S))
  assert.deepEqual(await claims(server.received[1]), expectedClaims(NOW_S + 600))
})

test('status 500 and a missing answer are tried again with the same body', async () => {
  server.answers = [status(500), () => undefined, json({ id: 'doc_1', action: 'created' })]
  await finance().importBill(BILL)
  assert.equal(server.received.length, 3)
  assert.equal(new Set(server.received.map((call) => call.body)).size, 1)
})

for (const code of [400, 401, 409, 422]) {
  test(`status ${code} is not tried again`, async () => {
    server.answers = [status(code)]
    const error = await failureOf(finance().importBill(BILL))
    assert.deepEqual([error.reason, error.status, server.received.length], ['http', code, 1])
  })
}

for (const answer of [{}, { id: '', action: 'created' }, { id: 'doc_1' }, { id: 'doc_1', action: 'deleted' }, []]) {
  test(`the answer ${JSON.stringify(answer)} is not believed`, async () => {
    server.answers = [json(answer)]
    const error = await failureOf(finance({ max_retries: 0 }).importBill(BILL))
    assert.deepEqual([error.reason, error.status], ['invalid_response', 200])
  })
}

test('an error shows neither the secret nor the token', async () => {
  for (const answer of [status(401), status(500), json({}), () => undefined]) {
    server.answers = [answer]
    const error = await failureOf(finance({ max_retries: 0 }).importBill(BILL))
    const shown = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
    const token = tokenOf(server.received.at(-1))
    assert.ok(token.length > 0)
    assert.ok(!shown.includes(JWT_SECRET) && !shown.includes(token))
  }
})

function finance(options: Partial<FinanceOptions> = {}) {
  const clock = frozenClock(NOW)
  return createFinanceClient({
    base_url,
    jwt_secret: JWT_SECRET,
    clock,
    timeout_ms: IMPATIENCE_MS,
    backoff_ms: 1,
    ...options,
  })
}

function tokenOf(call: Received | undefined): string {
  return call?.headers.authorization?.replace('Bearer ', '') ?? ''
}

async function claims(call: Received | undefined): Promise<unknown> {
  const token = tokenOf(call)
  const key = new TextEncoder().encode(JWT_SECRET)
  const { payload, protectedHeader } = await compactVerify(token, key)
  assert.equal(protectedHeader.alg, 'HS256')
  return JSON.parse(new TextDecoder().decode(payload))
}

function expectedClaims(issued_at_s: number) {
  return {
    tenant_id: 'platform-admin',
    roles: ['admin'],
    sub: 'arcadia-cloud',
    iat: issued_at_s,
    exp: issued_at_s + 300,
  }
}

async function failureOf(call: Promise<unknown>): Promise<OutboundError> {
  const error: unknown = await call.then(
    () => assert.fail('the call must fail'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof OutboundError, String(error))
  return error
}

function status(code: number): Answer {
  return (response) => response.writeHead(code).end()
}
