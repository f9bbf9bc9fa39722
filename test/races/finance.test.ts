import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { startFinanceStandIn } from '../../demo/finance/index.ts'
import { claimPush, retryPush } from '../../src/contexts/finance/commands.ts'
import { readDocument } from '../../src/contexts/finance/document.ts'
import { pushDue, queueInvoice } from '../../src/contexts/finance/index.ts'
import { frozenClock } from '../../src/platform/clock.ts'
import { type Database, insertRows, openDatabase, type Tx, within } from '../../src/platform/db.ts'
import { createFinanceClient } from '../../src/providers/finance/index.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

const SECRET = 'a-secret-for-races-only-0123456789abcdef'
const NOW = '2026-05-02T06:00:00Z'
const WORKERS = 8
const DOCUMENTS = 40
const INVOICE = '44444444-4444-4444-8444-444444444444'
const PUSH = '55555555-5555-4555-8555-555555555555'
/** Long enough for the second transaction to reach the row that the first one holds. */
const HEAD_START_MS = 200

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

test('eight push workers at once push each document once', async () => {
  const { db, url } = await server.database()
  const clock = frozenClock(NOW)
  const books = await startFinanceStandIn({ jwt_secret: SECRET, now: () => clock.now() })
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, () => openDatabase({ database: { kind: 'postgres', url } })),
  )
  try {
    await enterPushes(db)
    const client = createFinanceClient({ base_url: books.url, jwt_secret: SECRET, clock, max_retries: 0 })
    const runs = await Promise.all(workers.map((worker) => pushDue({ db: worker, clock }, { client })))

    assert.deepEqual(
      runs.filter((run) => run.waiting > 0 || run.failed > 0),
      [],
    )
    assert.ok(runs.filter((run) => run.pushed > 0).length > 1, 'the workers share the documents')
    assert.equal(books.documents().length, DOCUMENTS)
    assert.ok(books.documents().every(({ actions }) => actions.created === 1 && actions.updated === 0))
    const rows = await db.read.selectFrom('finance.push').select(['status', 'attempts', 'claimed_until']).execute()
    assert.equal(rows.length, DOCUMENTS)
    assert.ok(rows.every((row) => row.status === 'pushed' && row.attempts === 1 && row.claimed_until === null))
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
    await books.close()
  }
})

test('an invoice that is sent again while it is being made void ends void in the outbox', async () => {
  const { db } = await server.database()
  await enterInvoice(db)
  const now = Temporal.Instant.from(NOW)
  const queued = (tx: Tx) => queueInvoice(tx, { tenant_id: 't_1', invoice_id: INVOICE }, { id: PUSH, now })
  await db.transaction(queued)
  await db.transaction((tx) => claimPush(tx, { now }))
  const queued_void = Promise.withResolvers<void>()
  const asked_again = Promise.withResolvers<void>()
  const voiding = db.transaction(async (tx) => {
    await tx
      .updateTable('invoicing.invoice')
      .set({ status: 'void', voided_at: now })
      .where('id', '=', INVOICE)
      .execute()
    await queued(tx)
    queued_void.resolve()
    await asked_again.promise
  })
  await queued_void.promise
  const again = db.transaction((tx) => retryPush(tx, { id: PUSH, now }))
  await setTimeout(HEAD_START_MS)
  asked_again.resolve()
  await Promise.all([voiding, again])
  const { payload } = await db.read.selectFrom('finance.push').select('payload').executeTakeFirstOrThrow()
  assert.equal(readDocument('invoice', payload).payload.amount_gross_minor, 0n)
})

async function enterInvoice(db: Database): Promise<void> {
  const stamps = { created_at: NOW, updated_at: NOW }
  const invoice = {
    tenant_id: 't_1',
    id: INVOICE,
    period_start: '2026-04-01',
    period_end: '2026-05-01',
    status: 'issued',
    number: 'INV-2026-000001',
    issued_at: NOW,
    currency: 'USD',
    minor_unit_places: 2,
    subtotal_cents: '100',
    tax_cents: '0',
    total_cents: '100',
    seller: {},
    buyer: { legal_name: 'One' },
    tax: {},
    engine_version: '1',
    inputs_hash: 'x',
    created_at: NOW,
  }
  await db.transaction(async (tx) => {
    await insertRows(within<'tenants'>(tx), 'tenants.tenant', [
      {
        id: 't_1',
        legal_name: 'One',
        country: 'NO',
        currency: 'USD',
        timezone: 'UTC',
        tax_treatment: 'export',
        ...stamps,
      },
    ])
    await insertRows(within<'invoicing'>(tx), 'invoicing.invoice', [invoice])
  })
}

async function enterPushes(db: Database): Promise<void> {
  const pushes = Array.from({ length: DOCUMENTS }, (_, index) => {
    const external_id = `bill-${index}`
    return {
      id: `00000000-0000-4000-8000-${index.toString().padStart(12, '0')}`,
      document: 'provider_invoice',
      source: 'digitalocean',
      external_id,
      minor_unit_places: 2,
      payload: {
        tenant_id: 'platform-admin',
        source: 'digitalocean',
        external_id,
        invoice_number: external_id,
        vendor: { name: 'DigitalOcean', category: 'cloud' },
        currency: 'USD',
        period: { start: '2026-04-01', end: '2026-05-01' },
        issued_on: '2026-05-01',
        amount_net_minor: '0',
        amount_tax_minor: '0',
        amount_gross_minor: '0',
        lines: [],
      },
      status: 'pending',
      attempts: 0,
      next_attempt_at: NOW,
      created_at: NOW,
    }
  })
  await db.transaction((tx) => insertRows(within<'finance'>(tx), 'finance.push', pushes))
}
