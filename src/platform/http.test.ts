import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { Type } from 'typebox'
import { testHttp } from '../../test/support/http.ts'
import { InvariantError } from '../kernel/invariant.ts'
import { mintToken, scopeOf } from './auth.ts'
import type { App } from './http.ts'
import { schemaMismatch } from './migrate.ts'
import {
  Body,
  callerOf,
  CentsOut,
  Data,
  DateOut,
  DateText,
  DecimalText,
  InstantOut,
  Nullable,
  OneOf,
  PeriodBody,
  PeriodText,
} from './wire.ts'

const BODY_LIMIT_BYTES = 8 * 1024 * 1024
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/

const Line = Type.Object({ quantity: Type.Integer() }, { additionalProperties: false })

const Model = Type.Unsafe<unknown>({
  type: 'object',
  required: ['kind'],
  discriminator: { propertyName: 'kind' },
  oneOf: [
    Body({ kind: Type.Literal('flat'), amount: DecimalText }),
    Body({ kind: Type.Literal('tiers'), bounds: Type.Array(DecimalText) }),
  ],
})
const Named = Body({ code: Type.String(), version: Type.Integer() })
const Priced = Body({ code: Type.String(), price: Nullable(DecimalText) })

const half_way = Promise.withResolvers<void>()
const go_on = Promise.withResolvers<void>()

const routes = (app: App): void => {
  app.delete('/gone', { config: { access: ['platform_admin'] } }, async (_request, reply) => reply.code(204).send())
  app.get('/long', { config: { access: ['platform_admin'] } }, async (request) => {
    request.progress(1, 2)
    half_way.resolve()
    await go_on.promise
    return {}
  })
  app.post(
    '/echo',
    {
      config: { access: ['platform_admin'] },
      schema: {
        body: Body({
          name: Type.String(),
          count: Type.Optional(Type.Integer()),
          kind: Type.Optional(OneOf(['a', 'b'])),
          lines: Type.Optional(Type.Array(Line)),
          price: Type.Optional(Nullable(DecimalText)),
          starts_on: Type.Optional(Nullable(DateText)),
          period: Type.Optional(Type.Union([PeriodText, PeriodBody])),
          model: Type.Optional(Model),
          subject: Type.Optional(Type.Array(Type.Union([Named, Priced]))),
        }),
      },
    },
    async (request) => ({ data: request.body }),
  )
  app.get(
    '/list/:id',
    {
      config: { access: ['platform_admin', 'tenant'] },
      schema: {
        params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
        querystring: Type.Object(
          { limit: Type.Integer({ default: 50, maximum: 200 }) },
          { additionalProperties: false },
        ),
      },
    },
    async (request) => ({ data: request.query }),
  )
  app.get(
    '/values',
    {
      config: { access: ['platform_admin'] },
      schema: {
        summary: 'Values of each kind',
        response: {
          200: Data(
            Type.Object({
              total_cents: CentsOut,
              paid_cents: Nullable(CentsOut),
              owed_cents: Nullable(CentsOut),
              at: InstantOut,
              day: DateOut,
              ended: Nullable(InstantOut),
            }),
          ),
        },
      },
    },
    async () => ({
      data: {
        total_cents: 9_007_199_254_740_993n,
        paid_cents: null,
        owed_cents: -9_007_199_254_740_993n,
        at: Temporal.Instant.from('2026-05-01T03:00:00Z'),
        day: Temporal.PlainDate.from('2026-05-01'),
        ended: Temporal.Instant.from('2026-05-02T03:00:00Z'),
      },
    }),
  )
  app.get('/whose', { config: { access: ['platform_admin', 'tenant'] } }, async (request) => ({
    data: { scope: scopeOf(callerOf(request)), sub: callerOf(request).sub },
  }))
  app.get('/broken', { config: { access: [] } }, async () => {
    throw new InvariantError('the password is hunter2')
  })
  app.get('/misleading', { config: { access: [] } }, async () => {
    throw Object.assign(new Error('the password is hunter2'), { statusCode: 503 })
  })
}

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp(() => [routes])
})
after(() => harness.close())

