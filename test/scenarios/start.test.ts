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

test('a sync that is waited for answers what came of it', async () => {
  const summary = await books.ok('POST', '/billing/sync?wait=true', {})
  assert.ok(summary.resources > 0)
  assert.ok(summary.lines > 0)
})
