import assert from 'node:assert/strict'
import { pipeline, Readable } from 'node:stream'
import { after, beforeEach, test } from 'node:test'
import { createGzip, gzipSync } from 'node:zlib'
import { Type } from 'typebox'
import { type Answer, json, startScriptedServer } from '../../test/support/scripted-server.ts'
import { createOutbound, OutboundError, type OutboundOptions } from './outbound.ts'
import { IMPATIENCE_MS, PATIENCE_MS } from '../../test/support/patience.ts'

const server = await startScriptedServer()
const { base_url } = server

after(server.close)
beforeEach(() => {
  server.answers = []
  server.received = []
})

const Page = Type.Object({ items: Type.Array(Type.Object({ id: Type.String() })) })
const PAGE = { items: [{ id: 'a' }] }

test('a JSON answer comes with its status and headers', async () => {
  server.answers = [json(PAGE, 200, { 'ratelimit-remaining': '4999' })]
  const { status, headers, body } = await outbound().getJson('/v2/items', Page, { query: { page: 2 } })
  assert.deepEqual([status, headers.get('ratelimit-remaining'), body], [200, '4999', PAGE])
  assert.equal(server.received[0]?.url, '/v2/items?page=2')
})

test('a text answer is handed over as it is', async () => {
  server.answers = [text('a,b\r\n1,2\r\n')]
  assert.equal((await outbound().getText('/csv')).body, 'a,b\r\n1,2\r\n')
})

test('a bigint is posted as an exact JSON integer', async () => {
  server.answers = [json(PAGE)]
  await outbound().postJson('/items', { amount_minor: 9_007_199_254_740_993n }, Page)
  assert.equal(server.received[0]?.body, '{"amount_minor":9007199254740993}')
  assert.equal(server.received[0]?.headers['content-type'], 'application/json')
})

test('headers are minted for every call', async () => {
  server.answers = [json(PAGE)]
  let minted = 0
  const client = outbound({ headers: async () => ({ authorization: `Bearer ${(minted += 1)}` }) })
  await client.getJson('/items', Page)
  await client.getJson('/items', Page)
  assert.deepEqual(
    server.received.map((call) => call.headers.authorization),
    ['Bearer 1', 'Bearer 2'],
  )
})

for (const [name, failing] of Object.entries<Answer>({
  'status 429': (response) => response.writeHead(429).end(),
  'status 500': (response) => response.writeHead(500).end(),
  'status 502': (response) => response.writeHead(502).end(),
  'a closed connection': (response) => response.destroy(),
  'half a page': text('{"items": [{"id"'),
  'a page of another shape': json({ items: [{ id: 7 }] }),
  'a connection closed half-way': cutShort(),
})) {
  test(`${name} is tried again`, async () => {
    server.answers = [failing, failing, json(PAGE)]
    assert.deepEqual((await outbound().getJson('/items', Page)).body, PAGE)
    assert.equal(server.received.length, 3)
  })
}

test('an answer that does not come in time is tried again, and then is a time-out', async () => {
  server.answers = [() => undefined]
  const error = await failureOf(outbound({ timeout_ms: IMPATIENCE_MS, max_retries: 1 }).getJson('/items', Page))
  assert.deepEqual([error.reason, error.status, error.attempts, server.received.length], ['timeout', null, 2, 2])
})

test('a body that stalls falls under the same time-out', async () => {
  server.answers = [(response) => void response.writeHead(200).write('{"items"')]
  const error = await failureOf(outbound({ timeout_ms: IMPATIENCE_MS, max_retries: 1 }).getJson('/items', Page))
  assert.deepEqual([error.reason, error.attempts], ['timeout', 2])
})

for (const [name, send] of Object.entries<(bytes: Buffer) => Answer>({
  'a long answer': (bytes) => (response) => response.writeHead(200).end(bytes),
  'a small answer that unpacks to a long one': (bytes) => (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes)),
})) {
  test(`no more than the limit is read of ${name}, and it is not asked for again`, async () => {
    const limit = { max_answer_bytes: 100_000, max_retries: 3 }
    server.answers = [send(Buffer.alloc(100_001, 'a'))]
    const error = await failureOf(outbound(limit).getText('/items'))
    assert.deepEqual([error.reason, error.status, error.attempts], ['too_large', 200, 1])
    assert.match(error.message, /longer than 100000 bytes/)
    server.answers = [send(Buffer.alloc(100_000, 'a'))]
    assert.equal((await outbound(limit).getText('/items')).body.length, 100_000)
  })
}

test('a gigabyte of zeros, packed, takes no more memory than the limit', async () => {
  const megabyte = Buffer.alloc(1024 * 1024)
  let sent = 0
  server.answers = [
    (response) => {
      const packed = createGzip()
      Readable.from(repeat(megabyte, 1024, () => (sent += 1))).pipe(packed)
      response.writeHead(200, { 'content-encoding': 'gzip' })
      pipeline(packed, response, () => packed.destroy())
    },
  ]
  assert.equal((await failureOf(outbound({ timeout_ms: PATIENCE_MS }).getText('/items'))).reason, 'too_large')
  assert.ok(sent < 1024, `${sent} MB were packed before the reader let go`)
})

