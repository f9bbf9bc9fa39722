import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { As } from '../../../test/support/http.ts'
import { eventsRoutes } from '../events/index.ts'
import { type Company, testCompany } from './company.fixture.ts'

let company: Company

before(async () => {
  company = await testCompany({ routes: (edge) => [eventsRoutes(edge)] })
  await company.post('/meters', { code: 'gigabytes', name: 'Gigabytes', unit: 'GB', aggregation: 'sum' })
})
after(() => company.close())

type Entry = { kind: string; tenant_id: string; period: string; meter: string | null; quantity: string; count: number }

const shown = (entries: Entry[]) =>
  entries.map(({ kind, period, meter, quantity, count }) => [kind, period, meter, quantity, count])

async function send(deployment_id: string, meter: string, quantity: string, occurred_at: string) {
  const event = { id: `${meter}/${occurred_at}`, deployment_id, meter, quantity, occurred_at }
  assert.equal((await company.post('/usage/events', { events: [event] })).accepted, 1)
}

test('held LLM usage, usage without a charge and usage without a subscription are told wherever a month is billed', async () => {
  const id = await company.tenant('silent')
  await company.subscribe(id, { start_date: '2026-04-11' })
  await send(id, 'api_calls', '3', '2026-04-10T12:00:00Z')
  await send(id, 'api_calls', '5', '2026-04-11T12:00:00Z')
  await send(id, 'gigabytes', '7.50', '2026-04-12T12:00:00Z')
  await send(await company.deployment('silent', 'other'), 'api_calls', '2', '2026-04-12T12:00:00Z')
  await company.ask('silent', id, { id: 'held', charge: null, occurred_at: '2026-04-12T12:00:00Z' })
  const expected = [
    ['held_llm', '2026-04', null, null, 1],
    ['no_subscription', '2026-04', 'api_calls', '2', null],
    ['no_subscription', '2026-04', 'api_calls', '3', null],
    ['unpriced_usage', '2026-04', 'gigabytes', '7.5', null],
  ]
  const sorted = (entries: Entry[]) => shown(entries).toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
  assert.deepEqual(sorted((await company.rollup({ tenant_id: 'silent' })).unbilled), expected)
  const { id: invoice_id } = await company.invoice('silent')
  assert.deepEqual(sorted((await company.post(`/invoices/${invoice_id}/issue`)).unbilled), expected)
  assert.deepEqual(sorted((await company.invoice('silent')).unbilled), expected)
  assert.deepEqual(sorted(await company.ok('GET', '/invoices/unbilled?period=2026-04&tenant_id=silent')), expected)
  const own = await company.ok('GET', `/invoices/${invoice_id}`, { as: { tenant: 'silent' } })
  assert.equal(own.unbilled, undefined)
  const refused = await company.call('GET', '/invoices/unbilled', { as: { tenant: 'silent' } })
  assert.equal(refused.status, 403)
})

test('what is used on the day that a subscription ends is billed, and an empty day is nothing to tell', async () => {
  const id = await company.tenant('ended')
  const { id: subscription_id } = await company.subscribe(id)
  await company.post(`/subscriptions/${subscription_id}/cancel`, { end_date: '2026-04-16' })
  await send(id, 'api_calls', '3', '2026-04-16T12:00:00Z')
  assert.deepEqual((await company.rollup({ tenant_id: 'ended' })).unbilled, [])
})

test('usage that comes more than twelve months late is listed until an invoice is made with it', async () => {
  const id = await company.tenant('tardy')
  await company.subscribe(id)
  await company.rollup({ tenant_id: 'tardy' })
  const april = await company.invoice('tardy')
  await company.post(`/invoices/${april.id}/issue`)
  // May of the next year still belongs to an invoice that adjusts, whose month is April of that year.
  company.clock.set('2027-04-20T00:00:00Z')
  await send(id, 'api_calls', '1', '2026-04-19T00:00:00Z')
  assert.deepEqual(await company.ok('GET', '/invoices/unbilled?period=2026-04&tenant_id=tardy'), [])
  company.clock.set('2027-05-20T00:00:00Z')
  await send(id, 'api_calls', '4', '2026-04-20T00:00:00Z')
  await company.ask('tardy', id, { charge: '0.25', occurred_at: '2026-04-20T00:00:00Z' })
  const expected = [
    ['too_late', '2026-04', 'api_calls', '4', 1],
    ['too_late', '2026-04', null, '0.25', 1],
  ]
  assert.deepEqual(shown(await company.ok('GET', '/invoices/unbilled?tenant_id=tardy')), expected)
  assert.deepEqual(shown((await company.invoice('tardy')).unbilled), expected)
  await company.post(`/invoices/${april.id}/void`, {})
  await company.rollup({ tenant_id: 'tardy' })
  assert.equal((await company.invoice('tardy')).subtotal_cents, 5_075)
  assert.deepEqual(await company.ok('GET', '/invoices/unbilled?tenant_id=tardy'), [])
  company.clock.set('2026-05-02T06:00:00Z')
})

test('what came too late is acknowledged with a reason, and what comes after that is listed again', async () => {
  const id = await company.tenant('given_up')
  await company.subscribe(id)
  company.clock.set('2027-06-20T00:00:00Z')
  await send(id, 'api_calls', '4', '2026-04-20T00:00:00Z')
  await company.ask('given_up', id, { id: 'late', charge: '0.25', occurred_at: '2026-04-20T00:00:00Z' })
  await send(id, 'api_calls', '7', '2026-05-20T00:00:00Z')
  const acknowledge = (body: object, as: As = 'operator') =>
    company.call('POST', '/invoices/unbilled/acknowledge', { as, body })
  const april = { deployment_id: id.toUpperCase(), period: '2026-04', reason: 'Billed by hand' }
  const listed = async () => shown(await company.ok('GET', '/invoices/unbilled?tenant_id=given_up'))
  const may = ['too_late', '2026-05', 'api_calls', '7', 1]
  assert.equal((await acknowledge({ ...april, reason: '' })).status, 422)
  assert.equal((await acknowledge(april, { tenant: 'given_up' })).status, 403)
  assert.equal((await acknowledge({ ...april, deployment_id: '00000000-0000-4000-8000-000000000000' })).status, 404)
  const { status, body } = await acknowledge(april)
  assert.equal(status, 200)
  assert.deepEqual(shown(body.data), [
    ['too_late', '2026-04', 'api_calls', '4', 1],
    ['too_late', '2026-04', null, '0.25', 1],
  ])
  assert.deepEqual(await listed(), [may])
  assert.equal((await acknowledge(april)).status, 404)
  const { data } = (await company.call('GET', `/events?subject=${id}`)).body
  assert.deepEqual(
    data.map((event: Record<string, unknown>) => [event['type'], event['actor'], event['reason']]),
    [['usage.acknowledged', 'test-platform_admin', 'Billed by hand']],
  )
  await send(id, 'api_calls', '9', '2026-04-21T00:00:00Z')
  assert.deepEqual(await listed(), [['too_late', '2026-04', 'api_calls', '9', 1], may])
  company.clock.set('2026-05-02T06:00:00Z')
})
