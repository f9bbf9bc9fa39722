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
  const jobs = invoicingJobs(company.edge, { seller: SELLER, onInvoiceIssued: async () => {} })
  const job = jobs.find((each) => each.name === name)
  assert.ok(job)
  return job.handle({}, { finish: (effect) => company.db.transaction(effect) })
}

test('the month-end job invoices the month just ended, and again nothing', async () => {
  await company.subscribe(await company.tenant('boab'))
  company.clock.set('2026-05-01T03:00:00Z')
  assert.deepEqual(await run('invoicing.rollup-month-end'), {
    outcome: 'done',
    detail: '2026-04: 1 created, 0 there already, 0 parked',
  })
  assert.equal((await run('invoicing.rollup-month-end')).detail, '2026-04: 0 created, 1 there already, 0 parked')
})

test('a tenant whose zone was late at month end is invoiced by the job that tries parked tenants again', async () => {
  company.clock.set('2026-05-01T03:00:00Z')
  await company.subscribe(await company.tenant('hawaii', { timezone: 'Pacific/Honolulu' }))
  assert.equal((await run('invoicing.retry-parked')).outcome, 'skipped')
  assert.equal((await run('invoicing.rollup-month-end')).detail, '2026-04: 0 created, 1 there already, 1 parked')
  company.clock.set('2026-05-01T12:15:00Z')
  assert.equal((await run('invoicing.retry-parked')).detail, '2026-04: 1 created, 0 there already, 0 parked')
  assert.equal((await run('invoicing.retry-parked')).outcome, 'skipped')
})