test('a text that no database keeps is replaced, and costs nothing that came with it', async () => {
  server.answers = [text('{"items": [{"id": "a\\u0000b"}, {"id": "\\ud83d"}, {"id": "\\ud83d\\ude00"}]}')]
  const { body } = await outbound().getJson('/items', Page)
  assert.deepEqual(
    body.items.map(({ id }) => id),
    ['a\uFFFDb', '\uFFFD', '\u{1F600}'],
  )
})

test('retries are bounded', async () => {
  server.answers = [(response) => response.writeHead(503, { 'x-request-id': 'req-7' }).end()]
  const error = await failureOf(outbound({ max_retries: 2 }).getJson('/items', Page))
  assert.deepEqual(
    { ...error },
    {
      name: 'OutboundError',
      reason: 'http',
      status: 503,
      request_id: 'req-7',
      method: 'GET',
      path: '/items',
      attempts: 3,
    },
  )
  assert.equal(server.received.length, 3)
})

test('a refusal is not tried again', async () => {
  for (const status of [400, 401, 403, 404, 409, 422]) {
    server.received = []
    server.answers = [(response) => response.writeHead(status).end()]
    assert.equal((await failureOf(outbound().getJson('/items', Page))).status, status)
    assert.equal(server.received.length, 1)
  }
})

test('retry-after decides the pause, within its bound', async () => {
  const started = performance.now()
  server.answers = [retryAfter('0'), retryAfter('3600'), json(PAGE)]
  await outbound({ backoff_ms: 3_600_000, max_retry_after_ms: 50 }).getJson('/items', Page)
  assert.ok(performance.now() - started >= 45)
  assert.equal(server.received.length, 3)
})

test('a POST is tried again only when it is idempotent', async () => {
  server.answers = [(response) => response.writeHead(500).end(), json(PAGE)]
  await outbound().postJson('/items', { id: 'a' }, Page, { idempotent: true })
  assert.deepEqual(
    server.received.map((call) => call.body),
    ['{"id":"a"}', '{"id":"a"}'],
  )

  server.received = []
  server.answers = [(response) => response.writeHead(500).end(), json(PAGE)]
  assert.equal((await failureOf(outbound().postJson('/items', { id: 'a' }, Page))).attempts, 1)
  assert.equal(server.received.length, 1)

  server.answers = [text('{"items"')]
  assert.equal((await failureOf(outbound().postJson('/items', { id: 'a' }, Page))).attempts, 1)
})

test('an answer of another shape says where it is wrong', async () => {
  server.answers = [json({ items: [{ id: 'a' }, { id: 'private' }, { id: 7 }] })]
  const error = await failureOf(outbound({ max_retries: 0 }).getJson('/items', Page))
  assert.deepEqual([error.reason, error.status], ['invalid_response', 200])
  assert.match(error.message, /\/items\/2\/id: type/)
  assert.doesNotMatch(error.message, /private/)
})

test('a redirect is a failure and is not followed', async () => {
  server.answers = [(response) => response.writeHead(302, { location: `${base_url}/elsewhere` }).end(), json(PAGE)]
  const error = await failureOf(outbound().getJson('/items', Page))
  assert.deepEqual([error.reason, error.status, server.received.length], ['http', 302, 1])
})

test('a path cannot leave the base URL', async () => {
  server.answers = [json(PAGE)]
  for (const path of ['http://127.0.0.1:9/items', '//127.0.0.1:9/items']) await outbound().getJson(path, Page)
  assert.deepEqual(
    server.received.map((call) => call.url),
    ['/http://127.0.0.1:9/items', '/127.0.0.1:9/items'],
  )
})

test('no connection is a network failure that names the system code', async () => {
  const closed = createOutbound({ base_url: 'http://127.0.0.1:9', max_retries: 1, backoff_ms: 1, fetch: refuse })
  const error = await failureOf(closed.getJson('/items', Page))
  assert.deepEqual([error.reason, error.status, error.attempts], ['network', null, 2])
  assert.match(error.message, /ECONNREFUSED/)
})

test('an error carries no token, query or body', async () => {
  const client = outbound({ headers: { authorization: 'Bearer hush' }, max_retries: 0, timeout_ms: IMPATIENCE_MS })
  const failing: Answer[] = [
    (response) => response.writeHead(401).end('hush'),
    (response) => response.destroy(),
    () => undefined,
    text('hush'),
    json({ items: 'hush' }),
  ]
  for (const answer of failing) {
    server.answers = [answer]
    const error = await failureOf(client.getJson('/items?key=hush', Page, { query: { token: 'hush' } }))
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /hush/)
    assert.equal(error.cause, undefined)
  }
})

function outbound(options: Partial<OutboundOptions> = {}) {
  return createOutbound({ base_url, backoff_ms: 1, ...options })
}

async function failureOf(call: Promise<unknown>): Promise<OutboundError> {
  const error: unknown = await call.then(
    () => assert.fail('the call must fail'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof OutboundError, String(error))
  return error
}

function text(body: string): Answer {
  return (response) => response.writeHead(200).end(body)
}

function cutShort(): Answer {
  return (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('{"items"', () => response.destroy())
  }
}

function retryAfter(seconds: string): Answer {
  return (response) => response.writeHead(429, { 'retry-after': seconds }).end()
}

const refuse: typeof fetch = async () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
}

function* repeat(chunk: Buffer, times: number, counted: () => void): Generator<Buffer> {
  for (let count = 0; count < times; count += 1) {
    counted()
    yield chunk
  }
}
