import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { period } from '../../kernel/period.ts'
import { runAudit } from '../../platform/audit.ts'
import { type Company, SELLER, testCompany } from './company.fixture.ts'
import { invoicingInvariants } from './invariants.ts'
import { rollup } from './rollup.ts'

const APRIL = period('2026-04-01', '2026-05-01')
const statements: string[] = []
let company: Company

before(async () => {
  company = await testCompany({ on_query: (text) => statements.push(text) })
})
after(() => company.close())

test('the worked example is invoiced exactly: 64.22 + 6.42 = 70.64', async () => {
  const id = await company.tenant('boab')
  await company.subscribe(id, { addons: [{ code: 'storage_50gb' }] })
  await company.droplets('boab', id, { count: 3, from: '2026-03-15T00:00:00Z' })
  const result = await company.rollup({ tenant_id: 'boab' })
  assert.deepEqual(result, { created: 1, rebuilt: 0, skipped: 0, parked: [], unbilled: [] })
  const { lines, ...invoice } = await company.invoice('boab')
  assert.deepEqual(
    lines.map((line: Line) => [line.kind, line.description, line.quantity, line.amount_precise, line.amount_cents]),
    [
      ['plan_base', 'studio v1 base price', '1', '50', 5_000],
      ['addon', 'Addon: storage_50gb', '1', '7.5', 750],
      ['overage', 'droplet_hours overage', '672', '6.72', 672],
      ['tax', 'GST 10 %', null, '6.422', 642],
    ],
  )
  assert.deepEqual([invoice.subtotal_cents, invoice.tax_cents, invoice.total_cents], [6_422, 642, 7_064])
  assert.deepEqual(
    [invoice.status, invoice.number, invoice.period],
    ['draft', null, { start: '2026-04-01', end: '2026-05-01' }],
  )
  assert.deepEqual(invoice.seller, SELLER)
  assert.equal(invoice.buyer.legal_name, 'boab Pty Ltd')
  assert.deepEqual(lines[2].service_period, { start: '2026-04-01', end: '2026-05-01' })
  assert.deepEqual([lines[2].deployment_id, lines[2].position], [id, 2])
})

test('a corrected start is in the draft that is made anew, and days that an issued invoice bills stay', async () => {
  const id = await company.tenant('quandong')
  const subscription = await company.subscribe(id, { start_date: '2026-04-11' })
  const correction = `/subscriptions/${subscription.id}/start-correction`
  const correct = (start_date: string, query = '') =>
    company.post(`${correction}${query}`, { start_date, reason: 'The contract says so' })
  const draft = async () => {
    await company.rollup({ tenant_id: 'quandong', force: true })
    return company.invoice('quandong')
  }
  assert.equal((await draft()).subtotal_cents, 3_333)
  await correct('2026-04-01')
  assert.equal((await draft()).subtotal_cents, 5_000)
  await correct('2026-04-16')
  const invoice = await draft()
  assert.equal(invoice.subtotal_cents, 2_500)
  const { number } = await company.post(`/invoices/${invoice.id}/issue`)

  const refused = await company.call('POST', correction, { body: { start_date: '2026-04-20', reason: 'x' } })
  assert.deepEqual([refused.status, refused.body.code], [409, 'subscriptions/days-billed'])
  assert.deepEqual(refused.body.errors, [
    { path: 'start_date', message: `changes days from 2026-04-16 to 2026-04-20, which invoice ${number} bills` },
  ])
  // Days that nobody was billed for come on the next invoice: 15 of 30 days of 50.00, and 10 % of tax.
  assert.equal((await correct('2026-04-01', '?preview=true')).difference_cents, 2_750)
  await company.post(`/invoices/${invoice.id}/void`, { reason: 'x' })
  await correct('2026-04-20')
  assert.equal((await draft()).subtotal_cents, 1_833)
})

test('usage of a day on which one subscription was called off and an earlier one holds is billed once', async () => {
  const id = await company.tenant('lillypilly')
  const called_off = await company.subscribe(id, { start_date: '2026-04-10' })
  await company.post(`/subscriptions/${called_off.id}/cancel`, { end_date: '2026-04-10' })
  await company.subscribe(id, { start_date: '2026-04-01' })
  await company.use(id, '10', '2026-04-10T12:00:00Z')
  await company.rollup({ tenant_id: 'lillypilly' })
  assert.equal((await company.invoice('lillypilly')).subtotal_cents, 5_100)
})

test('a second rollup creates nothing; force rebuilds the draft, and only the draft', async () => {
  const id = await company.tenant('wattle')
  await company.subscribe(id)
  await company.rollup({ tenant_id: 'wattle' })
  const first = await company.invoice('wattle')
  await company.use(id, '10', '2026-04-03T00:00:00Z')
  assert.deepEqual(await company.rollup({ tenant_id: 'wattle' }), {
    created: 0,
    rebuilt: 0,
    skipped: 1,
    parked: [],
    unbilled: [],
  })
  assert.equal((await company.invoice('wattle')).subtotal_cents, 5_000)
  const rebuilt = await company.rollup({ tenant_id: 'wattle', force: true })
  assert.deepEqual(rebuilt, { created: 0, rebuilt: 1, skipped: 0, parked: [], unbilled: [] })
  const second = await company.invoice('wattle')
  assert.equal(second.subtotal_cents, 5_100)
  assert.notEqual(second.inputs_hash, first.inputs_hash)
  await company.post(`/invoices/${second.id}/issue`)
  const issued = await company.rollup({ tenant_id: 'wattle', force: true })
  assert.deepEqual(issued, { created: 0, rebuilt: 0, skipped: 1, parked: [], unbilled: [] })
  assert.equal((await company.invoice('wattle')).id, second.id)
})

