import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { type Account, demoAccount } from '../../../demo/digitalocean/account.ts'
import { type Faults, startDigitalOceanStandIn } from '../../../demo/digitalocean/server.ts'
import { InvariantError } from '../../kernel/invariant.ts'
import { OutboundError } from '../../platform/outbound.ts'
import { createDigitalOcean, type DigitalOceanOptions } from './index.ts'
import { IMPATIENCE_MS } from '../../../test/support/patience.ts'

const TOKEN = 'dop_v1_hush'
const account = demoAccount()
const closing: (() => Promise<void>)[] = []
after(() => Promise.all(closing.map((close) => close())))

test('every page of a list is read', async () => {
  const [entry] = account.billing_history
  assert.ok(entry)
  const long = {
    ...account,
    billing_history: Array.from({ length: 450 }, (_, n) => ({ ...entry, description: `${n}` })),
  }
  const { digitalOcean, standIn } = await start({ account: long })
  const history = await digitalOcean.billingHistory()
  assert.deepEqual(
    history.map(({ description }) => description),
    long.billing_history.map(({ description }) => description),
  )
  assert.equal(standIn.requests(), 4, 'three pages, and the first one again')
})

test('a payment that comes while the history is read counts no other one twice', async () => {
  const payment = (n: number) => ({ type: 'Payment', date: '2026-04-03T08:44:38Z', amount: '-1', description: `${n}` })
  let asked = 0
  const growing = (history_changes: number): typeof fetch => {
    asked = 0
    return async (input) => {
      const page = Number(new URL(new Request(input).url).searchParams.get('page'))
      const entries = Array.from({ length: 4 + Math.min(asked, history_changes) }, (_, n) => payment(n)).toReversed()
      asked += 1
      const next = `https://api.digitalocean.com/v2/customers/my/billing_history?page=${page + 1}`
      const billing_history = entries.slice((page - 1) * 3, page * 3)
      return Response.json({ billing_history, ...(page * 3 < entries.length && { links: { pages: { next } } }) })
    }
  }
  const history = await createDigitalOcean({ token: TOKEN, fetch: growing(1) }).billingHistory()
  assert.deepEqual(
    history.map(({ description }) => description),
    ['4', '3', '2', '1', '0'],
  )
  const restless = createDigitalOcean({ token: TOKEN, fetch: growing(99) })
  assert.match((await failureOf(restless.billingHistory())).message, /changes each time that it is read/)
})

test('an ordinary list of one page is one request', async () => {
  const { digitalOcean, standIn } = await start()
  assert.equal((await digitalOcean.invoices()).invoices.length, account.invoices.length)
  assert.equal(standIn.requests(), 1)
})

test('a refused token is an error with the status, and is not tried again', async () => {
  const { digitalOcean, standIn } = await start({ faults: { unauthorized: true } })
  const error = await failureOf(digitalOcean.balance())
  assert.deepEqual([error.reason, error.status], ['http', 401])
  assert.ok(error.request_id)
  assert.equal(standIn.requests(), 1)
})

for (const [name, faults] of Object.entries<Faults>({
  'server errors': { server_errors: 2 },
  'half a page': { cut_pages: 2 },
  'an answer that never comes': { silent: 1 },
  'too many requests': { too_many_requests: { count: 2, retry_after_s: 0 } },
})) {
  test(`${name}: the read succeeds in the end, complete`, async () => {
    const { digitalOcean } = await start({ faults, timeout_ms: IMPATIENCE_MS })
    assert.equal((await digitalOcean.invoices()).invoices.length, account.invoices.length)
  })
}

test('an invoice that does not exist is a 404', async () => {
  const { digitalOcean } = await start()
  const error = await failureOf(digitalOcean.invoiceItems('no/such invoice'))
  assert.deepEqual([error.reason, error.status], ['http', 404])
})

test('a next link to another host is refused by name and not followed', async () => {
  const foreign = await start()
  const [entry] = account.billing_history
  assert.ok(entry)
  const billing_history = Array.from({ length: 201 }, () => entry)
  const { digitalOcean } = await start({
    account: { ...account, billing_history },
    faults: { next_origin: foreign.standIn.url },
  })
  const error = await failureOf(digitalOcean.billingHistory())
  assert.equal(error.reason, 'invalid_response')
  assert.ok(error.message.includes(new URL(foreign.standIn.url).host))
  assert.equal(foreign.standIn.requests(), 0)
})

test('a next link that comes back is refused, not followed for ever', async () => {
  const next = 'https://api.digitalocean.com/v2/customers/my/billing_history?page=2'
  const digitalOcean = answering({
    '/v2/customers/my/billing_history': { billing_history: [], links: { pages: { next } } },
  })
  assert.match((await failureOf(digitalOcean.billingHistory())).message, /comes back/)
})

test('a list whose pages never end is refused', async () => {
  let page = 1
  const endless: typeof fetch = async () => {
    page += 1
    const next = `https://api.digitalocean.com/v2/customers/my/billing_history?page=${page}`
    return Response.json({ billing_history: [], links: { pages: { next } } })
  }
  const digitalOcean = createDigitalOcean({ token: TOKEN, fetch: endless })
  assert.match((await failureOf(digitalOcean.billingHistory())).message, /more than 1000 pages/)
})

