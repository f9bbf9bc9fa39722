import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { rollup } from '../../src/contexts/invoicing/index.ts'
import { period } from '../../src/kernel/period.ts'
import { openDatabase, type Reader } from '../../src/platform/db.ts'
import { type Books, openBooks } from '../scenarios/books.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

const ROLLUPS = 8
const TENANTS = 40
const POLL_MS = 10
const POLLS_MAX = 1_000

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

test('eight rollups at once write each invoice once, with its lines once', async () => {
  const { db, url } = await server.database()
  const books = await openBooks(db, '2026-05-02T06:00:00Z')
  const handles = await Promise.all(
    Array.from({ length: ROLLUPS }, () => openDatabase({ database: { kind: 'postgres', url } })),
  )
  try {
    await enterTenants(books)
    const { edge, config } = books.app
    const results = await Promise.all(
      handles.map((handle) =>
        rollup({ ...edge, db: handle, seller: config.seller }, { period: period('2026-04-01', '2026-05-01') }),
      ),
    )

    assert.equal(
      results.reduce((sum, result) => sum + result.created, 0),
      TENANTS,
      'each invoice is reported by one of them',
    )
    assert.deepEqual(
      results.flatMap((result) => result.parked),
      [],
    )
    const rows = await db.read.selectFrom('invoicing.invoice').select('tenant_id').execute()
    assert.equal(rows.length, TENANTS)
    assert.equal(new Set(rows.map((row) => row.tenant_id)).size, TENANTS)
    const lines = await db.read.selectFrom('invoicing.invoice_line').select('kind').execute()
    assert.equal(lines.length, TENANTS)
    assert.deepEqual(await books.broken(), [])
  } finally {
    await Promise.all(handles.map((handle) => handle.close()))
    await books.close()
  }
})

test('eight callers that issue one invoice at once give it one number, and the others a refusal', async () => {
  const { db } = await server.database()
  const books = await openBooks(db, '2026-05-02T06:00:00Z')
  try {
    await enterTenants(books, 3)
    await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
    const [invoice] = (await books.call('GET', '/invoices?period=2026-04')).body.data
    const answers = await Promise.all(
      Array.from({ length: ROLLUPS }, () => books.call('POST', `/invoices/${invoice.id}/issue`, { body: {} })),
    )
    assert.deepEqual(
      answers.map((answer) => answer.status).toSorted((a, b) => a - b),
      [200, ...Array.from({ length: ROLLUPS - 1 }, () => 409)],
    )
    const pushes = (await books.call('GET', '/finance/pushes')).body.data
    assert.equal(pushes.length, 1)
  } finally {
    await books.close()
  }
})

test('two months rolled up at once bill late usage of an earlier one once', async () => {
  const { db, url } = await server.database()
  const books = await openBooks(db, '2026-05-02T06:00:00Z')
  const other = await openDatabase({ database: { kind: 'postgres', url } })
  try {
    await enterTenants(books)
    await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
    for (const { id } of (await books.call('GET', '/invoices?period=2026-04&limit=200')).body.data) {
      await books.ok('POST', `/invoices/${id}/issue`, {})
    }
    // Late: each subscription turns out to have ended in the middle of April.
    books.clock.set('2026-07-02T06:00:00Z')
    await db.transaction((tx) =>
      tx
        .updateTable('subscriptions.subscription')
        .set({ changed_at: books.clock.now(), ends_on: Temporal.PlainDate.from('2026-04-16') })
        .execute(),
    )
    await db.transaction((tx) =>
      tx
        .updateTable('subscriptions.phase')
        .set({ ends_on: Temporal.PlainDate.from('2026-04-16') })
        .execute(),
    )
    const { edge, config } = books.app
    const both = await db.transaction(async (tx) => {
      // Neither gets at its tenants before both have begun.
      await tx.selectFrom('tenants.tenant').select('id').forUpdate().execute()
      const started = [
        rollup({ ...edge, db, seller: config.seller }, { period: period('2026-05-01', '2026-06-01') }),
        rollup({ ...edge, db: other, seller: config.seller }, { period: period('2026-06-01', '2026-07-01') }),
      ]
      await waiting(db.read, started.length)
      return { started }
    })
    await Promise.all(both.started)
    const adjustments = await db.read
      .selectFrom('invoicing.invoice_line')
      .select(['tenant_id', 'amount_cents'])
      .where('kind', '=', 'adjustment')
      .execute()
    assert.deepEqual([adjustments.length, new Set(adjustments.map((line) => line.tenant_id)).size], [TENANTS, TENANTS])
    assert.ok(adjustments.every((line) => line.amount_cents === -500n))
  } finally {
    await other.close()
    await books.close()
  }
})

