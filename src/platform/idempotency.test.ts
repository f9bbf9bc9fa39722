import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { sql } from 'kysely'
import { Type } from 'typebox'
import { type As, testHttp } from '../../test/support/http.ts'
import { problem } from '../kernel/problem.ts'
import type { App } from './http.ts'
import { spoolFiles } from './spool.ts'
import { Body } from './wire.ts'

const outOfStock = problem({ code: 'test/out-of-stock', status: 409, title: 'Out of stock' })

/** What the handler does next, and how often it has run. */
const opened = () => ({
  calls: 0,
  stocked: true,
  gate: Promise.resolve(),
  entered: Promise.withResolvers<void>(),
  books: async (_order: number) => {},
})
const shop = opened()

const routes = (app: App): void => {
  app.post(
    '/orders',
    { config: { access: ['platform_admin', 'tenant'] }, schema: { body: Body({ item: Type.String() }) } },
    async (request, reply) => {
      shop.calls += 1
      const order = shop.calls
      await shop.books(order)
      shop.entered.resolve()
      await shop.gate
      if (!shop.stocked) throw outOfStock('Order something else.')
      return reply.code(201).send({ data: { order, item: request.body.item } })
    },
  )
}

const returns = (app: App): void => {
  app.post(
    '/returns',
    { config: { access: ['platform_admin'] }, schema: { body: Body({ item: Type.String() }) } },
    async (request) => ({ data: { returned: request.body.item } }),
  )
}

const uploads = (app: App): void => {
  app.post('/notes', { config: { access: ['platform_admin'] } }, async () => ({ data: {} }))
  void app.register(async (scope) => {
    const filesOf = spoolFiles(scope, [], { file_max_bytes: 1_000, files_max: 1 })
    scope.post('/files', { config: { access: ['platform_admin'] } }, async (request) => {
      const [file] = await filesOf(request)
      return { data: { content: Buffer.concat(await Array.fromAsync(file?.open() ?? [])).toString() } }
    })
  })
}

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp(() => [routes, returns, uploads])
  await harness.db.script('create table platform.sold (item_order integer)')
})
beforeEach(() => {
  Object.assign(shop, opened())
})
after(() => harness.close())

test('the same call gets the stored answer, and runs once', async () => {
  const first = await order('same', 'tea')
  const second = await order('same', 'tea')
  assert.equal(first.status, 201)
  assert.equal(second.status, 201)
  assert.equal(second.text, first.text)
  assert.equal(second.headers['content-type'], first.headers['content-type'])
  assert.equal(first.headers['idempotency-replayed'], undefined)
  assert.equal(second.headers['idempotency-replayed'], 'true')
  assert.equal(shop.calls, 1)
})

test('another body with the same key is refused, and told what the key was used for', async () => {
  const at = harness.clock.now().toString()
  await order('other-body', 'tea')
  const answer = await order('other-body', 'coffee')
  assert.equal(answer.status, 409)
  assert.equal(answer.body.code, 'request/idempotency-conflict')
  assert.match(answer.body.detail, new RegExp(`used for POST /api/v1/orders with other content, at ${at}`))
  assert.deepEqual(answer.body.used_for, { method: 'POST', path: '/api/v1/orders', at })
  assert.equal(shop.calls, 1)
})

test('the answer to one role is not replayed to another of the same subject and tenant', async () => {
  const as = (role: string) => ({ sub: 'one', tenant_id: 't_1', role })
  const admin = await order('roles', 'tea', as('platform_admin'))
  const tenant = await order('roles', 'tea', as('tenant'))
  assert.deepEqual([admin.status, tenant.status, tenant.headers['idempotency-replayed']], [201, 201, undefined])
  assert.notEqual(admin.text, tenant.text)
})

test('a key of one route is free on another', async () => {
  await order('routes', 'tea')
  const answer = await harness.call('POST', '/returns', {
    body: { item: 'tea' },
    headers: { 'idempotency-key': 'routes' },
  })
  assert.deepEqual([answer.status, answer.body.data], [200, { returned: 'tea' }])
})

test('a call that fails frees its key', async () => {
  shop.stocked = false
  assert.equal((await order('failing', 'tea')).body.code, 'test/out-of-stock')
  shop.stocked = true
  assert.equal((await order('failing', 'coffee')).status, 201)
})

test('of two calls at once one runs, and the other is told to wait', async () => {
  const gate = Promise.withResolvers<void>()
  shop.gate = gate.promise
  const first = order('at-once', 'tea')
  await shop.entered.promise
  const second = await order('at-once', 'tea')
  assert.equal(second.status, 409)
  assert.equal(second.body.code, 'request/idempotency-in-progress')
  gate.resolve()
  assert.equal((await first).status, 201)
  assert.equal((await order('at-once', 'tea')).text, (await first).text)
  assert.equal(shop.calls, 1)
})

