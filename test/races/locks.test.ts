import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from '../../src/platform/db.ts'
import { type Server, startPostgres } from '../support/postgres.ts'
import { enterBooks, type Program, startProgram } from '../support/program.ts'
import { csv, listInventory, row } from '../../src/contexts/costs/costs.fixture.ts'

let server: Server
let db: Database
let program: Program
before(async () => {
  server = await startPostgres()
  const opened = await server.database()
  db = opened.db
  program = await startProgram(opened.url)
})
after(async () => {
  await program.app.close()
  await server.stop()
})

test('whatever two commands meet, none waits for the other in a circle, and none fails', async (t) => {
  const { call, app } = program
  const { deployment_id, subscription_id } = await enterBooks(call)
  await listInventory(app.edge, '2026-04-01T00:00:00Z', [{ external_id: '1', name: 'web-1' }])
  const [resource] = (await call('GET', '/resources')).body.data
  await call('POST', '/addons', {
    body: { code: 'extra', name: 'Extra', price_cents: 5, currency: 'USD', quantity: '1' },
  })
  const importBill = () =>
    call('POST', '/billing/provider-invoices/import?period=2026-04&preview=true', {
      body: csv(row('Droplets', 'web-1 (s-1)', '4.00')),
      headers: { 'content-type': 'text/csv' },
    })
  const ofInvoices = async (verb: string, body: object) => {
    const [invoice] = (await call('GET', '/invoices?period=2026-04')).body.data
    return call('POST', `/invoices/${invoice.id}/${verb}`, { body })
  }
  const firstRule = async () => (await call('GET', '/billing/allocation-rules')).body.data[0]
  const commands = {
    'pause or resume': async () => {
      const { state } = (await call('GET', `/deployments/${deployment_id}`)).body.data
      return call('POST', `/deployments/${deployment_id}/transition`, {
        body: { to: state === 'active' ? 'paused' : 'active' },
      })
    },
    cancel: () => call('POST', `/subscriptions/${subscription_id}/cancel`, { body: { end_date: '2027-01-01' } }),
    'change plan': () => call('POST', `/subscriptions/${subscription_id}/plan-change`, { body: { plan_code: 'flat' } }),
    'attach add-on': () => call('POST', `/subscriptions/${subscription_id}/addons`, { body: { code: 'extra' } }),
    'preview of an end': () =>
      call('POST', `/deployments/${deployment_id}/transition?preview=true`, { body: { to: 'cancelled' } }),
    'change tenant': () => call('PATCH', '/tenants/t_1', { body: { legal_name: 'Another' } }),
    'roll up': () => call('POST', '/invoices/rollup', { body: { period: '2026-04', force: true } }),
    issue: () => ofInvoices('issue', {}),
    void: () => ofInvoices('void', {}),
    'assign resource': () => call('POST', `/resources/${resource.id}/assignment`, { body: { deployment_id } }),
    'import bill': importBill,
    'add rule': () =>
      call('POST', '/billing/allocation-rules', {
        body: { project: 'platform', shares: [{ deployment_id, weight: '1' }] },
      }),
    'delete rule': async () => {
      const rule = await firstRule()
      return call('DELETE', `/billing/allocation-rules/${rule?.id ?? deployment_id}`)
    },
  }
  const done = new Map<string, number>()
  const named = Object.entries(commands)
  const pairs = named.flatMap((one, index) => named.slice(index).map((other) => [one, other] as const))
  for (const pair of pairs) {
    const answers = await Promise.all(pair.map(([, run]) => run()))
    for (const [index, { status, text }] of answers.entries()) {
      const name = pair[index]?.[0] ?? ''
      assert.ok(status < 500, `${pair.map(([one]) => one).join(' and ')}: ${status} ${text}`)
      if (status < 300) done.set(name, (done.get(name) ?? 0) + 1)
    }
  }
  t.diagnostic(`done: ${JSON.stringify(Object.fromEntries(done))}`)
  assert.deepEqual(
    named.filter(([name]) => !done.has(name)).map(([name]) => name),
    [],
    'each of them was carried out, too',
  )
  assert.equal(await deadlocks(db), 0)
})

test('transactions that are tried again are counted, by the reason', async () => {
  const { edge } = program.app
  await db.script(
    'create table platform.pair (id integer primary key, n integer); insert into platform.pair values (1, 0), (2, 0)',
  )
  const both = Promise.withResolvers<void>()
  let holding = 0
  const lockBoth = (first: number, second: number) =>
    edge.db.transaction(async (tx) => {
      await sql`update platform.pair set n = n + 1 where id = ${first}`.execute(tx)
      holding += 1
      if (holding === 2) both.resolve()
      await both.promise
      await sql`update platform.pair set n = n + 1 where id = ${second}`.execute(tx)
    })
  await Promise.all([lockBoth(1, 2), lockBoth(2, 1)])
  const { text } = await program.call('GET', 'metrics')
  assert.match(text, /arcadia_transaction_retries_total\{reason="deadlock"\} 1/)
})

async function deadlocks(of: Database): Promise<number> {
  // What a session has counted is told when it is idle, or at the latest when it ends.
  const { rows } = await sql<{ deadlocks: bigint }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(of.read)
  return Number(rows[0]?.deadlocks)
}
