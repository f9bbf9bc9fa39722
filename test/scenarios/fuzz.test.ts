import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { listProblems } from '../../src/kernel/problem.ts'
import { memoryDatabase } from '../support/database.ts'
import { createFuzz } from '../support/fuzz.ts'
import { type Books, openBooks } from './books.ts'

const CALLS = Number(process.env['FUZZ_CALLS'] ?? 5_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_501)
const SHOWN_MAX_FAILURES = 20

let books: Books
before(async () => {
  books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
})
after(() => books.close())

test('every text of a request says what it may be, so that the database refuses none', async () => {
  const loose: string[] = []
  const walk = (schema: any, at: string): void => {
    if (schema === null || typeof schema !== 'object') return
    const { type, format, pattern, enum: words, const: only } = schema
    if ([type].flat().includes('string') && [format, pattern, words, only].every((said) => said === undefined))
      loose.push(at)
    for (const [name, part] of Object.entries(schema)) if (name !== 'examples') walk(part, `${at}/${name}`)
  }
  for (const [path, operations] of Object.entries<any>((await document()).paths)) {
    for (const [method, { parameters = [], requestBody = {} }] of Object.entries<any>(operations)) {
      walk(parameters, `${method} ${path}`)
      walk(requestBody, `${method} ${path}`)
    }
  }
  assert.deepEqual(loose, [])
})

test(`of ${CALLS} calls at random none breaks anything: refusals are problems with a code, and the books stay sound`, async () => {
  await enter(books)
  const codes = new Set(listProblems().map(({ code }) => code))
  const fuzz = createFuzz({
    document: await document(),
    seed: SEED,
    words: await wordsOf(books),
    tenants: ['boab', 'nobody', '\ud800'],
  })
  const failures = new Map<string, string>()
  const seen = { called: new Set<string>(), done: new Set<string>() }
  for (let index = 0; index < CALLS; index += 1) {
    const { method, template, path, ...call } = fuzz.next()
    const { status, text, body, headers } = await books.call(method, path, call)
    const route = `${method} ${template}`
    seen.called.add(route)
    if (status < 300) seen.done.add(route)
    const isProblem =
      status < 400 || (String(headers['content-type']).startsWith('application/problem+json') && codes.has(body?.code))
    if (status < 500 && isProblem) continue
    failures.set(
      route,
      `${method} ${path.slice(0, 300)} ${JSON.stringify(call).slice(0, 600)} → ${status} ${text.slice(0, 300)}`,
    )
  }
  assert.deepEqual([...failures.values()].slice(0, SHOWN_MAX_FAILURES), [])
  assert.deepEqual(
    fuzz.routes.filter((route) => !seen.called.has(route)),
    [],
  )
  assert.ok(seen.done.size > fuzz.routes.length / 2, `only ${[...seen.done].join(', ')} got through`)
  assert.deepEqual(await books.broken(), [])
})

async function document(): Promise<any> {
  return (await books.call('GET', '/api/../openapi.json')).body
}

