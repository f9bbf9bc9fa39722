import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Type } from 'typebox'
import { type As, testHttp } from '../../test/support/http.ts'
import { problem } from '../kernel/problem.ts'
import type { App } from './http.ts'
import { Body } from './wire.ts'

const outOfStock = problem({ code: 'test/out-of-stock', status: 409, title: 'Out of stock' })

/** What the handler does next, and how often it has run. */
const shop = { calls: 0, stocked: true, gate: Promise.resolve(), entered: Promise.withResolvers<void>() }

const routes = (app: App): void => {
  app.post(
    '/orders',
    { config: { access: ['platform_admin', 'tenant'] }, schema: { body: Body({ item: Type.String() }) } },
    async (request, reply) => {
      shop.calls += 1
      const order = shop.calls
      shop.entered.resolve()
      await shop.gate
      if (!shop.stocked) throw outOfStock('Order something else.')
      return reply.code(201).send({ data: { order, item: request.body.item } })
    },
  )
}

const uploads = (app: App): void => {
  app.post('/files', { config: { access: ['platform_admin'] } }, async (request) => ({
    data: { content: (await (await request.file())?.toBuffer())?.toString() },
  }))
}

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp(() => [routes, uploads])
})
beforeEach(() => {
  Object.assign(shop, { calls: 0, stocked: true, gate: Promise.resolve(), entered: Promise.withResolvers<void>() })
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

test('another body with the same key is refused', async () => {
  await order('other-body', 'tea')
  const answer = await order('other-body', 'coffee')
  assert.equal(answer.status, 409)
  assert.equal(answer.body.code, 'request/idempotency-conflict')
  assert.equal(shop.calls, 1)
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

test('a claim whose process died stays for 7 days: the repeated call does not run, and is told to look first', async () => {
  const dead = Promise.withResolvers<void>()
  shop.gate = dead.promise
  const lost = order('stale', 'tea')
  await shop.entered.promise
  shop.gate = Promise.resolve()
  harness.clock.set(harness.clock.now().add({ hours: 24 * 7 }))
  const refused = await order('stale', 'tea')
  assert.equal(refused.status, 409)
  assert.match(refused.body.detail, /look whether it took effect/)
  assert.equal(shop.calls, 1)
  harness.clock.set(harness.clock.now().add({ seconds: 1 }))
  assert.equal((await order('stale', 'tea')).status, 201)
  dead.resolve()
  await lost
})

test('a body that is too deep to compare is refused', async () => {
  const body = `{"item":"tea","extra":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const headers = { 'idempotency-key': 'deep', 'content-type': 'application/json' }
  assert.equal((await harness.call('POST', '/files', { body, headers })).status, 422)
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

function order(key: string, item: string, as: As = 'operator') {
  return harness.call('POST', '/orders', { as, body: { item }, headers: { 'idempotency-key': key } })
}