test('the same facts have the same hash', async () => {
  await company.subscribe(await company.tenant('mulga'))
  await company.rollup({ tenant_id: 'mulga' })
  const { inputs_hash } = await company.invoice('mulga')
  await company.rollup({ tenant_id: 'mulga', force: true })
  assert.equal((await company.invoice('mulga')).inputs_hash, inputs_hash)
})

test('a tenant without anything billable gets no invoice and is not counted', async () => {
  await company.tenant('quiet')
  assert.deepEqual(await company.rollup({ tenant_id: 'quiet' }), {
    created: 0,
    rebuilt: 0,
    skipped: 0,
    parked: [],
    unbilled: [],
  })
})

test('LLM usage is billed without a subscription, once, and held charges are left out', async () => {
  const id = await company.tenant('llm')
  await company.ask('llm', id, { charge: '0.004', occurred_at: '2026-04-10T00:00:00Z' })
  await company.ask('llm', id, { charge: '0.0011', occurred_at: '2026-04-30T23:59:59Z' })
  await company.ask('llm', id, { charge: '9', occurred_at: '2026-05-01T00:00:00Z' })
  await company.ask('llm', id, { charge: null, occurred_at: '2026-04-11T00:00:00Z' })
  await company.rollup({ tenant_id: 'llm' })
  const { lines } = await company.invoice('llm')
  assert.deepEqual(
    lines.map((line: Line) => [line.kind, line.quantity, line.amount_precise, line.amount_cents]),
    [
      ['llm_usage', '2', '0.0051', 1],
      ['tax', null, '0.001', 0],
    ],
  )
})

test('a plan change cuts the month, and each part is rated with the usage of its days in the tenant’s zone', async () => {
  await company.plan('large', { base_price_cents: 9_000 })
  const id = await company.tenant('cut', { timezone: 'Australia/Sydney' })
  const { id: subscription_id } = await company.subscribe(id)
  await company.post(`/subscriptions/${subscription_id}/plan-change`, {
    plan_code: 'large',
    effective_date: '2026-04-11',
  })
  await company.use(id, '3', '2026-04-10T13:59:59Z')
  await company.use(id, '4', '2026-04-10T14:00:00Z')
  await company.rollup({ tenant_id: 'cut' })
  const { lines } = await company.invoice('cut')
  assert.deepEqual(
    lines.map((line: Line) => [line.kind, line.service_period.start, line.amount_cents]),
    [
      ['plan_base', '2026-04-01', 1_667],
      ['usage', '2026-04-01', 30],
      ['plan_base', '2026-04-11', 6_000],
      ['usage', '2026-04-11', 40],
      ['tax', '2026-04-01', 774],
    ],
  )
})

test('a tenant that fails is parked, the others are invoiced; a later success takes it off the list', async () => {
  await company.subscribe(await company.tenant('fine'))
  const id = await company.tenant('broken')
  const { id: subscription_id } = await company.subscribe(id)
  // The door refuses a plan in another currency; an operator's repair by hand would not.
  const repair = (currency: string) =>
    company.db.transaction((tx) =>
      tx.updateTable('tenants.tenant').set({ currency }).where('id', '=', 'broken').execute(),
    )
  await repair('USD')
  const failed = await rollup({ ...company.edge, seller: SELLER }, { period: APRIL, tenant_ids: ['broken', 'fine'] })
  assert.deepEqual(failed, {
    created: 1,
    rebuilt: 0,
    skipped: 0,
    parked: [
      {
        tenant_id: 'broken',
        code: 'invoicing/facts-contradict',
        detail: 'a plan in AUD cannot be billed in USD',
      },
    ],
    unbilled: [],
  })
  assert.equal((await parked()).length, 1)
  await repair('AUD')
  assert.equal((await company.rollup({ tenant_id: 'broken' })).created, 1)
  assert.deepEqual(await parked(), [])
  assert.equal((await company.invoice('broken')).lines[0].subscription_id, subscription_id)
})