describe('a body', () => {
  const refusals: [string, unknown, { path: string; message: string }[]][] = [
    [
      'an unknown field',
      { name: 'x', nmae: 'y' },
      [{ path: 'nmae', message: 'is not a known field; did you mean name, a text?' }],
    ],
    [
      'a field that is called like what every object has',
      { name: 'x', toString: 'y' },
      [
        {
          path: 'toString',
          message: 'is not a known field; known are name, count, kind, lines, price, starts_on, period, model, subject',
        },
      ],
    ],
    ['a missing field', {}, [{ path: 'name', message: 'is required' }]],
    [
      'text for a number',
      { name: 'x', count: '12' },
      [{ path: 'count', message: 'must be a whole number; found "12": write 12 without quotes' }],
    ],
    ['a number for text', { name: 12 }, [{ path: 'name', message: 'must be a text; found the number 12' }]],
    ['null for text', { name: null }, [{ path: 'name', message: 'must be a text; found null' }]],
    [
      'a wrong field inside a list',
      { name: 'x', lines: [{ quantity: 1 }, { quantity: 1, price: 2 }] },
      [{ path: 'lines/1/price', message: 'is not a known field; known are quantity' }],
    ],
    [
      'two mistakes',
      { count: 1.5 },
      [
        { path: 'name', message: 'is required' },
        { path: 'count', message: 'must be a whole number; found the number 1.5' },
      ],
    ],
  ]
  for (const [what, body, errors] of refusals) {
    test(`with ${what} is refused with its path`, async () => {
      const answer = await harness.call('POST', '/echo', { body })
      assert.equal(answer.status, 422)
      assert.equal(answer.body.code, 'request/invalid')
      assert.deepEqual(answer.body.errors, errors)
    })
  }

  const told: [string, object, string, string][] = [
    [
      'a number for text or null',
      { price: 1.5 },
      'price',
      'must be an exact decimal as text such as "12.50", or null; found the number 1.5: write it as text, "1.5"',
    ],
    [
      'text that is no decimal',
      { price: '1,5' },
      'price',
      'must be an exact decimal as text such as "12.50"; found "1,5": write a point, not a comma: "1.5"',
    ],
    [
      'text that is no date',
      { starts_on: 'soon' },
      'starts_on',
      'must be a date such as 2026-04-01, in the years 1900 to 2999; found "soon"',
    ],
    [
      'a day that there is not',
      { starts_on: '2026-02-30' },
      'starts_on',
      'must be a date such as 2026-04-01, in the years 1900 to 2999; found "2026-02-30": there is no such day',
    ],
    [
      'a date of another age',
      { starts_on: '1066-10-14' },
      'starts_on',
      'must be a date such as 2026-04-01, in the years 1900 to 2999; found "1066-10-14"',
    ],
    [
      'neither a text nor an object',
      { period: 4 },
      'period',
      'must be a month such as 2026-04, or a day in it, in the years 1900 to 2999, or {"start": "2026-04-01", "end": "2026-05-01"}, of which the end is exclusive; found the number 4',
    ],
    [
      'a text for one of two',
      { period: 'April' },
      'period',
      'must be a month such as 2026-04, or a day in it, in the years 1900 to 2999; found "April"',
    ],
    [
      'an object for one of two',
      { period: { start: '2026-04-01' } },
      'period/end',
      'is required: a date such as 2026-04-01, in the years 1900 to 2999',
    ],
    ['no kind', { model: { amount: '1' } }, 'model/kind', 'must be one of: flat, tiers'],
    [
      'a kind that is unknown',
      { model: { kind: 'cubic' } },
      'model/kind',
      'must be one of: flat, tiers; found "cubic"',
    ],
    [
      'a kind that is mistyped',
      { model: { kind: 'teirs' } },
      'model/kind',
      'must be one of: flat, tiers; found "teirs", did you mean tiers?',
    ],
    ['a kind that is none', { model: { kind: 7 } }, 'model/kind', 'must be one of: flat, tiers; found the number 7'],
    [
      'a fault within its kind',
      { model: { kind: 'flat' } },
      'model/amount',
      'is required: an exact decimal as text such as "12.50"',
    ],
    ['what could be either', { subject: [{ code: 'x' }] }, 'subject/0', 'needs one of: version, price'],
    [
      'a fault in what was meant',
      { subject: [{ code: 'x', version: '2' }] },
      'subject/0/version',
      'must be a whole number; found "2": write 2 without quotes',
    ],
    [
      'a union in a union',
      { subject: [{ code: 'x', price: 2 }] },
      'subject/0/price',
      'must be an exact decimal as text such as "12.50", or null; found the number 2: write it as text, "2"',
    ],
  ]
  for (const [what, fields, path, message] of told) {
    test(`with ${what} is refused with one fault, which says what is expected`, async () => {
      const { status, body } = await harness.call('POST', '/echo', { body: { name: 'x', ...fields } })
      assert.deepEqual([status, body.errors], [422, [{ path, message }]])
    })
  }

  test('that is large and wrong throughout is refused at its first fault, in no time', async () => {
    const lines = Array.from({ length: 200_000 }, () => ({ quantity: 'x', price: 1 }))
    const answer = await harness.call('POST', '/echo', { body: { name: 'x', lines } })
    assert.equal(answer.status, 422)
    assert.equal(answer.body.errors.length, 1)
  })

  test('that is small is refused with at most 100 faults', async () => {
    const lines = Array.from({ length: 150 }, () => ({}))
    const answer = await harness.call('POST', '/echo', { body: { name: 'x', lines } })
    assert.equal(answer.body.errors.length, 100)
  })

  test('that fits arrives as it was sent', async () => {
    const body = { name: 'x', count: 12, kind: 'a', lines: [{ quantity: 1 }] }
    assert.deepEqual((await harness.call('POST', '/echo', { body })).body.data, body)
  })

  test('that is not JSON is malformed', async () => {
    for (const body of ['{"name":', '']) {
      const answer = await harness.call('POST', '/echo', { body, headers: { 'content-type': 'application/json' } })
      assert.equal(answer.status, 400)
      assert.equal(answer.body.code, 'request/malformed')
    }
  })

  test('that is too large is refused', async () => {
    const answer = await harness.call('POST', '/echo', { body: { name: 'x'.repeat(BODY_LIMIT_BYTES) } })
    assert.equal(answer.status, 413)
    assert.equal(answer.body.code, 'request/too-large')
  })

  test('with a word that is none of those known is refused with one fault, which names them', async () => {
    const { status, body } = await harness.call('POST', '/echo', { body: { name: 'x', kind: 'c' } })
    assert.deepEqual([status, body.errors], [422, [{ path: 'kind', message: 'must be one of: a, b; found "c"' }]])
  })

  test('of another kind is refused', async () => {
    for (const type of ['application/xml', 'text/plain']) {
      const answer = await harness.call('POST', '/echo', { body: '<name/>', headers: { 'content-type': type } })
      assert.equal(answer.status, 415, type)
      assert.equal(answer.body.code, 'request/unsupported-media-type')
    }
  })
})

