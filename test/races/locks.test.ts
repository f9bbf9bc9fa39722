import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { runAudit } from '../../src/platform/audit.ts'
import type { Database } from '../../src/platform/db.ts'
import type { Answer, Call } from '../support/http.ts'
import { type Server, startPostgres } from '../support/postgres.ts'
import { enterBooks, type Program, startProgram } from '../support/program.ts'
import { csv, listInventory, row } from '../../src/contexts/costs/costs.fixture.ts'

/** Either of two may be the first; in so many rounds, both are. */
const ROUNDS = 3

let server: Server
let db: Database
let program: Program
let entered: Awaited<ReturnType<typeof enterBooks>>
before(async () => {
  server = await startPostgres()
  const opened = await server.database()
  db = opened.db
  program = await startProgram(opened.url)
  entered = await enterBooks(program.call)
})
after(async () => {
  await program.app.close()
  await server.stop()
})

test('whatever two commands meet, none waits for the other in a circle, and none fails', async (t) => {
  const { call, app } = program
  const { deployment_id, subscription_id } = entered
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

test('what is deleted while somebody begins to use it is gone or used, never both', async () => {
  const { call } = program
  const addon = { name: 'Passing', price_cents: 5, currency: 'USD', quantity: '1' }
  const version = { currency: 'USD', base_price_cents: 5 }
  const meter = { name: 'Passing', unit: 'call', aggregation: 'sum' }
  const tenant = { legal_name: 'Passing', country: 'NO', currency: 'USD' }
  const deployed = async (slug: string) => (await made(call, '/deployments', { tenant_id: 't_1', slug })).id as string
  const cases: Record<string, (code: string) => Promise<[remove: () => Promise<Answer>, use: () => Promise<Answer>]>> =
    {
      meter: async (code) => {
        await made(call, '/meters', { code, ...meter })
        const deployment_id = await deployed(`m-${code}`)
        const event = { id: code, deployment_id, meter: code, quantity: '1', occurred_at: '2026-05-01T00:00:00Z' }
        return [
          () => call('DELETE', `/meters/${code}`),
          () => call('POST', '/usage/events', { body: { events: [event] } }),
        ]
      },
      plan: async (code) => {
        await made(call, '/plans', { code, name: 'Passing', version })
        await made(call, `/plans/${code}/versions/1/publish`, {})
        const deployment_id = await deployed(`p-${code}`)
        const order = { plan_code: code, start_date: '2026-04-01' }
        return [
          () => call('DELETE', `/plans/${code}`),
          () => call('POST', `/deployments/${deployment_id}/subscribe`, { body: order }),
        ]
      },
      'add-on': async (code) => {
        await made(call, '/addons', { code, ...addon })
        const deployment_id = await deployed(`a-${code}`)
        const order = { plan_code: 'flat', start_date: '2026-04-01' }
        const { id } = await made(call, `/deployments/${deployment_id}/subscribe`, order)
        return [
          () => call('DELETE', `/addons/${code}`),
          () => call('POST', `/subscriptions/${id}/addons`, { body: { code } }),
        ]
      },
      tenant: async (id) => {
        await made(call, '/tenants', { id, ...tenant })
        return [
          () => call('DELETE', `/tenants/${id}`),
          () => call('POST', '/deployments', { body: { tenant_id: id, slug: 'web' } }),
        ]
      },
    }
  for (const [name, enter] of Object.entries(cases)) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [remove, use] = await enter(`passing_${round}`)
      const answers = await Promise.all([remove(), use()])
      const told = answers.map(({ status, text }) => `${status} ${text}`).join('; ')
      assert.ok(
        answers.every(({ status }) => status < 500),
        `${name}: ${told}`,
      )
      assert.equal(answers.filter(({ status }) => status < 300).length, 1, `${name}: ${told}`)
    }
  }
  assert.deepEqual(await broken(program), [])
})

