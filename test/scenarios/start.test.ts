import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { memoryDatabase } from '../support/database.ts'
import { type Books, openBooks } from './books.ts'
import { PATIENCE_MS } from '../support/patience.ts'

let books: Books
before(async () => {
  books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
})
after(() => books.close())

test('a trial that ended while nothing worked is over as soon as work starts', { timeout: PATIENCE_MS }, async () => {
  await books.ok('POST', '/tenants', { id: 'acme', legal_name: 'Acme', country: 'AU', currency: 'AUD' })
  const version = { currency: 'AUD', base_price_cents: 5_000 }
  await books.ok('POST', '/plans', { code: 'studio', name: 'Studio', version })
  await books.ok('POST', '/plans/studio/versions/1/publish')
  const { id } = await books.ok('POST', '/deployments', { tenant_id: 'acme', slug: 'app', state: 'trial' })
  const order = { plan_code: 'studio', start_date: '2026-04-01', trial_days: 14 }
  await books.ok('POST', `/deployments/${id}/subscribe`, order)
  await books.app.jobs.work()
  assert.ok(await books.app.jobs.drain(PATIENCE_MS))
  assert.equal((await books.ok('GET', `/deployments/${id}`)).state, 'active')
})

test('the operator asks the running program how it is, and whether its books hold; nobody else may', async () => {
  const report = await books.ok('GET', '/doctor')
  assert.equal(report.ok, true)
  const checks = new Map(report.checks.map((check: { name: string; detail: string }) => [check.name, check.detail]))
  assert.equal(checks.get('schema'), 'current')
  assert.equal(checks.get('seller'), 'Seller Pty Ltd')
  assert.equal(checks.get('products'), 'every line of every bill is classified')
  const trials = report.runs.find((run: { name: string }) => run.name === 'subscriptions.end-trials')
  assert.equal(trials.outcome, 'done')
  const audit = await books.ok('GET', '/audit')
  assert.equal(audit.ok, true)
  assert.equal(audit.invariants.length, books.app.invariants.length)
  for (const path of ['/doctor', '/audit']) {
    assert.equal((await books.call('GET', path, { as: { tenant: 'acme' } })).status, 403, path)
  }
})

test('the doctor and the metrics tell what is used and on no invoice', async () => {
  const [{ id: deployment_id }] = await books.ok('GET', '/deployments')
  await books.ok('POST', '/meters', { code: 'calls', name: 'Calls', unit: 'call', aggregation: 'sum' })
  const event = { id: 'free', deployment_id, meter: 'calls', quantity: '5', occurred_at: '2026-04-20T00:00:00Z' }
  await books.ok('POST', '/usage/events', { events: [event] })
  const { checks } = await books.ok('GET', '/doctor')
  assert.deepEqual(
    checks.find(({ name }: { name: string }) => name === 'unbilled'),
    { name: 'unbilled', ok: true, detail: '1 unpriced_usage: GET /invoices/unbilled lists them' },
  )
  const { text } = await books.call('GET', 'metrics')
  assert.match(text, /^arcadia_unbilled\{kind="unpriced_usage"\} 1$/m)
  assert.match(text, /^arcadia_unbilled\{kind="too_late"\} 0$/m)
})

test('the doctor names prices that were entered before their currency had other minor units', async () => {
  const found = async () => {
    const { checks } = await books.ok('GET', '/doctor')
    const { ok, detail } = checks.find(({ name }: { name: string }) => name === 'prices')
    return [ok, detail]
  }
  assert.deepEqual(await found(), [true, 'are in the minor units that they were entered in'])
  for (const currency of ['HUF', 'JPY']) {
    const code = currency.toLowerCase()
    await books.ok('POST', '/plans', { code, name: code, version: { currency, base_price_cents: 5_000 } })
    await books.ok('POST', `/plans/${code}/versions/1/publish`)
  }
  const addon = { code: 'huf_disk', name: 'Disk', price_cents: 900, currency: 'HUF', quantity: '1' }
  await books.ok('POST', '/addons', addon)
  // As if the books had been upgraded after that.
  await books.app.edge.db.script("update platform.migration set applied_at = '2026-05-03T00:00:00Z' where version = 23")
  const [is_ok, detail] = await found()
  assert.equal(is_ok, true)
  assert.match(detail, /mean a hundredth now .*: add-on huf_disk \(HUF\), plan huf version 1 \(HUF\)\./)
  await books.ok('POST', '/tenants', { id: 'pest', legal_name: 'Pest', country: 'HU', currency: 'HUF' })
  const { id } = await books.ok('POST', '/deployments', { tenant_id: 'pest', slug: 'app' })
  const { id: subscription } = await books.ok('POST', `/deployments/${id}/subscribe`, { plan_code: 'huf' })
  const discount = { name: 'Friends', amount_cents: 100 }
  await books.ok('POST', `/subscriptions/${subscription}/discounts`, discount)
  const [is_ok_when_sold, when_sold] = await found()
  assert.equal(is_ok_when_sold, false)
  assert.match(when_sold, new RegExp(`discount of subscription ${subscription} \\(HUF\\)`))
  books.clock.set('2026-05-03T00:00:00Z')
  await books.call('PATCH', '/addons/huf_disk', { body: { price_cents: 90_000 } })
  const version = { currency: 'HUF', base_price_cents: 500_000 }
  await books.ok('POST', '/plans/huf/versions', version)
  await books.ok('POST', '/plans/huf/versions/2/publish')
  await books.ok('POST', '/plans/huf/versions/1/retire')
  await books.ok('POST', `/subscriptions/${subscription}/cancel`, { end_date: '2026-05-02' })
  assert.deepEqual(await found(), [true, 'are in the minor units that they were entered in'])
})

test('a sync that is waited for answers what came of it', async () => {
  const summary = await books.ok('POST', '/billing/sync?wait=true', {})
  assert.ok(summary.resources > 0)
  assert.ok(summary.lines > 0)
})