describe('a query', () => {
  const path = '/list/00000000-0000-4000-8000-000000000000'

  test('is text that is read as what it stands for', async () => {
    assert.deepEqual((await harness.call('GET', `${path}?limit=12`)).body.data, { limit: 12 })
    assert.deepEqual((await harness.call('GET', path)).body.data, { limit: 50 })
  })

  test('that does not fit is refused with its path', async () => {
    for (const [query, field] of [
      ['limit=many', 'limit'],
      ['limit=201', 'limit'],
      ['limt=5', 'limt'],
    ]) {
      const answer = await harness.call('GET', `${path}?${query}`)
      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors[0].path, field)
    }
  })

  test('is refused by a route that has none, and nothing is done', async () => {
    const { status, body } = await harness.call('POST', '/echo?preview=true', { body: { name: 'x' } })
    assert.deepEqual(
      [status, body.errors],
      [422, [{ path: 'preview', message: 'is not a known parameter; none is taken here' }]],
    )
  })
})

describe('what is not there', () => {
  test('is a problem with status 404', async () => {
    for (const path of ['/nothing', '/list/not-a-uuid', `/list/${'x'.repeat(200)}`, '/api/v2/echo']) {
      const answer = await harness.call('GET', path)
      assert.equal(answer.status, 404, path)
      assert.equal(answer.body.code, 'request/not-found')
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
    }
  })

  test('a path that is not a path is malformed, and a problem too', async () => {
    const answer = await harness.call('GET', '/list/%zz')
    assert.equal(answer.status, 400)
    assert.equal(answer.body.code, 'request/malformed')
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  })
})