test('an amount that no invoice can carry parks its tenant alone', async () => {
  const [huge, modest] = [await company.tenant('huge'), await company.tenant('modest')]
  await company.use(modest, '1', '2026-04-10T00:00:00Z')
  for (const id of [huge, modest]) await company.subscribe(id)
  // As it may have been stored before there was a limit on what comes in.
  await company.use(huge, '1', '2026-04-10T00:00:00Z')
  await company.db.transaction((tx) =>
    tx
      .updateTable('metering.usage_event')
      .set({ quantity: '99999999999999999999' })
      .where('tenant_id', '=', 'huge')
      .execute(),
  )
  const deps = { ...company.edge, seller: SELLER }
  const result = await rollup(deps, { period: APRIL, tenant_ids: ['huge', 'modest'] })
  assert.equal(result.created, 1)
  assert.deepEqual(
    result.parked.map((row) => [row.tenant_id, row.code]),
    [['huge', 'invoicing/amount-too-large']],
  )
  await company.db.transaction((tx) =>
    tx.updateTable('metering.usage_event').set({ quantity: '1' }).where('tenant_id', '=', 'huge').execute(),
  )
})

test('a zone that does not exist parks its tenant alone', async () => {
  for (const id of ['lost', 'found']) await company.subscribe(await company.tenant(id))
  // No route lets such a zone in; a newer zone database could take one away.
  await company.db.transaction((tx) =>
    tx.updateTable('tenants.tenant').set({ timezone: 'Nowhere/Land' }).where('id', '=', 'lost').execute(),
  )
  const deps = { ...company.edge, seller: SELLER }
  const result = await rollup(deps, { period: APRIL, tenant_ids: ['found', 'lost'] })
  assert.equal(result.created, 1)
  assert.deepEqual(
    result.parked.map((row) => [row.tenant_id, row.code]),
    [['lost', 'invoicing/unknown-time-zone']],
  )
  await company.db.transaction((tx) =>
    tx.updateTable('tenants.tenant').set({ timezone: 'UTC' }).where('id', '=', 'lost').execute(),
  )
})

test('a month that goes on is refused; a tenant whose zone is late is parked until it is over there', async () => {
  const body = { period: '2026-05' }
  const refused = await company.call('POST', '/invoices/rollup', { body })
  assert.deepEqual([refused.status, refused.body.code], [422, 'invoicing/period-not-over'])
  company.clock.set('2026-05-01T03:00:00Z')
  await company.subscribe(await company.tenant('hawaii', { timezone: 'Pacific/Honolulu' }))
  const alone = await company.call('POST', '/invoices/rollup', { body: { period: '2026-04', tenant_id: 'hawaii' } })
  assert.equal(alone.body.code, 'invoicing/period-not-over')
  const { parked: late } = await company.rollup()
  assert.deepEqual(
    late.map((row: { tenant_id: string; code: string }) => [row.tenant_id, row.code]),
    [['hawaii', 'invoicing/period-not-over']],
  )
  company.clock.set('2026-05-02T06:00:00Z')
  assert.equal((await company.rollup({ tenant_id: 'hawaii' })).created, 1)
})

test('eight rollups at once write each invoice once', async () => {
  for (const id of ['race1', 'race2']) await company.subscribe(await company.tenant(id))
  const deps = { ...company.edge, seller: SELLER }
  const tenant_ids = ['race1', 'race2']
  const results = await Promise.all(Array.from({ length: 8 }, () => rollup(deps, { period: APRIL, tenant_ids })))
  assert.equal(
    results.reduce((total, result) => total + result.created, 0),
    2,
  )
  assert.equal((await company.invoice('race1')).lines.length, 2)
  assert.deepEqual([...new Set(results.map((result) => result.rebuilt))], [0])
})

test('the number of statements does not grow with the number of tenants', async () => {
  for (const id of ['few', 'many1', 'many2', 'many3']) await company.subscribe(await company.tenant(id))
  assert.equal(await statementsFor(['few']), await statementsFor(['many1', 'many2', 'many3']))
})

test('a rollup names what is wrong with its request', async () => {
  const fault = async (body: object) => (await company.call('POST', '/invoices/rollup', { body })).status
  assert.equal(await fault({ period: '2026-13' }), 422)
  assert.equal(await fault({ period: '2026-04', tenant: 'boab' }), 422)
  assert.equal(await fault({ period: '2026-04', force: 'yes' }), 422)
  assert.equal(await fault({ period: { start: '2026-04-01', end: '2026-04-30' } }), 422)
  assert.equal(await fault({ period: '2026-04', tenant_id: 'nobody' }), 404)
  assert.equal(await fault({ period: { start: '2026-04-01', end: '2026-05-01' }, tenant_id: 'quiet' }), 200)
  const tenant = await company.call('POST', '/invoices/rollup', { as: { tenant: 'boab' }, body: { period: '2026-04' } })
  assert.equal(tenant.status, 403)
})

test('what was rolled up keeps every invariant of the audit', async () => {
  const findings = await runAudit(company.db.read, invoicingInvariants)
  assert.deepEqual(
    findings.filter((finding) => !finding.ok),
    [],
  )
})

type Line = {
  kind: string
  description: string
  quantity: string | null
  amount_precise: string
  amount_cents: number
  service_period: { start: string; end: string }
}

async function parked() {
  return company.db.read.selectFrom('invoicing.parked').select('tenant_id').execute()
}

async function statementsFor(tenant_ids: string[]): Promise<number> {
  statements.length = 0
  await rollup({ ...company.edge, seller: SELLER }, { period: APRIL, tenant_ids })
  return statements.length
}
