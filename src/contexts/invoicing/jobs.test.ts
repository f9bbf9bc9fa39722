import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, SELLER, testCompany } from './company.fixture.ts'
import { invoicingJobs } from './jobs.ts'

let company: Company

before(async () => {
  company = await testCompany()
})
after(() => company.close())

async function run(name: string) {
  const jobs = invoicingJobs(company.edge, { seller: SELLER, onInvoiceChanged: async () => {} })
  const job = jobs.find((each) => each.name === name)
  assert.ok(job)
  const { outcome, detail } = await job.handle({}, { finish: (effect) => company.db.transaction(effect) })
  return outcome === 'skipped' ? outcome : detail
}
const monthEnd = () => run('invoicing.rollup-month-end')
const missing = () => run('invoicing.rollup-missing')

test('the month-end job invoices the month just ended, and again nothing', async () => {
  await company.subscribe(await company.tenant('boab'))
  company.clock.set('2026-05-01T03:00:00Z')
  assert.equal(await monthEnd(), '2026-04: 1 created, 0 rebuilt, 0 there already, 0 parked')
  assert.equal(await monthEnd(), '2026-04: 0 created, 0 rebuilt, 1 there already, 0 parked')
})

test('a tenant whose zone was late at month end is invoiced by the daily job', async () => {
  company.clock.set('2026-05-01T03:00:00Z')
  await company.subscribe(await company.tenant('hawaii', { timezone: 'Pacific/Honolulu' }))
  assert.equal(await monthEnd(), '2026-04: 0 created, 0 rebuilt, 1 there already, 1 parked')
  company.clock.set('2026-05-01T12:15:00Z')
  assert.equal(await missing(), '2026-04: 1 created, 0 rebuilt, 0 there already, 0 parked')
  assert.equal(await missing(), 'skipped')
})

test('a month end that was missed is made up for, with facts that came late', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const id = await company.tenant('late')
  await company.ask('late', id, { charge: '12.34', occurred_at: '2026-04-30T10:00:00Z' })
  company.clock.set('2026-05-02T12:15:00Z')
  assert.equal(await missing(), '2026-04: 1 created, 0 rebuilt, 0 there already, 0 parked')
  assert.equal((await company.invoice('late')).subtotal_cents, 1_234)
})

test('a month without an invoice gets one when its facts come long after it', async () => {
  company.clock.set('2026-07-03T12:15:00Z')
  await missing()
  const [deployment] = await company.ok('GET', '/deployments?tenant_id=late')
  await company.ask('late', deployment.id, { charge: '1.00', occurred_at: '2026-05-30T10:00:00Z' })
  assert.equal(await missing(), '2026-05: 1 created, 0 rebuilt, 0 there already, 0 parked')
  assert.equal((await company.invoice('late', '2026-05')).subtotal_cents, 100)
})

test('no job brings back what was made void, or the time before a tenant was entered', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  await company.subscribe(await company.tenant('old'), { start_date: '2026-02-01' })
  assert.equal(await missing(), '2026-04: 1 created, 0 rebuilt, 0 there already, 0 parked')
  await company.post(`/invoices/${(await company.invoice('old')).id}/void`, {})
  assert.equal(await missing(), 'skipped')
})

test('a draft that could not be made anew is tried again; an issued one is not parked any longer', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const ids = ['stale', 'gone']
  for (const id of ids) await company.subscribe(await company.tenant(id))
  for (const tenant_id of ids) await company.rollup({ tenant_id })
  const repair = (currency: string) =>
    company.db.transaction((tx) => tx.updateTable('tenants.tenant').set({ currency }).where('id', 'in', ids).execute())
  await repair('USD')
  for (const tenant_id of ids) assert.equal((await company.rollup({ tenant_id, force: true })).parked.length, 1)
  await repair('AUD')
  await company.post(`/invoices/${(await company.invoice('gone')).id}/issue`)
  assert.equal(await missing(), '2026-04: 0 created, 1 rebuilt, 1 there already, 0 parked')
  assert.deepEqual(await company.db.read.selectFrom('invoicing.parked').select('tenant_id').execute(), [])
})