describe('a token', () => {
  test('is required, and must be whole, in time and signed with our secret', async () => {
    const signed = async (own: JWTPayload) =>
      `Bearer ${await new SignJWT({ sub: 'me', roles: ['platform_admin'], exp: seconds(60), ...own })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(key(harness.jwt_secret))}`
    const ended = harness.clock.now().subtract({ seconds: 60 }).round('second')
    const refused: Record<string, string | undefined> = {
      'There is no token.': undefined,
      'malformed: it is not a JSON Web Token': 'Bearer garbage',
      'The header must read: Authorization: Bearer <JWT>': 'Basic dXNlcjpwYXNz',
      [`The token expired at ${ended}`]: `Bearer ${await claims().setExpirationTime(seconds(-60)).sign(key(harness.jwt_secret))}`,
      '"sub" must be a text': await signed({ sub: { a: 1 } as never }),
      '"tenant_id" must be a text': await signed({ tenant_id: 7 }),
      '"only_tenant_id" must be a text': await signed({ only_tenant_id: ['t_1'] }),
      '"roles" must be a list of texts': await signed({ roles: ['meter', 7] }),
      '"exp" claim must be a number': await signed({ exp: '2099' as never }),
      '"nbf" claim timestamp check failed': `Bearer ${await claims().setNotBefore(seconds(60)).setExpirationTime(seconds(120)).sign(key(harness.jwt_secret))}`,
      'signed with another secret': `Bearer ${await claims()
        .setExpirationTime(seconds(60))
        .sign(key('x'.repeat(40)))}`,
      'must be signed with HS256': `Bearer ${await claims('HS512')
        .setExpirationTime(seconds(60))
        .sign(key(harness.jwt_secret.repeat(2)))}`,
      HS256: `Bearer ${new UnsecuredJWT({ roles: ['platform_admin'] }).setSubject('me').setExpirationTime(seconds(60)).encode()}`,
      'missing required "exp" claim': `Bearer ${await claims().sign(key(harness.jwt_secret))}`,
      'missing required "sub" claim': `Bearer ${await new SignJWT({ roles: ['platform_admin'] }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(seconds(60)).sign(key(harness.jwt_secret))}`,
      'claim "sub" must be a text without NUL': await signed({ sub: 'a\0' }),
      'claim "tenant_id" must be a text without NUL and halves of surrogate pairs': await signed({
        roles: ['tenant'],
        tenant_id: '\ud83d',
      }),
    }
    for (const [what, authorization] of Object.entries(refused)) {
      const answer = await bearer(authorization)
      assert.equal(answer.status, 401, what)
      assert.ok(answer.body.detail.includes(what), answer.body.detail)
      assert.equal(answer.body.code, 'auth/unauthenticated')
      assert.equal(answer.headers['www-authenticate'], 'Bearer')
    }
  })

  test('with a role that does not exist may do nothing', async () => {
    const as = { sub: 'me', role: 'owner', tenant_id: 't_42' }
    assert.equal((await harness.call('GET', '/whose', { as })).status, 403)
  })

  test('that is good opens the door', async () => {
    const token = await claims().setExpirationTime(seconds(60)).sign(key(harness.jwt_secret))
    assert.deepEqual((await bearer(`Bearer ${token}`)).body.data, { scope: null, sub: 'me' })
  })

  test('of a tenant sees that tenant only', async () => {
    assert.equal((await harness.call('GET', '/whose', { as: { tenant: 't_42' } })).body.data.scope, 't_42')
  })

  test('without the role that a route asks for is forbidden', async () => {
    for (const as of ['gateway', 'meter', { tenant: 't_42' }] as const) {
      const answer = await harness.call('POST', '/echo', { as, body: { name: 'x' } })
      assert.equal(answer.status, 403)
      assert.equal(answer.body.code, 'auth/forbidden')
    }
  })

  test('of a tenant’s role that names no tenant may do nothing', async () => {
    const token = await mintToken(
      { sub: 'me', role: 'tenant', tenant_id: null },
      { secret: harness.jwt_secret, now: harness.clock.now(), ttl: Temporal.Duration.from({ minutes: 1 }) },
    )
    assert.equal((await bearer(`Bearer ${token}`)).status, 403)
  })

  test('is asked for before the body is looked at', async () => {
    assert.equal((await harness.call('POST', '/echo', { as: 'nobody', body: { wrong: true } })).status, 401)
  })
})