test('of two who take over a slug, and of two who reverse a payment, one does', async () => {
  const { call } = program
  const tenant = { id: 't_2', legal_name: 'Two', country: 'NO', currency: 'USD', tax: { treatment: 'export' } }
  await made(call, '/tenants', tenant)
  for (let round = 0; round < ROUNDS; round += 1) {
    const slug = `taken-${round}`
    const { id } = await made(call, '/deployments', { tenant_id: 't_2', slug })
    for (const to of ['cancelled', 'archived']) await made(call, `/deployments/${id}/transition`, { to })
    const takers = await atOnce(() => call('POST', '/deployments', { body: { tenant_id: 't_2', slug } }))
    assert.deepEqual(takers, ['201', '409 deployments/slug-taken'])
  }
  const { id: deployment_id } = await made(call, '/deployments', { tenant_id: 't_2', slug: 'paid' })
  await made(call, `/deployments/${deployment_id}/subscribe`, { plan_code: 'flat', start_date: '2026-04-01' })
  await made(call, '/invoices/rollup', { period: '2026-04', tenant_id: 't_2' })
  const [{ id: invoice_id }] = (await call('GET', '/invoices?tenant_id=t_2')).body.data
  await made(call, `/invoices/${invoice_id}/issue`, {})
  const { total_cents } = (await call('GET', `/invoices/${invoice_id}`)).body.data
  const payment = { amount_cents: total_cents, paid_at: '2026-05-01T00:00:00Z' }
  for (let round = 0; round < ROUNDS; round += 1) {
    const { id } = await made(call, `/invoices/${invoice_id}/payments`, { ...payment, reference: `paid ${round}` })
    const reversals = await atOnce(() => call('POST', `/payments/${id}/reverse`, { body: { reason: 'bounced' } }))
    assert.deepEqual(reversals, ['200', '409 invoicing/payment-reversed'])
    const invoice = (await call('GET', `/invoices/${invoice_id}`)).body.data
    assert.deepEqual([invoice.status, invoice.owed_cents], ['issued', total_cents])
  }
  assert.deepEqual(await broken(program), [])
})

test('a start is corrected before its days are billed, or refused, while they are being billed', async () => {
  const { call } = program
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `t_start_${round}`
    await made(call, '/tenants', { id, legal_name: id, country: 'NO', currency: 'USD', tax: { treatment: 'export' } })
    const { id: deployment_id } = await made(call, '/deployments', { tenant_id: id, slug: 'web' })
    const order = { plan_code: 'flat', start_date: '2026-04-16' }
    const subscription = await made(call, `/deployments/${deployment_id}/subscribe`, order)
    await made(call, '/invoices/rollup', { period: '2026-04', tenant_id: id })
    const [draft] = (await call('GET', `/invoices?tenant_id=${id}`)).body.data
    const correction = { start_date: '2026-04-01', reason: 'mistyped' }
    const [corrected, issued] = await Promise.all([
      call('POST', `/subscriptions/${subscription.id}/start-correction`, { body: correction }),
      call('POST', `/invoices/${draft.id}/issue`, { body: {} }),
    ])
    assert.equal(issued.status, 200, issued.text)
    assert.ok([200, 409].includes(corrected.status), corrected.text)
    // What an invoice was issued without, as the correction came first, is on the next one.
    await made(call, '/invoices/rollup', { period: '2026-04', tenant_id: id })
    program.clock.set('2026-06-02T06:00:00Z')
    await made(call, '/invoices/rollup', { period: '2026-05', tenant_id: id })
    program.clock.set('2026-05-02T06:00:00Z')
    const billed = (await call('GET', `/invoices?tenant_id=${id}`)).body.data
    const total_cents = billed.reduce((total: number, one: { total_cents: number }) => total + one.total_cents, 0)
    assert.equal(total_cents, corrected.status === 200 ? 2_000_000 : 1_500_000)
  }
  assert.deepEqual(await broken(program), [])
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

/** The `data` of a call that must succeed. */
async function made(call: Call, path: string, body: object) {
  const answer = await call('POST', path, { body })
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
  return answer.body.data
}

/** What two equal calls at once answer, in order. */
async function atOnce(run: () => Promise<Answer>): Promise<string[]> {
  const answers = await Promise.all([run(), run()])
  return answers.map(({ status, body }) => [status, body.code].join(' ').trim()).toSorted()
}

async function broken({ app }: Program) {
  return (await runAudit(app.edge.db.read, app.invariants)).filter(({ ok }) => !ok)
}

async function deadlocks(of: Database): Promise<number> {
  // What a session has counted is told when it is idle, or at the latest when it ends.
  const { rows } = await sql<{ deadlocks: bigint }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(of.read)
  return Number(rows[0]?.deadlocks)
}