/** Something of everything, so that a call at random finds it. */
async function enter({ ok, call }: Books): Promise<void> {
  for (const id of ['boab', 'kelpie'])
    await ok('POST', '/tenants', { id, legal_name: `${id} Pty Ltd`, country: 'AU', currency: 'USD' })
  await ok('POST', '/meters', { code: 'requests', name: 'Requests', unit: 'request', aggregation: 'sum' })
  const charge = { meter: 'requests', model: 'per_unit', unit_price: '0.01' }
  const version = { currency: 'USD', base_price_cents: 5_000, charges: [charge] }
  for (const code of ['studio', 'starter']) {
    await ok('POST', '/plans', { code, name: code, version })
    await ok('POST', `/plans/${code}/versions/1/publish`)
  }
  await ok('POST', '/plans/studio/versions', version)
  await ok('POST', '/addons', { code: 'backup', name: 'Backup', price_cents: 100, currency: 'USD', quantity: '1' })
  for (const [tenant_id, slug] of [
    ['boab', 'shop'],
    ['kelpie', 'blog'],
    ['kelpie', 'wiki'],
  ]) {
    const { id } = await ok('POST', '/deployments', { tenant_id, slug })
    const order = { plan_code: 'studio', addons: [{ code: 'backup' }], start_date: '2026-03-15' }
    if (slug !== 'wiki') await ok('POST', `/deployments/${id}/subscribe`, order)
    const event = { deployment_id: id, meter: 'requests', quantity: '10', occurred_at: '2026-04-05T00:00:00Z' }
    await ok('POST', '/usage/events', { events: [{ id: slug, ...event }] })
    await ok('POST', '/integrations/llm-usage', {
      gateway_id: 'g',
      gateway_request_id: slug,
      occurred_at: '2026-04-05T00:00:00Z',
      tenant_id,
      deployment_id: id,
      provider: 'p',
      model: 'm',
      usage: { input_tokens: 1 },
      charge: '0.01',
      currency: 'USD',
    })
  }
  const bill = [
    'product,group_description,description,hours,start,end,USD,project_name,category',
    'Droplets,,web (s-1vcpu-1gb),720,2026-03-01 00:00:00 +0000,2026-04-01 00:00:00 +0000,$6.00,,iaas',
  ].join('\n')
  const headers = { 'content-type': 'text/csv' }
  await call('POST', '/billing/provider-invoices/import?period=2026-03&invoice_number=1', { body: bill, headers })
  await ok('POST', '/billing/exchange-rates', { from: 'USD', to: 'AUD', date: '2026-04-30', rate: '1.5', source: 's' })
  for (const period of ['2026-03', '2026-04']) await ok('POST', '/invoices/rollup', { period })
  const [invoice] = (await call('GET', '/invoices?period=2026-03')).body.data
  await ok('POST', `/invoices/${invoice.id}/issue`)
  await books.sync()
}

/** The texts of every list by their field, and of what belongs to deployments and invoices; ids by their list too. */
async function wordsOf({ call }: Books): Promise<Map<string, string[]>> {
  const words = new Map<string, string[]>(Object.entries(USUAL))
  const add = (name: string, word: string): void => void words.set(name, [...(words.get(name) ?? []), word])
  const gather = (found: unknown, name: string): void => {
    if (typeof found === 'string' && found.length < 64) add(name, found)
    else if (Array.isArray(found)) for (const part of found) gather(part, name)
    else if (found !== null && typeof found === 'object')
      for (const [name, part] of Object.entries(found)) gather(part, name)
  }
  for (const path of Object.keys((await document()).paths)) {
    if (path.includes('{')) continue
    const list = path.split('/').at(-1) ?? ''
    for (const row of [(await call('GET', `${path}?limit=5`)).body?.data].flat()) {
      gather(row, '')
      const key = row?.id ?? row?.code
      if (typeof key !== 'string') continue
      const name = row.id === undefined ? 'code' : 'id'
      add(`${list} ${name}`, key)
      add(`${list.replace(/s$/, '').replaceAll('-', '_')}_${name}`, key)
      if (list !== 'deployments' && list !== 'invoices') continue
      const { data } = (await call('GET', `${path}/${key}`)).body
      for (const line of data.lines ?? []) add('line_id', line.id)
      if (data.subscription) add('subscriptions id', data.subscription.id)
      for (const addon of data.subscription?.addons ?? []) add('addon_id', addon.id)
    }
  }
  return words
}

/** What fits together. */
const USUAL = {
  start: ['2026-04-01'],
  end: ['2026-05-01'],
  from: ['2026-03'],
  to: ['2026-04'],
  effective_date: ['2026-05-02', '2026-06-01'],
  start_date: ['2026-04-01', '2026-05-02'],
  end_date: ['2026-05-02', '2026-06-01'],
  paid_at: ['2026-05-01T00:00:00Z'],
  occurred_at: ['2026-04-05T00:00:00Z'],
  meter: ['requests'],
  rate: ['0.1'],
  'periods period': ['2026-03', '2026-04'],
}