test('a caller’s request id is echoed, another is made, also for a call that is refused', async () => {
  const answer = await harness.call('GET', '/whose', { headers: { 'x-request-id': 'call-1' } })
  assert.equal(answer.headers['x-request-id'], 'call-1')
  assert.match(String((await harness.call('GET', '/whose')).headers['x-request-id']), UUID)
  for (const given of ['with space', 'x'.repeat(129)]) {
    const answer = await harness.call('GET', '/whose', { headers: { 'x-request-id': given } })
    assert.match(String(answer.headers['x-request-id']), UUID)
  }
  const refused = await harness.call('GET', '/whose', { as: 'nobody', headers: { 'x-request-id': 'call-2' } })
  assert.equal(refused.headers['x-request-id'], 'call-2')
})

test('a call without a body may name the type of one, as clients do with every call; one that has a body needs it', async () => {
  const headers = { 'content-type': 'application/json' }
  assert.equal((await harness.call('DELETE', '/gone', { headers })).status, 204)
  assert.equal((await harness.call('DELETE', '/gone', { headers, body: '{' })).status, 400)
  const empty = await harness.call('POST', '/echo', { headers, body: '' })
  assert.deepEqual([empty.status, empty.body.code], [400, 'request/malformed'])
})

test('cents are JSON integers whatever their size, also where they may be null, and times are text', async () => {
  const { text } = await harness.call('GET', '/values')
  assert.equal(
    text,
    '{"data":{"total_cents":9007199254740993,"paid_cents":null,"owed_cents":-9007199254740993,' +
      '"at":"2026-05-01T03:00:00Z","day":"2026-05-01","ended":"2026-05-02T03:00:00Z"}}',
  )
})

test('a long call tells how far it is while it is under way, by the id that its caller gave it', async () => {
  const about = () => harness.call('GET', '/progress/call-1')
  assert.equal((await about()).status, 404)
  const answer = harness.call('GET', '/long', { headers: { 'x-request-id': 'call-1' } })
  await half_way.promise
  assert.deepEqual((await about()).body, { data: { done: 1, total: 2 } })
  assert.equal((await harness.call('GET', '/progress/call-1', { as: 'meter' })).status, 403)
  go_on.resolve()
  assert.equal((await answer).status, 200)
  assert.equal((await about()).status, 404)
})

test('a bug is answered as an internal error that tells nothing', async () => {
  for (const path of ['/broken', '/misleading']) {
    const answer = await harness.call('GET', path)
    assert.equal(answer.status, 500)
    assert.equal(answer.body.code, 'internal')
    assert.doesNotMatch(answer.text, /hunter2/)
  }
})

test('a route that does not say who may call it is refused at start', async () => {
  await assert.rejects(
    () => testHttp(() => [open], { db: harness.db }),
    /GET \/api\/v1\/open does not say who may call it/,
  )
})

