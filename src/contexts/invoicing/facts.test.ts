import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, testCompany } from './company.fixture.ts'

const NOW = '2026-05-02T06:00:00Z'

let company: Company
before(async () => {
  company = await testCompany()
})
after(() => company.close())

async function cancelled(tenant_id: string, at: string): Promise<string> {
  const deployment_id = await company.tenant(tenant_id)
  const { id } = await company.subscribe(deployment_id)
  company.clock.set(at)
  await company.post(`/subscriptions/${id}/cancel`, {})
  company.clock.set(NOW)
  return deployment_id
}

async function billed(tenant_id: string, period?: string): Promise<string[]> {
  const { lines } = await company.invoice(tenant_id, period)
  return lines
    .filter((line: { kind: string }) => line.kind !== 'tax')
    .map((line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`)
}

test('what is used on the day of cancellation is billed, the day itself is not', async () => {
  const app = await cancelled('boab', '2026-04-10T18:00:00Z')
  await company.use(app, '7', '2026-04-10T09:00:00Z')
  await company.use(app, '100', '2026-04-11T00:00:00Z')
  await company.rollup({ tenant_id: 'boab' })
  assert.deepEqual(await billed('boab'), ['plan_base 1500', 'usage 70'])
})

test('a subscription that follows on the day takes its usage, in the same month or the next', async () => {
  for (const [tenant_id, day] of [
    ['mulga', '2026-04-10'],
    ['wattle', '2026-05-01'],
  ] as const) {
    const app = await cancelled(tenant_id, `${day}T18:00:00Z`)
    await company.subscribe(app, { start_date: day })
    await company.use(app, '7', `${day}T09:00:00Z`)
    await company.rollup({ tenant_id })
  }
  assert.deepEqual(await billed('mulga'), ['plan_base 1500', 'plan_base 3500', 'usage 70'])
  assert.deepEqual(await billed('wattle'), ['plan_base 5000'])
})

test('usage on the first day of a month that ended a subscription is billed with the month before', async () => {
  const app = await cancelled('banksia', '2026-05-01T18:00:00Z')
  await company.rollup({ tenant_id: 'banksia' })
  await company.post(`/invoices/${(await company.invoice('banksia')).id}/issue`)
  company.clock.set('2026-06-02T06:00:00Z')
  await company.use(app, '7', '2026-05-01T09:00:00Z')
  await company.rollup({ tenant_id: 'banksia', period: '2026-05' })
  assert.deepEqual(await billed('banksia'), ['plan_base 5000'])
  assert.deepEqual(await billed('banksia', '2026-05'), ['adjustment 70'])
})
