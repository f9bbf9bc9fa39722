import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { sql } from 'kysely'
import { type FinanceStandIn, startFinanceStandIn, type StoredDocument } from '../../../demo/finance/index.ts'
import { testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { insertRows, jsonb, within } from '../../platform/db.ts'
import type { JobRun } from '../../platform/jobs.ts'
import { createFinanceClient, type FinanceClient } from '../../providers/finance/index.ts'
import { financeInvariants, financeJobs, financeRoutes, pushDue, queueBill, queueInvoice } from './index.ts'
import { IMPATIENCE_MS } from '../../../test/support/patience.ts'

const SECRET = 'a-secret-of-the-finance-service-0123456789'
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')
const ISSUED_AT = Temporal.Instant.from('2026-04-30T22:00:00Z')
const WEB = '11111111-1111-4111-8111-111111111111'
const BILL = '22222222-2222-4222-8222-222222222222'
const PREVIEW = '33333333-3333-4333-8333-333333333333'
const INVOICE = '44444444-4444-4444-8444-444444444444'
const DRAFT = '55555555-5555-4555-8555-555555555555'
const MONTH = { period_start: '2026-04-01', period_end: '2026-05-01' }

let harness: Awaited<ReturnType<typeof testHttp>>
let books: FinanceStandIn

before(async () => {
  harness = await testHttp((edge) => [financeRoutes(edge, { client: null })])
  await storeBooks()
})
after(() => harness.close())
beforeEach(async () => {
  harness.clock.set(NOW)
  harness.enqueued.length = 0
  await harness.db.transaction((tx) => tx.deleteFrom('finance.push').execute())
  books = await startFinanceStandIn({ jwt_secret: SECRET, now: () => harness.clock.now() })
})
afterEach(() => books.close())

test('a bill and an invoice are created in the books once, and updated when they are sent again', async () => {
  await queueAll()
  assert.deepEqual(await push(), { configured: true, pushed: 2, waiting: 0, failed: 0 })
  assert.deepEqual(await push(), { configured: true, pushed: 0, waiting: 0, failed: 0 })
  await queueAll()
  assert.equal((await push()).pushed, 2)
  assert.deepEqual(Object.fromEntries(books.documents().map(({ type, actions }) => [type, actions])), {
    bill: { created: 1, updated: 1 },
    tenant_invoice: { created: 1, updated: 1 },
  })
  const rows = await list()
  assert.deepEqual(
    rows.map(({ document, status, action, attempts }) => [document, status, action, attempts]),
    [
      ['invoice', 'pushed', 'updated', 1],
      ['provider_invoice', 'pushed', 'updated', 1],
    ],
  )
})

test('the books get the bill exactly, its tax apart', async () => {
  await queue('bill')
  await push()
  assert.deepEqual(books.documents()[0]?.payload, {
    tenant_id: 'platform-admin',
    source: 'digitalocean',
    external_id: 'do-bill-1',
    invoice_number: '514200001',
    vendor: { name: 'DigitalOcean', category: 'cloud' },
    currency: 'USD',
    period: { start: '2026-04-01', end: '2026-05-01' },
    issued_on: '2026-05-01',
    amount_net_minor: 7902,
    amount_tax_minor: 790,
    amount_gross_minor: 8692,
    lines: [
      { description: 'web-1', kind: 'droplet', amount_minor: 7902, tax: false, tenant_id: 't_1', deployment_id: WEB },
      { description: 'GST', kind: 'tax', amount_minor: 790, tax: true, tenant_id: null, deployment_id: null },
    ],
  })
})

test('the books get the invoice with its buyer, dated in the tenant’s zone', async () => {
  await queue('invoice')
  await push()
  assert.deepEqual(books.documents()[0]?.payload, {
    tenant_id: 'platform-admin',
    source: 'arcadia-cloud',
    external_id: INVOICE,
    invoice_number: 'INV-2026-000001',
    customer: { name: 'Studio Pty Ltd', country: 'AU' },
    currency: 'AUD',
    period: { start: '2026-04-01', end: '2026-05-01' },
    issued_on: '2026-05-01',
    amount_net_minor: 6422,
    amount_tax_minor: 642,
    amount_gross_minor: 7064,
    lines: [
      {
        description: 'Studio',
        kind: 'plan_base',
        amount_minor: 6422,
        tax: false,
        tenant_id: 't_1',
        deployment_id: WEB,
      },
      { description: 'GST 10 %', kind: 'tax', amount_minor: 642, tax: true, tenant_id: 't_1', deployment_id: null },
    ],
  })
})

test('a preview bill and a draft invoice never get into the outbox', async () => {
  const options = { now: NOW, id: WEB }
  await assert.rejects(
    harness.db.transaction((tx) => queueBill(tx, { provider_invoice_id: PREVIEW }, options)),
    /only issued bills/,
  )
  await assert.rejects(
    harness.db.transaction((tx) => queueInvoice(tx, { tenant_id: 't_1', invoice_id: DRAFT }, options)),
    /only issued invoices/,
  )
  assert.deepEqual(await list(), [])
})

test('a service that fails is tried again after a pause that grows, and then catches up', async () => {
  await queueAll()
  const broken = await serve((_request, response) => response.writeHead(500).end())
  try {
    const client = clientOf(broken.url)
    assert.deepEqual(await push(client), { configured: true, pushed: 0, waiting: 2, failed: 0 })
    assert.equal((await push(client)).waiting, 0)
    harness.clock.set(NOW.add({ minutes: 1 }))
    assert.equal((await push(client)).waiting, 2)
  } finally {
    broken.close()
  }
  const [row] = await list()
  assert.deepEqual([row?.status, row?.attempts, row?.next_attempt_at], ['pending', 2, '2026-05-02T06:03:00Z'])
  assert.match(row?.last_error ?? '', /status 500/)
  harness.clock.set(NOW.add({ minutes: 3 }))
  assert.equal((await push()).pushed, 2)
  assert.deepEqual(
    (await list()).map(({ status, attempts, last_error }) => [status, attempts, last_error]),
    [
      ['pushed', 3, null],
      ['pushed', 3, null],
    ],
  )
})

test('an answer whose id cannot be stored is a failed attempt in words, and is tried again', async () => {
  await queue('bill')
  const odd = await serve((_request, response) => response.end('{"id": "fin\\u0000_1", "action": "created"}'))
  try {
    assert.deepEqual(await push(clientOf(odd.url)), { configured: true, pushed: 0, waiting: 1, failed: 0 })
  } finally {
    odd.close()
  }
  const [row] = await list()
  assert.deepEqual([row?.status, row?.attempts], ['pending', 1])
  assert.match(row?.last_error ?? '', /the answer is wrong at \/id/)
  harness.clock.set(harness.clock.now().add({ minutes: 2 }))
  assert.equal((await push()).pushed, 1)
})

test('a service that never answers stops the run after one document, and nothing is lost', async () => {
  await queueAll()
  const silent = await serve(() => undefined)
  try {
    assert.deepEqual(await push(clientOf(silent.url, { timeout_ms: IMPATIENCE_MS })), {
      configured: true,
      pushed: 0,
      waiting: 1,
      failed: 0,
    })
  } finally {
    silent.close()
  }
  harness.clock.set(NOW.add({ minutes: 1 }))
  assert.equal((await push()).pushed, 2)
})

test('a wrong secret is no refusal: what waits goes out once the right one is there', async () => {
  await queue('bill')
  const wrong = clientOf(books.url, { jwt_secret: 'another-secret-that-the-service-does-not-know' })
  assert.deepEqual(await push(wrong), { configured: true, pushed: 0, waiting: 1, failed: 0 })
  assert.match((await list())[0]?.last_error ?? '', /status 401/)
  harness.clock.set(NOW.add({ minutes: 1 }))
  assert.equal((await push()).pushed, 1)
})

test('a refused document fails at once and shows, until it is sent again when asked', async () => {
  await queue('bill')
  const strict = await serve((_request, response) => response.writeHead(422).end())
  try {
    assert.deepEqual(await push(clientOf(strict.url)), { configured: true, pushed: 0, waiting: 0, failed: 1 })
  } finally {
    strict.close()
  }
  const [failed] = await list('?status=failed')
  assert.deepEqual([failed?.status, failed?.attempts, failed?.next_attempt_at], ['failed', 1, null])
  assert.match(failed?.last_error ?? '', /status 422/)
  assert.equal((await push()).pushed, 0)

  const answer = await harness.call('POST', `/finance/pushes/${failed?.id}/retry`)
  assert.deepEqual(
    [answer.status, answer.body.data.status, answer.body.data.attempts, answer.body.data.last_error],
    [200, 'pending', 0, null],
  )
  assert.deepEqual(harness.enqueued, [{ job: 'finance.push-due', payload: {} }])
  assert.equal((await push()).pushed, 1)
})

test('a document that is sent again when asked names the owners as they are now', async (t) => {
  await queue('bill')
  await push()
  const own = (owner: {
    tenant_id: string | null
    deployment_id: string | null
    match_status: 'matched' | 'unmatched'
  }) => harness.db.transaction((tx) => tx.updateTable('costs.cost_line').set(owner).where('id', '=', BILL).execute())
  await own({ tenant_id: null, deployment_id: null, match_status: 'unmatched' })
  t.after(() => own({ tenant_id: 't_1', deployment_id: WEB, match_status: 'matched' }))
  const [row] = await list()
  assert.equal((await harness.call('POST', `/finance/pushes/${row?.id}/retry`)).status, 200)
  await push()
  const [document] = books.documents()
  assert.deepEqual([document?.actions, document?.payload.lines[0]?.tenant_id], [{ created: 1, updated: 1 }, null])
})

test('a credit note takes its net and its tax off the invoice in the books, as the same document', async (t) => {
  const invoice_id = await issue('INV-2026-000002', '2026-01')
  t.after(() => makeVoid(invoice_id))
  await queueOf(invoice_id)
  await push()
  await harness.db.transaction((tx) =>
    tx
      .insertInto('invoicing.credit_note')
      .values({
        tenant_id: 't_1',
        id: harness.edge.ids.uuid(),
        invoice_id,
        number: 'CN-2026-000001',
        amount_cents: 1100n,
        tax_cents: 100n,
        reason: 'x',
        created_by: 'x',
        created_at: NOW,
      })
      .execute(),
  )
  assert.ok((await brokenInvariants()).includes('finance.invoices-are-as-they-stand'))
  await queueOf(invoice_id)
  assert.ok(!(await brokenInvariants()).includes('finance.invoices-are-as-they-stand'))
  await push()
  const [document, ...others] = books.documents()
  assert.deepEqual([document?.actions, others], [{ created: 1, updated: 1 }, []])
  assert.deepEqual(amountsOf(document), [5422, 542, 5964])
  assert.deepEqual(
    document?.payload.lines.slice(2).map(({ description, amount_minor, tax }) => [description, amount_minor, tax]),
    [
      ['Credit note CN-2026-000001', -1000, false],
      ['Credit note CN-2026-000001', -100, true],
    ],
  )
})

test('a void invoice that the books know becomes nothing there', async () => {
  const invoice_id = await issue('INV-2026-000003', '2026-02')
  await queueOf(invoice_id)
  await push()
  await makeVoid(invoice_id)
  assert.ok((await brokenInvariants()).includes('finance.invoices-are-as-they-stand'))
  await queueOf(invoice_id)
  assert.ok(!(await brokenInvariants()).includes('finance.invoices-are-as-they-stand'))
  await push()
  const [document, ...others] = books.documents()
  assert.deepEqual([document?.actions, amountsOf(document), others], [{ created: 1, updated: 1 }, [0, 0, 0], []])
  assert.deepEqual(
    document?.payload.lines.map(({ description, amount_minor }) => [description, amount_minor]),
    [['Void', 0]],
  )
})

test('a void invoice that was never sent is not sent, and one whose answer got lost is', async () => {
  const unsent = await issue('INV-2026-000004', '2026-03')
  await queueOf(unsent)
  await makeVoid(unsent)
  await queueOf(unsent)
  assert.deepEqual(await list(), [])

  const lost = await issue('INV-2026-000005', '2026-03')
  await queueOf(lost)
  const silent = await serve(() => undefined)
  try {
    await push(clientOf(silent.url, { timeout_ms: IMPATIENCE_MS }))
  } finally {
    silent.close()
  }
  await makeVoid(lost)
  await queueOf(lost)
  assert.equal((await push()).pushed, 1)
  assert.deepEqual(amountsOf(books.documents()[0]), [0, 0, 0])
})

test('a pushed document is pushed again when asked, and stays one document', async () => {
  await queue('bill')
  await push()
  const [row] = await list()
  assert.equal((await harness.call('POST', `/finance/pushes/${row?.id}/retry`)).status, 200)
  await push()
  assert.deepEqual(
    books.documents().map(({ actions }) => actions),
    [{ created: 1, updated: 1 }],
  )
  assert.equal((await list())[0]?.action, 'updated')
})

test('without a configured service pushes wait and say so, and go out once there is one', async () => {
  await queueAll()
  const [job] = financeJobs(harness.edge, { client: null })
  const run: JobRun = { finish: (effect) => harness.db.transaction(effect) }
  assert.deepEqual(await job?.handle({}, run), {
    outcome: 'skipped',
    detail: 'FINANCE_JWT_SECRET is not set; documents waiting: 2',
  })
  assert.deepEqual((await list('?status=not_configured')).length, 2)
  const [configured] = financeJobs(harness.edge, { client: clientOf(books.url) })
  assert.deepEqual(await configured?.handle({}, run), {
    outcome: 'done',
    detail: '2 pushed, 0 to be tried again, 0 failed',
  })
})

test('two runs at once send each document once', async () => {
  await queueAll()
  const runs = await Promise.all([push(), push()])
  assert.equal(runs[0].pushed + runs[1].pushed, 2)
  assert.deepEqual(
    books.documents().map(({ actions }) => actions),
    [
      { created: 1, updated: 0 },
      { created: 1, updated: 0 },
    ],
  )
})

test('a document that is queued again while it is being sent is sent once more, after that', async () => {
  await queue('bill')
  const client = clientOf(books.url)
  let sent = 0
  const interrupted: FinanceClient = {
    ...client,
    importBill: async (payload) => {
      sent += 1
      if (sent === 1) {
        await queue('bill')
        assert.equal((await push()).pushed, 0, 'nobody overtakes')
      }
      return client.importBill(payload)
    },
  }
  await push(interrupted)
  assert.equal(sent, 2)
  assert.deepEqual(
    (await list()).map(({ status, action }) => [status, action]),
    [['pushed', 'updated']],
  )
})

test('a run that dies leaves its claim, which ends by itself', async () => {
  await queue('bill')
  const dying: FinanceClient = {
    ...clientOf(books.url),
    importBill: () => Promise.reject(new Error('the process dies')),
  }
  await assert.rejects(push(dying), /the process dies/)
  assert.equal((await push()).pushed, 0)
  harness.clock.set(NOW.add({ minutes: 10 }))
  assert.equal((await push()).pushed, 1)
  assert.equal((await list())[0]?.attempts, 2)
})

test('the outbox shows amounts as integers, page by page, to the operator only', async () => {
  await queueAll()
  const first = await harness.call('GET', '/finance/pushes?limit=1')
  const second = await harness.call('GET', `/finance/pushes?limit=1&cursor=${first.body.next_cursor}`)
  const rows = [...first.body.data, ...second.body.data]
  assert.deepEqual(new Set(rows.map((row) => row.payload.amount_gross_minor)), new Set([7064, 8692]))
  assert.equal(second.body.next_cursor, null)
  for (const [as, status] of [
    ['nobody', 401],
    ['gateway', 403],
    [{ tenant: 't_1' }, 403],
  ] as const) {
    assert.equal((await harness.call('GET', '/finance/pushes', { as })).status, status)
    assert.equal((await harness.call('POST', `/finance/pushes/${WEB}/retry`, { as })).status, status)
  }
})

test('an unknown push is not found and an unknown question refused', async () => {
  for (const id of [WEB, 'x']) {
    const answer = await harness.call('POST', `/finance/pushes/${id}/retry`)
    assert.deepEqual([answer.status, answer.body.code], [404, 'request/not-found'])
  }
  assert.deepEqual(harness.enqueued, [])
  for (const query of ['?status=lost', '?limit=0', '?cursor=x', '?tenant_id=t_1']) {
    assert.equal((await harness.call('GET', `/finance/pushes${query}`)).status, 422, query)
  }
})

test('the audit finds an issued document that is not in the outbox, and one that does not add up', async () => {
  const broken = async () =>
    (await runAudit(harness.db.read, financeInvariants))
      .filter(({ ok }) => !ok)
      .map(({ name, violations }) => [name, violations.length])
  await queueAll()
  assert.deepEqual(await broken(), [])
  await harness.db.transaction(async (tx) => {
    await tx.deleteFrom('finance.push').where('document', '=', 'invoice').execute()
    await sql`
      update finance.push set external_id = 'preview', payload = jsonb_set(payload, '{amount_net_minor}', '"7901"')`.execute(
      tx,
    )
  })
  assert.deepEqual(await broken(), [
    ['finance.issued-documents-are-in-the-outbox', 2],
    ['finance.only-issued-documents-are-in-the-outbox', 1],
    ['finance.documents-add-up', 1],
  ])
})

test('the audit finds a document whose currency has other places than it was sent with', async () => {
  await queueAll()
  await harness.db.script(`update finance.push set minor_unit_places = 0 where document = 'invoice'`)
  const finding = (await runAudit(harness.db.read, financeInvariants)).find(({ ok }) => !ok)
  assert.equal(finding?.name, 'finance.minor-units-are-of-the-currency')
  assert.deepEqual(finding?.violations, [{ subject: INVOICE, detail: 'AUD with 0 places, in the list 2' }])
})

type Row = {
  id: string
  document: string
  status: string
  action: string
  attempts: number
  next_attempt_at: string
  last_error: string | null
}

async function list(query = ''): Promise<Row[]> {
  const answer = await harness.call('GET', `/finance/pushes${query}`)
  assert.equal(answer.status, 200, answer.text)
  return answer.body.data.toSorted((a: Row, b: Row) => (a.document < b.document ? -1 : 1))
}

function push(client: FinanceClient = clientOf(books.url)) {
  return pushDue(harness.edge, { client })
}

async function queue(which: 'bill' | 'invoice'): Promise<void> {
  const options = { now: harness.clock.now(), id: harness.edge.ids.uuid() }
  if (which === 'invoice') return queueOf(INVOICE)
  await harness.db.transaction((tx) => queueBill(tx, { provider_invoice_id: BILL }, options))
}

function queueOf(invoice_id: string): Promise<void> {
  const options = { now: harness.clock.now(), id: harness.edge.ids.uuid() }
  return harness.db.transaction((tx) => queueInvoice(tx, { tenant_id: 't_1', invoice_id }, options))
}

async function queueAll(): Promise<void> {
  await queue('bill')
  await queue('invoice')
}

function clientOf(base_url: string, options: { jwt_secret?: string; timeout_ms?: number } = {}): FinanceClient {
  return createFinanceClient({ base_url, jwt_secret: SECRET, clock: harness.clock, max_retries: 0, ...options })
}

async function serve(answer: Parameters<typeof createServer>[1]): Promise<{ url: string; close(): void }> {
  const server: Server = createServer(answer)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function amountsOf(document: StoredDocument | undefined) {
  const payload = document?.payload
  return [payload?.amount_net_minor, payload?.amount_tax_minor, payload?.amount_gross_minor]
}

async function brokenInvariants(): Promise<string[]> {
  return (await runAudit(harness.db.read, financeInvariants)).filter(({ ok }) => !ok).map(({ name }) => name)
}

/** An invoice like the first one, of another month. */
function issue(number: string, month: string): Promise<string> {
  const id = harness.edge.ids.uuid()
  const period_start = Temporal.PlainDate.from(`${month}-01`)
  return harness.db.transaction(async (tx) => {
    await sql`
      insert into invoicing.invoice select (jsonb_populate_record(i, ${jsonb({
        id,
        period_start,
        period_end: period_start.add({ months: 1 }),
        status: 'draft',
        number: null,
        issued_at: null,
      })})).*
      from invoicing.invoice i where id = ${INVOICE}`.execute(tx)
    await sql`
      insert into invoicing.invoice_line
      select (jsonb_populate_record(l, jsonb_build_object('invoice_id', ${id}::text, 'id', gen_random_uuid()))).*
      from invoicing.invoice_line l where invoice_id = ${INVOICE}`.execute(tx)
    await tx
      .updateTable('invoicing.invoice')
      .set({ status: 'issued', number, issued_at: ISSUED_AT })
      .where('id', '=', id)
      .execute()
    return id
  })
}

async function makeVoid(id: string): Promise<void> {
  await harness.db.transaction((tx) =>
    tx.updateTable('invoicing.invoice').set({ status: 'void', voided_at: NOW }).where('id', '=', id).execute(),
  )
}

async function storeBooks(): Promise<void> {
  // The bill is issued before it gets its lines here.
  await harness.db.script('alter table costs.cost_line disable trigger cost_line_has_ground')
  await harness.db.transaction(async (tx) => {
    const stamps = { created_at: ISSUED_AT, updated_at: ISSUED_AT }
    await insertRows(within<'tenants'>(tx), 'tenants.tenant', [
      {
        id: 't_1',
        legal_name: 'Renamed since',
        country: 'AU',
        currency: 'AUD',
        timezone: 'Australia/Sydney',
        tax_treatment: 'exempt',
        ...stamps,
      },
    ])
    await insertRows(within<'deployments'>(tx), 'deployments.deployment', [
      {
        id: WEB,
        tenant_id: 't_1',
        slug: 'web',
        display_name: 'x',
        llm_mode: 'off',
        state: 'active',
        billing_action_suspended: false,
        ...stamps,
      },
    ])
    const bill = {
      provider: 'digitalocean',
      currency: 'USD',
      amount: '86.92',
      lines_amount: '86.92',
      content_hash: 'x',
      number_is_stated: false,
      incomplete_readings: 0,
      announced_at: ISSUED_AT,
      ingested_at: ISSUED_AT,
      ...MONTH,
    }
    // `gap` is generated, so the columns are named.
    const columns = (
      row: typeof bill & {
        id: string
        external_id: string
        invoice_number: string | null
        status: 'issued' | 'preview'
      },
    ) => ({
      ...row,
      period_start: Temporal.PlainDate.from(row.period_start),
      period_end: Temporal.PlainDate.from(row.period_end),
    })
    await tx
      .insertInto('costs.provider_invoice')
      .values([
        columns({ ...bill, id: BILL, external_id: 'do-bill-1', invoice_number: '514200001', status: 'issued' }),
        columns({ ...bill, id: PREVIEW, external_id: 'preview', invoice_number: null, status: 'preview' }),
      ])
      .execute()
    const line = {
      provider_invoice_id: BILL,
      provider: 'digitalocean',
      product: 'x',
      service_category: 'Other',
      service_name: 'x',
      currency: 'USD',
      charge_start: ISSUED_AT,
      charge_end: ISSUED_AT,
      match_reason: 'x',
    }
    await insertRows(within<'costs'>(tx), 'costs.cost_line', [
      {
        ...line,
        position: 1,
        id: BILL,
        kind: 'droplet',
        description: 'web-1',
        charge_category: 'Usage',
        amount: '79.02',
        tenant_id: 't_1',
        deployment_id: WEB,
        match_status: 'matched',
      },
      {
        ...line,
        position: 2,
        id: PREVIEW,
        kind: 'tax',
        description: 'GST',
        charge_category: 'Tax',
        amount: '7.90',
        tenant_id: null,
        deployment_id: null,
        match_status: 'not_applicable',
      },
    ])
    const invoice = {
      tenant_id: 't_1',
      currency: 'AUD',
      minor_unit_places: 2,
      subtotal_cents: 6422n,
      tax_cents: 642n,
      total_cents: 7064n,
      seller: {},
      tax: {},
      engine_version: '1',
      inputs_hash: 'x',
      created_at: ISSUED_AT,
    }
    const buyer = { legal_name: 'Studio Pty Ltd', country: 'AU', tax_id: null, email: null, address: null }
    await insertRows(within<'invoicing'>(tx), 'invoicing.invoice', [
      { ...invoice, ...MONTH, id: INVOICE, number: null, status: 'draft', issued_at: null, buyer },
      {
        ...invoice,
        id: DRAFT,
        number: null,
        status: 'draft',
        issued_at: null,
        buyer,
        period_start: '2026-05-01',
        period_end: '2026-06-01',
      },
    ])
    const row = {
      tenant_id: 't_1',
      invoice_id: INVOICE,
      service_start: '2026-04-01',
      service_end: '2026-05-01',
      details: {},
    }
    await insertRows(within<'invoicing'>(tx), 'invoicing.invoice_line', [
      {
        ...row,
        position: 1,
        id: INVOICE,
        kind: 'plan_base',
        deployment_id: WEB,
        description: 'Studio',
        amount_precise: '64.22',
        amount_cents: 6422n,
        taxable: true,
      },
      {
        ...row,
        position: 2,
        id: DRAFT,
        kind: 'tax',
        deployment_id: null,
        description: 'GST 10 %',
        amount_precise: '6.42',
        amount_cents: 642n,
        taxable: false,
      },
    ])
    await tx
      .updateTable('invoicing.invoice')
      .set({ status: 'issued', number: 'INV-2026-000001', issued_at: ISSUED_AT })
      .where('id', '=', INVOICE)
      .execute()
  })
}
