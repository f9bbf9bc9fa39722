import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { demoAccount } from '../../demo/digitalocean/index.ts'
import { present } from '../../src/kernel/invariant.ts'
import { createValidator } from '../../src/platform/validate.ts'
import { memoryDatabase } from '../support/database.ts'
import { type ExampleBody, jsonBodies, queryParameters, unshownParameters, withIds } from '../support/examples.ts'
import { type Books, openBooks } from './books.ts'

const [BILL] = demoAccount().invoices
const account = { ...demoAccount(), invoices: [present(BILL, 'the demo has bills')] }
let books: Books
before(async () => {
  books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z', account)
})
after(() => books.close())

test('every JSON body has an example, and all of them are taken in the order of a month, like those of queries', async () => {
  const bodies = jsonBodies(await document())
  assert.ok(bodies.length > 40)
  assert.deepEqual(
    bodies.filter(({ examples }) => examples.length === 0).map(({ call }) => call),
    [],
  )
  const sent = await tell(bodies)
  assert.deepEqual(
    bodies.map(({ call }) => call).filter((call) => !sent.has(call)),
    [],
    'the story does not send them',
  )
  assert.deepEqual(await refusedQueries(await document()), [])
  assert.deepEqual(await books.broken(), [])
})

test('every query shows by example what has a form of its own, and its examples fit', async () => {
  const described = await document()
  assert.deepEqual(unshownParameters(described), [])
  const compile = createValidator({ coerceTypes: false })
  const shown = queryParameters(described).filter(({ example }) => example !== undefined)
  assert.ok(shown.length > 20)
  assert.deepEqual(
    shown.filter(({ schema, example }) => !compile(schema)(example)).map(({ call, name }) => `${call} ${name}`),
    [],
  )
  const period = { in: 'query', name: 'period', schema: { type: 'string', pattern: '^[0-9]+$' } }
  assert.deepEqual(unshownParameters({ paths: { '/api/v1/gadgets': { get: { parameters: [period] } } } }), [
    'GET /gadgets period',
  ])
})

test('a JSON body without an example is named', () => {
  const content = (example?: object) => ({ 'application/json': { schema: { type: 'object' }, ...example } })
  const planted = {
    paths: {
      '/api/v1/gadgets': {
        get: {},
        post: { requestBody: { content: content({ example: {} }) } },
        put: { requestBody: { content: content() } },
      },
    },
  }
  assert.deepEqual(jsonBodies(planted), [
    { call: 'POST /gadgets', type: 'application/json', examples: [{}] },
    { call: 'PUT /gadgets', type: 'application/json', examples: [] },
  ])
})

