import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { pino } from 'pino'
import { Type } from 'typebox'
import type { Application } from '../../src/app.ts'
import { runAudit } from '../../src/platform/audit.ts'
import type { Database } from '../../src/platform/db.ts'
import type { Job } from '../../src/platform/jobs.ts'
import type { Answer } from '../support/http.ts'
import { type Server, startPostgres } from '../support/postgres.ts'
import { enterBooks, type Program, startProgram } from '../support/program.ts'
import { type Proxy, startProxy } from '../support/proxy.ts'

const NOW = '2026-05-02T06:00:00Z'
/** Several ticks of every worker of the queue. */
const DOWN_MS = 5_000
const POLL_MS = 20
const WAIT_MAX_MS = 60_000
/** Longer by request, such as ARCADIA_TEST_CUTS_S=60. */
const CUTTING_MS = Number(process.env['ARCADIA_TEST_CUTS_S'] ?? 10) * 1_000
const CUT_EVERY_MS = 100
const CLIENTS = 6
const CREDIT_CENTS = 1
/** A job that comes at the start, and whenever it is asked for. */
const TRIALS: Job = {
  name: 'subscriptions.end-trials',
  payload: Type.Object({}),
  handle: () => assert.fail('the program has its own'),
}

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

test('a connection that is cut in a transaction fails that transaction alone', async () => {
  const { db } = await server.database()
  const cut = db.transaction(async (tx) => {
    await sql`create table platform.cut (id integer)`.execute(tx)
    await cutOff(db, await backendOf(tx))
    await until(async () => (await sql`select 1`.execute(tx).catch(() => null)) === null)
    await sql`select 1`.execute(tx)
  })
  await assert.rejects(cut, { code: 'platform/database-unreachable', status: 503 })
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('platform.cut') is not null as there`.execute(db.read)
  assert.equal(rows[0]?.there, false)
})

test('when the answer to a commit is lost the outcome is said to be unknown, and the key finds what was stored', () =>
  throughProxy(async ({ call }, proxy) => {
    const { invoice_id } = await enterBooks(call)
    const credit = (key: string) =>
      call('POST', `/invoices/${invoice_id}/credit-notes`, {
        body: { amount_cents: 100, reason: 'late' },
        headers: { 'idempotency-key': key },
      })
    proxy.swallowCommitAfter('"invoicing"."credit_note"')
    const lost = await credit('once')
    assert.deepEqual(
      [lost.status, lost.body.code, lost.body.outcome, lost.headers['retry-after']],
      [503, 'platform/outcome-unknown', 'unknown', '1'],
    )
    assert.doesNotMatch(lost.body.detail, /Nothing was stored/)
    const repeated = await credit('once')
    assert.deepEqual([repeated.status, repeated.headers['idempotency-replayed']], [201, 'true'])
    const { credit_notes } = (await call('GET', `/invoices/${invoice_id}`)).body.data
    assert.deepEqual(
      credit_notes.map(({ number }: { number: string }) => number),
      [repeated.body.data.number],
    )
    const without_key = async () => {
      proxy.swallowCommitAfter('"tenants"."tenant"')
      return call('POST', '/tenants', { body: { id: 'x', legal_name: 'X', country: 'NO', currency: 'USD' } })
    }
    assert.equal((await without_key()).body.outcome, 'unknown')
    assert.equal((await call('GET', '/tenants/x')).status, 200)
  }))

test('while the database is away calls say so, a worker says it once, and both go on when it is back', () =>
  throughProxy(async ({ app, call, lines }, proxy) => {
    await app.jobs.work()
    await until(async () => (await runs(app, TRIALS.name)) === 1)
    lines.length = 0
    await proxy.shutOut()
    for (const path of ['/tenants', 'readyz']) {
      const refused = await call('GET', path)
      assert.deepEqual(
        [refused.status, refused.body.code, refused.headers['retry-after']],
        [503, 'platform/database-unreachable', '5'],
        path,
      )
    }
    const body = { id: 't_9', legal_name: 'X', country: 'NO', currency: 'USD' }
    const headers = { 'idempotency-key': 'down' }
    assert.equal((await call('POST', '/tenants', { body, headers })).status, 503)
    await pause(DOWN_MS)
    const troubles = lines.filter(({ level, msg }) => level >= pino.levels.values['warn']! && msg !== 'request refused')
    assert.deepEqual(
      troubles.map(({ msg }) => msg),
      ['the database went away'],
    )
    assert.doesNotMatch(JSON.stringify(lines), /stack/)
    await proxy.letIn()
    assert.equal((await call('POST', '/tenants', { body, headers })).status, 201)
    await app.edge.db.transaction((tx) => app.edge.later(tx, TRIALS, {}))
    await until(async () => (await runs(app, TRIALS.name)) === 2)
    assert.equal(lines.filter(({ msg }) => msg === 'the database is back').length, 1)
  }))

test('a start without the database says in words what is missing', async () => {
  const { url } = await server.database()
  const proxy = await startProxy(url)
  await proxy.close()
  const { host } = new URL(proxy.url)
  await assert.rejects(startProgram(proxy.url), {
    code: 'platform/database-unreachable',
    message: `PostgreSQL at ${host} does not answer: connect ECONNREFUSED ${host}. Check DATABASE_URL.`,
  })
})

test('whatever is cut under load, what was acknowledged is there exactly once', async (t) => {
  const { url, db } = await server.database()
  const program = await startProgram(url)
  const { app, call, clock } = program
  try {
    const { invoice_id, deployment_id } = await enterBooks(call)
    await app.jobs.work()
    const ends_at = performance.now() + CUTTING_MS
    const seen = new Map<number, number>()
    const acknowledged = { events: [] as string[], credits: [] as string[] }

    /** Repeats a call under its key until it has an answer of its own. */
    const insist = async (path: string, key: string, body: object): Promise<Answer> => {
      for (;;) {
        const answer = await call('POST', path, { body, headers: { 'idempotency-key': key } })
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
        if (answer.status < 300) return answer
        assert.ok([409, 503].includes(answer.status), `${answer.status} ${answer.text}`)
        // A key that could not be freed while the database was away is free after a minute.
        if (answer.status === 409) clock.set(clock.now().add({ minutes: 1 }))
        await pause(POLL_MS)
      }
    }
    const client = async (name: number): Promise<void> => {
      for (let n = 0; performance.now() < ends_at; n += 1) {
        const id = `${name}-${n}`
        const event = { id, deployment_id, meter: 'calls', occurred_at: NOW, quantity: '1' }
        const { data } = (await insist('/usage/events', `event ${id}`, { events: [event] })).body
        assert.deepEqual(data, { accepted: 1, duplicates: 0, rejected: [] })
        acknowledged.events.push(id)
        const credit = { amount_cents: CREDIT_CENTS, reason: id }
        const { number } = (await insist(`/invoices/${invoice_id}/credit-notes`, `credit ${id}`, credit)).body.data
        acknowledged.credits.push(number)
      }
    }
    const cutter = async (): Promise<void> => {
      while (performance.now() < ends_at) {
        await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1`
          .execute(db.read)
          .catch(() => {})
        await pause(CUT_EVERY_MS)
      }
    }
    const restarter = async (): Promise<void> => {
      await pause(CUTTING_MS / 2)
      if (server.restart === null) t.diagnostic('not restarted: the server of TEST_DATABASE_URL is not ours')
      await server.restart?.()
    }
    await Promise.all([...Array.from({ length: CLIENTS }, (_, index) => client(index)), cutter(), restarter()])
    t.diagnostic(`answers by status: ${JSON.stringify(Object.fromEntries(seen))}`)

    const { rows } = await sql<{ id: string }>`select event_id as id from metering.usage_event`.execute(db.read)
    assert.deepEqual(rows.map(({ id }) => id).toSorted(), acknowledged.events.toSorted())
    const notes = await sql<{ number: string }>`select number from invoicing.credit_note`.execute(db.read)
    assert.deepEqual(notes.rows.map(({ number }) => number).toSorted(), acknowledged.credits.toSorted())
    assert.ok((seen.get(503) ?? 0) > 0, 'calls were cut')
    const broken = (await runAudit(db.read, app.invariants)).filter(({ ok }) => !ok)
    assert.deepEqual(broken, [])
  } finally {
    await app.close()
  }
})

async function throughProxy(tell: (program: Program, proxy: Proxy) => Promise<void>): Promise<void> {
  const { url } = await server.database()
  const proxy = await startProxy(url)
  try {
    const program = await startProgram(proxy.url)
    try {
      await tell(program, proxy)
    } finally {
      await program.app.close()
    }
  } finally {
    await proxy.close()
  }
}

async function backendOf(tx: Database['read']): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
  return rows[0]?.pid ?? assert.fail('no backend')
}

async function cutOff(db: Database, pid: number): Promise<void> {
  await sql`select pg_terminate_backend(${pid})`.execute(db.read)
}

async function runs(app: Application, name: string): Promise<number> {
  const rows = await app.edge.db.read
    .selectFrom('platform.run')
    .select('id')
    .where('name', '=', name)
    .where('outcome', '<>', 'running')
    .execute()
  return rows.length
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let waited_ms = 0; waited_ms < WAIT_MAX_MS; waited_ms += POLL_MS) {
    if (await isSo()) return
    await pause(POLL_MS)
  }
  assert.fail('it did not come to be')
}