describe('operations', () => {
  test('the API describes itself in OpenAPI 3.1', async () => {
    const { status, body } = await harness.call('GET', '/api/../openapi.json')
    assert.equal(status, 200)
    assert.match(body.openapi, /^3\.1\./)
    assert.equal(body.paths['/api/v1/values'].get.summary, 'Values of each kind')
    assert.equal(body.paths['/healthz'], undefined)
    const { properties } = body.paths['/api/v1/values'].get.responses['200'].content['application/json'].schema
    assert.equal(properties.data.properties.total_cents.type, 'integer')
  })

  test('the documentation is a page', async () => {
    const answer = await inject('/docs')
    assert.equal(answer.statusCode, 200)
    assert.match(String(answer.headers['content-type']), /^text\/html/)
  })

  test('a path that leaves the files of the documentation leads to nothing', async () => {
    for (const path of ['/docs/static/..%5c', '/docs/static/%00', '/docs/static/..%2f..%2fpackage.json']) {
      const answer = await inject(path)
      assert.deepEqual([answer.statusCode, answer.json().code], [404, 'request/not-found'], path)
    }
  })

  test('a part or a version that a file of the documentation does not have is refused as a mistake of the caller', async () => {
    for (const headers of [{ range: 'bytes=9999999999-' }, { 'if-match': '"another"' }] as const) {
      const answer = await harness.app.inject({ url: '/docs/static/swagger-ui.css', headers })
      assert.deepEqual([answer.statusCode, answer.json().code], [400, 'request/malformed'], JSON.stringify(headers))
    }
  })

  test('what is no request of HTTP, or has headers without end, is told so in the form of every refusal', async () => {
    const { port } = new URL(await harness.app.listen({ host: '127.0.0.1', port: 0 }))
    const sent = async (bytes: string): Promise<string> => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(bytes)
      return text(socket)
    }
    for (const [bytes, status, code] of [
      ['no request\r\n\r\n', '400 Bad Request', 'request/malformed'],
      [
        `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}`,
        '431 Request Header',
        'request/headers-too-large',
      ],
    ] as const) {
      const [head = '', body = ''] = (await sent(bytes)).split('\r\n\r\n')
      assert.ok(head.startsWith(`HTTP/1.1 ${status}`), head)
      assert.match(head, /Content-Type: application\/problem\+json/)
      assert.equal(JSON.parse(body).code, code)
    }
  })

  test('no answer is guessed at or framed, and only the documentation runs anything: what is served here', async () => {
    for (const path of [
      '/healthz',
      '/openapi.json',
      '/api/v1/whose',
      '/nothing',
      '/docs',
      '/docs/static/swagger-ui.css',
    ]) {
      const { headers } = await inject(path)
      assert.equal(headers['x-content-type-options'], 'nosniff', path)
      assert.equal(headers['x-frame-options'], 'DENY', path)
      assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/, path)
      const scripts = /script-src ([^;]*)/.exec(String(headers['content-security-policy']))?.[1]
      assert.equal(scripts, path.startsWith('/docs') ? "'self'" : undefined, path)
    }
  })

  test('the program is healthy when it answers', async () => {
    assert.deepEqual((await inject('/healthz')).json(), { status: 'ok' })
  })

  test('the program is ready, or says why it is not', async () => {
    assert.deepEqual((await inject('/readyz')).json(), { status: 'ready' })
    const { app } = await testHttp(() => [], { db: harness.db, ready: behind })
    const answer = await app.inject('/readyz')
    assert.equal(answer.statusCode, 503)
    assert.equal(answer.json().detail, '2 migrations are not applied.')
    await app.close()
  })

  test('metrics are served to this machine only', async () => {
    await harness.call('GET', '/whose')
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      const answer = await inject('/metrics', address)
      assert.equal(answer.statusCode, 200, address)
      assert.match(answer.body, /arcadia_http_request_duration_seconds_count\{.*route="\/api\/v1\/whose"/)
    }
    for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '2001:db8::1']) {
      assert.equal((await inject('/metrics', address)).statusCode, 404, address)
    }
    for (const name of ['forwarded', 'x-forwarded-for', 'x-real-ip']) {
      const forwarded = { url: '/metrics', remoteAddress: '127.0.0.1', headers: { [name]: '10.0.0.7' } }
      assert.equal((await harness.app.inject(forwarded)).statusCode, 404, name)
    }
  })

  test('metrics can be opened', async () => {
    const { app } = await testHttp(() => [], { db: harness.db, metrics_open: true })
    assert.equal((await app.inject({ url: '/metrics', remoteAddress: '10.0.0.7' })).statusCode, 200)
    await app.close()
  })
})

function key(secret: string): Uint8Array {
  return new TextEncoder().encode(secret)
}

function claims(alg = 'HS256'): SignJWT {
  return new SignJWT({ roles: ['platform_admin'] }).setProtectedHeader({ alg }).setSubject('me')
}

function open(app: App): void {
  app.get('/open', async () => ({}))
}

async function behind(): Promise<void> {
  throw schemaMismatch('2 migrations are not applied.')
}

function inject(url: string, remoteAddress = '127.0.0.1') {
  return harness.app.inject({ url, remoteAddress })
}

/** Seconds since the epoch, `offset` from the frozen clock. */
function seconds(offset: number): number {
  return harness.clock.now().epochMilliseconds / 1_000 + offset
}

function bearer(authorization: string | undefined) {
  return harness.call('GET', '/whose', { as: 'nobody', headers: authorization === undefined ? {} : { authorization } })
}