/** A month of the company that the examples are of. Answers the calls whose examples were sent. */
async function tell(bodies: readonly ExampleBody[]): Promise<ReadonlySet<string>> {
  const { ok, clock } = books
  const sent = new Set<string>()
  const deployments = new Map<string, string>()
  const send = async (call: string, ...path_values: string[]): Promise<any> => {
    const body = present(
      bodies.find((one) => one.call === call),
      `there is a call ${call}`,
    )
    sent.add(call)
    const [method = '', template = ''] = call.split(' ')
    const path = path_values.reduce((left, value) => left.replace(/\{\w+\}/, value), template)
    let data: unknown
    for (const example of body.examples) {
      const headers = { 'content-type': body.type }
      const payload = JSON.stringify(withIds(example, deployments))
      const answer = await books.call(method as 'POST', path, { body: payload, headers })
      assert.ok(answer.status < 300, `${call} ${payload}: ${answer.status} ${answer.text}`)
      ;({ data } = answer.body)
    }
    return data
  }

  await send('POST /tenants')
  await send('PATCH /tenants/{id}', 'boab')
  await send('POST /meters')
  await send('PATCH /meters/{code}', 'requests')
  await send('POST /plans')
  await send('PATCH /plans/{code}', 'studio')
  await send('POST /plans/{code}/versions', 'studio')
  await send('PUT /plans/{code}/versions/{version}', 'studio', '1')
  for (const plan of ['studio', 'starter']) await send('POST /plans/{code}/versions/{version}/publish', plan, '1')
  await send('POST /addons')
  await send('PATCH /addons/{code}', 'storage_50gb')
  await send('POST /quotes')

  const { id } = await send('POST /deployments')
  deployments.set('boab~shop', id)
  await send('PATCH /deployments/{id}', id)
  const subscription = await send('POST /deployments/{id}/subscribe', id)
  await send('POST /subscriptions/{id}/start-correction', subscription.id)
  for (const terms of ['addons', 'discounts', 'overrides']) {
    await send(`POST /subscriptions/{id}/${terms}`, subscription.id)
  }

  await send('POST /usage/events')
  await send('POST /usage/events application/cloudevents+json')
  await send('POST /usage/events application/cloudevents-batch+json')
  await send('POST /integrations/llm-usage')
  const late = { id: 'late', deployment_id: id, meter: 'requests', quantity: '4', occurred_at: '2025-03-10T00:00:00Z' }
  await ok('POST', '/usage/events', { events: [late] })
  await send('POST /invoices/unbilled/acknowledge')

  await send('POST /billing/sync')
  await books.sync()
  const resources = await ok('GET', '/resources?kind=droplet&assigned=false')
  await send('POST /resources/{id}/assignment', resources[0].id)
  const lines = await ok('GET', '/billing/cost-lines?match_status=unmatched&kind=droplet')
  await send('POST /billing/cost-lines/{id}/assignment', lines[0].id)
  await send('POST /billing/allocation-rules')
  const rate = await send('POST /billing/exchange-rates')
  await send('POST /billing/exchange-rates/{id}/withdraw', rate.id)
  await send('POST /billing/provider-invoices/{id}/withdraw', await uploadHalf())
  await send('POST /billing/provider-invoices/{id}/difference/settle', await differingBill())
  await send('POST /billing/periods/{period}/close', '2026-04')
  await send('POST /billing/periods/{period}/reopen', '2026-04')

  await send('POST /invoices/rollup')
  await send('POST /invoices/{id}/void', await liveInvoice())
  await send('POST /invoices/rollup')
  const invoice = await liveInvoice()
  await send('POST /invoices/{id}/issue', invoice)
  const [push] = await ok('GET', '/finance/pushes')
  await send('POST /finance/pushes/{id}/retry', push.id)
  clock.set('2026-05-20T06:00:00Z')
  const payment = await send('POST /invoices/{id}/payments', invoice)
  await send('POST /payments/{id}/reverse', payment.id)
  await send('POST /invoices/{id}/credit-notes', invoice)

  await send('POST /what-if')
  await send('POST /deployments/{id}/transition', id)
  await ok('POST', `/deployments/${id}/transition`, { to: 'active' })
  await send('POST /subscriptions/{id}/plan-change', subscription.id)
  await send('POST /subscriptions/{id}/cancel', subscription.id)
  await send('POST /plans/{code}/versions/{version}/retire', 'studio', '1')
  return sent
}

/** What lists answer no 200 to: each example by itself, beside what is required. */
async function refusedQueries(described: { paths: object }): Promise<string[]> {
  const all = queryParameters(described).filter(({ call }) => /^GET [^{]+$/.test(call))
  const refused: string[] = []
  for (const { call, name, example } of all) {
    if (example === undefined) continue
    const beside = all.filter(
      (one) => one.call === call && one.required && one.name !== name && one.example !== undefined,
    )
    const query = new URLSearchParams([...beside, { name, example }].map((one) => [one.name, String(one.example)]))
    const path = `${call.slice('GET '.length)}?${query.toString()}`
    const { status, text } = await books.call('GET', path)
    if (status !== 200) refused.push(`${path}: ${text}`)
  }
  return refused
}

async function liveInvoice(): Promise<string> {
  const invoices = await books.ok('GET', '/invoices?period=2026-04')
  return invoices.find(({ status }: { status: string }) => status !== 'void').id
}

/** A bill that the provider sends again with other lines than it issued. */
async function differingBill(): Promise<string> {
  const [issued] = account.invoices
  const { items, ...bill } = present(issued, 'the account has a bill')
  account.invoices = [{ ...bill, items: items.slice(1) }]
  await books.sync()
  const bills = await books.ok('GET', '/billing/provider-invoices?period=2026-04')
  return bills[0].id
}

async function uploadHalf(): Promise<string> {
  const csv =
    'ProviderName,BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ChargePeriodEnd\n' +
    'Other Cloud,6.00,USD,2026-04-01,Usage,2026-04-01,2026-05-01\n'
  const path = '/billing/provider-invoices/import'
  const { status, body, text } = await books.call('POST', path, { body: csv, headers: { 'content-type': 'text/csv' } })
  assert.equal(status, 201, text)
  return body.data.id
}

async function document(): Promise<any> {
  return (await books.call('GET', '/api/../openapi.json')).body
}