for (const [name, item] of Object.entries({
  'a JSON number for an amount': { amount: 12.34 },
  'an amount that is not a number': { amount: 'twelve' },
  'an amount with an exponent': { amount: '1e3' },
  'a missing amount': { amount: undefined },
  'a time that is not one': { start_time: 'yesterday' },
  'a day that does not exist': { start_time: '2026-04-31T00:00:00Z' },
})) {
  test(`${name} is an invalid response that names the place`, async () => {
    const good = { product: 'Droplets', description: 'web (s-1vcpu-1gb)', amount: '1.00' }
    const path = '/v2/customers/my/invoices/one'
    const digitalOcean = answering({ [path]: { invoice_items: [good, { ...good, ...item }] } })
    const error = await failureOf(digitalOcean.invoiceItems('one'))
    assert.equal(error.reason, 'invalid_response')
    assert.equal(error.path, path)
    assert.match(error.message, /\/invoice_items\/1/)
  })
}

for (const invoice_period of ['9999-12', '2026-13', '2026-4']) {
  test(`a bill of ${invoice_period} is an invalid response that names the place`, async () => {
    const header = { invoice_uuid: 'one', invoice_id: '1', amount: '1.00', invoice_period }
    const digitalOcean = answering({ '/v2/customers/my/invoices': { invoices: [header] } })
    const error = await failureOf(digitalOcean.invoices())
    assert.equal(error.reason, 'invalid_response')
    assert.match(error.message, /\/invoices\/0\/invoice_period/)
  })
}

test('links, preview and the optional fields of an item may be missing, null or blank; unknown fields are fine', async () => {
  const bare = { product: 'Droplets', description: 'web', amount: '1.00' }
  const blank = { ...bare, group_description: '', duration: '', start_time: null, resource_id: 5, new_field: {} }
  const digitalOcean = answering({
    '/v2/customers/my/invoices': { invoices: [] },
    '/v2/customers/my/invoices/one': { invoice_items: [bare, blank], links: {} },
  })
  assert.deepEqual(await digitalOcean.invoices(), { invoices: [], preview: null })
  const [first, second] = await digitalOcean.invoiceItems('one')
  assert.deepEqual(second, { ...first, resource_id: '5' })
})

test('an end of 23:59:59 is the next midnight', async () => {
  const item = { product: 'Volumes', description: 'data', amount: '1.00', end_time: '2026-04-30T23:59:59Z' }
  const digitalOcean = answering({ '/v2/customers/my/invoices/one': { invoice_items: [item] } })
  assert.equal((await digitalOcean.invoiceItems('one'))[0]?.end?.toString(), '2026-05-01T00:00:00Z')
})

test('a quota that is nearly used up holds the next request back, within a bound, and says so', async () => {
  const warnings: object[] = []
  const { digitalOcean } = await start({
    faults: { rate_limit: { remaining: 3, reset_in_s: 3_600 } },
    max_rate_wait_ms: 60,
    log: { warn: (fields) => warnings.push(fields) },
  })
  await digitalOcean.balance()
  assert.deepEqual(warnings, [])
  const started = performance.now()
  await digitalOcean.balance()
  assert.ok(performance.now() - started >= 55)
  assert.deepEqual(warnings, [{ provider: 'digitalocean', wait_ms: 60 }])
})

test('a quota whose reset has passed holds nothing back', async () => {
  const warnings: object[] = []
  const { digitalOcean } = await start({
    faults: { rate_limit: { remaining: 0, reset_in_s: -5 } },
    log: { warn: (fields) => warnings.push(fields) },
  })
  await digitalOcean.balance()
  await digitalOcean.balance()
  assert.deepEqual(warnings, [])
})

test('no error and no log line carries the token', async () => {
  const logged: unknown[] = []
  const log = { warn: (...line: unknown[]) => logged.push(line) }
  const rate_limit = { remaining: 0, reset_in_s: 60 }
  const broken: Faults[] = [{ unauthorized: true }, { server_errors: 9 }, { cut_pages: 9 }, { silent: 9 }]
  for (const faults of broken) {
    const options = { log, timeout_ms: IMPATIENCE_MS, max_retries: 0, max_rate_wait_ms: 1 }
    const { digitalOcean } = await start({ faults: { ...faults, rate_limit }, ...options })
    for (const call of [digitalOcean.balance(), digitalOcean.inventory()]) {
      const error = await failureOf(call)
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /hush/)
    }
  }
  assert.doesNotMatch(JSON.stringify(logged), /hush/)
})

test('a token that no header can carry is refused without being quoted', () => {
  for (const token of ['', `${TOKEN}\n`, `${TOKEN} ${TOKEN}`, `${TOKEN}\u00e9`]) {
    assert.throws(
      () => createDigitalOcean({ token }),
      (error) => error instanceof InvariantError && !error.message.includes('hush'),
    )
  }
})

async function start({ account: served = account, faults = {}, ...options }: StartOptions = {}) {
  const standIn = await startDigitalOceanStandIn({ token: TOKEN, account: served, faults })
  closing.push(() => standIn.close())
  return {
    standIn,
    digitalOcean: createDigitalOcean({ token: TOKEN, api_url: standIn.url, backoff_ms: 1, ...options }),
  }
}

type StartOptions = { account?: Account; faults?: Faults } & Partial<DigitalOceanOptions>

/** A client of an API that answers each path always the same. */
function answering(answers: Record<string, unknown>) {
  const answer: typeof fetch = async (input) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input)
    return Response.json(answers[pathname])
  }
  return createDigitalOcean({ token: TOKEN, fetch: answer, max_retries: 0 })
}

async function failureOf(call: Promise<unknown>): Promise<OutboundError> {
  const error: unknown = await call.then(
    () => assert.fail('the call must fail'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof OutboundError, String(error))
  return error
}