test('what is in flight while its month is rolled up and issued is on the next invoice, however early it was stamped', async () => {
  const { db, url } = await server.database()
  const books = await openBooks(db, '2026-05-02T06:00:00Z')
  const other = await openDatabase({ database: { kind: 'postgres', url } })
  try {
    await books.ok('POST', '/meters', { code: 'calls', name: 'Calls', unit: 'call', aggregation: 'sum' })
    await enterTenants(books, IN_FLIGHT.length, [
      { meter: 'calls', model: 'per_unit', unit_price: '1' },
      { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01' },
    ])
    await db.transaction(async (tx) => {
      for (const [index, write] of IN_FLIGHT.entries()) await write(`t${index}`).execute(tx)
      const { edge, config } = books.app
      const april = period('2026-04-01', '2026-05-01')
      assert.equal(
        (await rollup({ ...edge, db: other, seller: config.seller }, { period: april })).created,
        IN_FLIGHT.length,
      )
      for (const { id } of (await books.call('GET', '/invoices?period=2026-04')).body.data) {
        assert.equal((await books.ok('POST', `/invoices/${id}/issue`, {})).subtotal_cents, 1_000)
      }
    })
    books.clock.set('2026-06-02T06:00:00Z')
    await books.ok('POST', '/invoices/rollup', { period: '2026-05' })
    const adjustments = await db.read
      .selectFrom('invoicing.invoice_line')
      .select(['tenant_id', 'amount_cents'])
      .where('kind', '=', 'adjustment')
      .orderBy('tenant_id')
      .execute()
    assert.deepEqual(
      adjustments.map((line) => [line.tenant_id, line.amount_cents]),
      [
        ['t0', -500n],
        ['t1', 500n],
        ['t2', 250n],
        ['t3', 24n],
      ],
    )
  } finally {
    await other.close()
    await books.close()
  }
})

const STAMP = '2026-04-20T00:00:00Z'

/** A change of each kind of fact, of a tenant: what it has of April is another afterwards. */
const IN_FLIGHT = [
  (tenant_id: string) => sql`
    with phase as (update subscriptions.phase set ends_on = '2026-04-16' where tenant_id = ${tenant_id})
    update subscriptions.subscription set ends_on = '2026-04-16', changed_at = ${STAMP} where tenant_id = ${tenant_id}`,
  (tenant_id: string) => sql`
    insert into metering.usage_event (tenant_id, source, event_id, deployment_id, meter, quantity, occurred_at, properties,
      content_hash, received_at)
    select tenant_id, 'test', '1', id, 'calls', 5, ${STAMP}::timestamptz, '{}', 'x', ${STAMP}::timestamptz
    from deployments.deployment where tenant_id = ${tenant_id}`,
  (tenant_id: string) => sql`
    insert into llm_usage.event (gateway_id, gateway_request_id, id, tenant_id, deployment_id, occurred_at, provider, model,
      usage, charge, currency, tags, content_hash, received_at)
    select 'gateway', '1', gen_random_uuid(), tenant_id, id, ${STAMP}::timestamptz, 'anthropic', 'a-model', '{}', 2.5, 'USD',
      '{}', 'x', ${STAMP}::timestamptz
    from deployments.deployment where tenant_id = ${tenant_id}`,
  (tenant_id: string) => sql`
    with resource as (
      insert into inventory.resource (id, provider, kind, external_id, name, tags, born_at, first_seen_at, last_seen_at)
      values (gen_random_uuid(), 'digitalocean', 'droplet', '1', 'web', '{}', ${STAMP}, ${STAMP}, ${STAMP})
      returning id
    )
    insert into inventory.span (id, resource_id, starts_at, ends_at, name, size, size_gb, tenant_id, deployment_id, changed_at)
    select gen_random_uuid(), r.id, ${STAMP}::timestamptz, ${STAMP}::timestamptz + interval '24 hours', 'web', 's', 0,
      d.tenant_id, d.id, ${STAMP}::timestamptz
    from deployments.deployment d cross join resource r where d.tenant_id = ${tenant_id}`,
]

/** Until so many transactions of the database wait for a lock. */
async function waiting(reader: Reader, count: number): Promise<void> {
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(reader)
    if (rows[0]?.count === count) return
    await setTimeout(POLL_MS)
  }
  assert.fail(`${count} transactions do not wait`)
}

async function enterTenants(books: Books, count = TENANTS, charges: readonly object[] = []): Promise<void> {
  await books.ok('POST', '/plans', { code: 'flat', name: 'Flat' })
  await books.ok('POST', '/plans/flat/versions', {
    currency: 'USD',
    interval: 'month',
    base_price_cents: 1000,
    proration: 'daily',
    charges,
  })
  await books.ok('POST', '/plans/flat/versions/1/publish', {})
  for (let index = 0; index < count; index += 1) {
    const id = `t${index}`
    await books.ok('POST', '/tenants', {
      id,
      legal_name: id,
      country: 'NO',
      currency: 'USD',
      timezone: 'UTC',
      tax: { treatment: 'export' },
    })
    const { id: deployment_id } = await books.ok('POST', '/deployments', {
      tenant_id: id,
      slug: 'site',
      display_name: id,
    })
    await books.ok('POST', `/deployments/${deployment_id}/subscribe`, { plan_code: 'flat', start_date: '2026-04-01' })
  }
}