test('the keys of different callers do not meet', async () => {
  const [mine, theirs] = [await order('mine', 'tea', { tenant: 't_1' }), await order('mine', 'tea', { tenant: 't_2' })]
  assert.equal(mine.status, 201)
  assert.equal(theirs.status, 201)
  assert.notEqual(mine.text, theirs.text)
})

test('a claim whose process died is taken over after a minute, and its own effect can never be stored', async () => {
  const dead = Promise.withResolvers<void>()
  shop.gate = dead.promise
  const lost = order('stale', 'tea')
  await shop.entered.promise
  shop.gate = Promise.resolve()
  harness.clock.set(harness.clock.now().add({ seconds: 59 }))
  const refused = await order('stale', 'tea')
  assert.deepEqual([refused.status, refused.headers['retry-after']], [409, '5'])
  assert.equal(shop.calls, 1)
  harness.clock.set(harness.clock.now().add({ seconds: 1 }))
  const repeated = await order('stale', 'tea')
  assert.equal(repeated.status, 201)
  // It was only slow, and comes back.
  dead.resolve()
  assert.equal((await lost).body.code, 'request/idempotency-in-progress')
  assert.equal((await order('stale', 'tea')).text, repeated.text)
})

test('the effect of a call is there with its answer, and before its commit for itself alone', async () => {
  shop.books = async (sold) => {
    await sell(sold)
    assert.deepEqual(await soldOrders(), [sold])
  }
  const answer = await order('sold', 'tea')
  assert.equal(answer.status, 201)
  assert.deepEqual(await soldOrders(), [1])
  assert.equal((await order('sold', 'tea')).text, answer.text)
  await harness.db.script('delete from platform.sold')
})

test('a call that fails after its transaction leaves nothing', async () => {
  shop.books = sell
  shop.stocked = false
  assert.equal((await order('failed late', 'tea')).status, 409)
  assert.deepEqual(await soldOrders(), [])
})

test('of several transactions of a call, the last one is stored with the answer', async () => {
  shop.books = async (sold) => {
    await sell(sold)
    await Promise.all([sell(sold + 1), sell(sold + 2)])
    await sell(sold + 3)
  }
  shop.stocked = false
  assert.equal((await order('several', 'tea')).status, 409)
  assert.deepEqual(await soldOrders(), [1, 2, 3])
  await harness.db.script('delete from platform.sold')
})

test('a body that is too deep to compare is refused', async () => {
  const body = `{"item":"tea","extra":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const headers = { 'idempotency-key': 'deep', 'content-type': 'application/json' }
  assert.equal((await harness.call('POST', '/notes', { body, headers })).status, 422)
})

test('a key is a text of 1 to 255 characters', async () => {
  for (const key of ['', 'k'.repeat(256)]) {
    const answer = await order(key, 'tea')
    assert.equal(answer.status, 422)
    assert.equal(answer.body.errors[0].path, 'headers/idempotency-key')
  }
  assert.equal((await order('k'.repeat(255), 'tea')).status, 201)
})

test('an uploaded file is never answered with what another one got', async () => {
  for (const content of ['one', 'two']) {
    const answer = await harness.call('POST', '/files', {
      body: `--cut\r\ncontent-disposition: form-data; name="file"; filename="bill.csv"\r\n\r\n${content}\r\n--cut--\r\n`,
      headers: { 'idempotency-key': 'upload', 'content-type': 'multipart/form-data; boundary=cut' },
    })
    assert.equal(answer.status, 200)
    assert.equal(answer.body.data.content, content)
  }
})

test('without a key every call runs', async () => {
  await harness.call('POST', '/orders', { body: { item: 'tea' } })
  await harness.call('POST', '/orders', { body: { item: 'tea' } })
  assert.equal(shop.calls, 2)
})

async function sell(sold: number): Promise<void> {
  await harness.db.transaction((tx) => sql`insert into platform.sold values (${sold})`.execute(tx))
}

async function soldOrders(): Promise<number[]> {
  const { rows } = await sql<{ n: number }>`select item_order as n from platform.sold order by 1`.execute(
    harness.db.read,
  )
  return rows.map(({ n }) => n)
}

function order(key: string, item: string, as: As = 'operator') {
  return harness.call('POST', '/orders', { as, body: { item }, headers: { 'idempotency-key': key } })
}
