import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { memoryDatabase } from '../../../test/support/database.ts'
import { type As, testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { changedLlmWindows, llmUsageInvariants, llmUsageRoutes, readLlmCharges } from './index.ts'

const WEB = '11111111-1111-4111-8111-111111111111'
const API = '22222222-2222-4222-8222-222222222222'
const SHOP = '33333333-3333-4333-8333-333333333333'
const CREATED = Temporal.Instant.from('2026-01-01T00:00:00Z')
const NOW = '2026-05-02T06:00:00Z'

const statements: string[] = []
let harness: Awaited<ReturnType<typeof testHttp>>

before(async () => {
  const db = await memoryDatabase({ on_query: (text) => statements.push(text) })
  harness = await testHttp((edge) => [llmUsageRoutes(edge)], { db, now: NOW })
  await harness.db.transaction(async (tx) => {
    const tenant = {
      legal_name: 'X',
      country: 'AU',
      tax_treatment: 'exempt',
      created_at: CREATED,
      updated_at: CREATED,
    } as const
    await tx
      .insertInto('tenants.tenant')
      .values([
        { ...tenant, id: 't_1', currency: 'USD', timezone: 'Australia/Sydney' },
        { ...tenant, id: 't_2', currency: 'EUR', timezone: 'UTC' },
      ])
      .execute()
    const deployment = {
      display_name: 'x',
      llm_mode: 'off',
      state: 'active',
      billing_action_suspended: false,
      created_at: CREATED,
      updated_at: CREATED,
    } as const
    await tx
      .insertInto('deployments.deployment')
      .values([
        { ...deployment, id: WEB, tenant_id: 't_1', slug: 'web' },
        { ...deployment, id: API, tenant_id: 't_1', slug: 'api' },
        { ...deployment, id: SHOP, tenant_id: 't_2', slug: 'shop' },
      ])
      .execute()
  })
})
after(() => harness.close())
beforeEach(async () => {
  harness.clock.set(NOW)
  await harness.db.transaction((tx) => tx.deleteFrom('llm_usage.event').execute())
})

let count = 0
function event(changes: Record<string, unknown> = {}): Record<string, unknown> {
  count += 1
  return {
    gateway_id: 'gateway',
    gateway_request_id: `req_${count}`,
    occurred_at: '2026-05-01T10:11:12.345Z',
    tenant_id: 't_1',
    deployment_id: WEB,
    provider: 'anthropic',
    model: 'm-1',
    usage: { input_tokens: 1200, output_tokens: 340 },
    charge: '0.0123456789',
    currency: 'USD',
    upstream_cost: '0.0101',
    price_version: '2026-04-01',
    adjusts: null,
    tags: { team: 'a' },
    ...changes,
  }
}

const send = (body: unknown, as: As = 'gateway') => harness.call('POST', '/integrations/llm-usage', { body, as })

async function sendBatch(events: unknown[]) {
  const answer = await send({ events })
  assert.equal(answer.status, 200, answer.text)
  return answer.body.data.results
}

async function chargesOf(query: string): Promise<string[]> {
  const { sums } = await list(query)
  return sums.map((sum: { charge: string }) => sum.charge)
}

async function statementsOf(events: unknown[]): Promise<number> {
  statements.length = 0
  await sendBatch(events)
  return statements.length
}

async function list(query = '', as: As = 'operator') {
  const answer = await harness.call('GET', `/llm-usage${query}`, { as })
  assert.equal(answer.status, 200, answer.text)
  return answer.body
}

test('a new event is 201, the same again 200 with the same id, other content 409', async () => {
  const first = event()
  const created = await send(first)
  assert.deepEqual([created.status, created.body.data.duplicate, created.body.data.held], [201, false, false])
  const again = await send({ ...first, charge: '0.01234567890', occurred_at: '2026-05-01T20:11:12.345+10:00' })
  assert.deepEqual([again.status, again.body.data], [200, { ...created.body.data, duplicate: true }])
  for (const changes of [
    { charge: '0.02' },
    { charge: null },
    { model: 'm-2' },
    { usage: {} },
    { tags: {} },
    { upstream_cost: null },
  ]) {
    const answer = await send({ ...first, ...changes })
    assert.deepEqual([answer.status, answer.body.code], [409, 'llm-usage/conflict'], JSON.stringify(changes))
  }
  assert.deepEqual((await list()).sums, [
    {
      provider: 'anthropic',
      model: 'm-1',
      currency: 'USD',
      event_count: 1,
      charge: '0.0123456789',
      held_count: 0,
      byok_count: 0,
    },
  ])
})

test('an event without a charge is held, counted apart, and released by its charge', async () => {
  const held = event({ charge: null, upstream_cost: null, price_version: null })
  const first = await send(held)
  assert.deepEqual([first.status, first.body.data.duplicate, first.body.data.held], [202, false, true])
  const { id } = first.body.data
  const again = await send(held)
  assert.deepEqual([again.status, again.body.data], [200, { id, duplicate: true, held: true }])
  await send(event({ charge: '1' }))
  const sums = { provider: 'anthropic', model: 'm-1', currency: 'USD', event_count: 2, byok_count: 0 }
  assert.deepEqual((await list()).sums, [{ ...sums, charge: '1', held_count: 1 }])
  assert.deepEqual(
    (await list('?held=true')).data.map((row: { id: string; charge: null }) => [row.id, row.charge]),
    [[id, null]],
  )

  assert.equal((await send({ ...held, charge: '2', model: 'm-2' })).status, 409)
  const released = await send({ ...held, charge: '2', price_version: '2026-05-01' })
  assert.deepEqual([released.status, released.body.data], [201, { id, duplicate: false, held: false }])
  assert.deepEqual((await list()).sums, [{ ...sums, charge: '3', held_count: 0 }])
  assert.equal((await send({ ...held, charge: '2', price_version: '2026-05-01' })).status, 200)
  assert.equal((await send({ ...held, charge: '3' })).status, 409)
  assert.equal((await send(held)).status, 409)
})

const refusals: [string, Record<string, unknown>, string, string][] = [
  ['a charge as a number', { charge: 0.01 }, 'llm-usage/invalid-event', 'charge'],
  ['a charge of 21 places', { charge: '1E-21' }, 'llm-usage/invalid-event', 'charge'],
  ['a charge in words', { charge: 'free' }, 'llm-usage/invalid-event', 'charge'],
  ['a count in words', { usage: 'many' }, 'llm-usage/invalid-event', 'usage'],
  ['a time of long ago', { occurred_at: '2019-05-02T07:00:00Z' }, 'llm-usage/invalid-event', 'occurred_at'],
  ['no charge at all', { charge: undefined }, 'llm-usage/invalid-event', 'charge'],
  ['an upstream cost as a number', { upstream_cost: 1 }, 'llm-usage/invalid-event', 'upstream_cost'],
  ['a negative charge', { charge: '-0.01' }, 'llm-usage/invalid-event', 'charge'],
  ['an unknown field', { note: 'x' }, 'llm-usage/invalid-event', 'note'],
  ['a time that is none', { occurred_at: 'yesterday' }, 'llm-usage/invalid-event', 'occurred_at'],
  ['a time before 1900', { occurred_at: '0000-05-02T07:00:00Z' }, 'llm-usage/invalid-event', 'occurred_at'],
  ['a charge of 16 digits', { charge: '9'.repeat(16) }, 'llm-usage/invalid-event', 'charge'],
  ['a time in the future', { occurred_at: '2026-05-02T07:00:00.001Z' }, 'llm-usage/invalid-event', 'occurred_at'],
  ['NUL in a text', { model: 'a\u0000' }, 'llm-usage/invalid-event', 'model'],
  ['half a surrogate pair in a tag', { tags: { a: '\ud83d' } }, 'llm-usage/invalid-event', ''],
  ['another currency', { currency: 'EUR' }, 'llm-usage/wrong-currency', 'currency'],
  ['an unknown adjusted request', { adjusts: 'req_0', charge: '-1' }, 'llm-usage/unknown-adjusted-request', 'adjusts'],
]
for (const [name, changes, code, path] of refusals) {
  test(`${name} is refused with its path, and nothing is stored`, async () => {
    const answer = await send(event(changes))
    assert.deepEqual([answer.status, answer.body.code, answer.body.errors[0].path], [422, code, path], answer.text)
    assert.deepEqual((await list()).data, [])
  })
}

test('charges with exponents are summed exactly, and one in another spelling is the same event', async () => {
  const sent = ['2e-05', '1E-7', '1.5E-06'].map((charge) => event({ charge, upstream_cost: '1e-6' }))
  await sendBatch(sent)
  assert.deepEqual(await chargesOf(''), ['0.0000216'])
  const [result] = await sendBatch([{ ...sent[0], charge: '0.00002', upstream_cost: '0.000001' }])
  assert.equal(result.status, 'duplicate')
})

test('no token count costs an event: what was counted is kept as it was sent', async () => {
  const counts = [
    { input_tokens: null, output_tokens: 0.5, prompt_tokens_details: { cached_tokens: 5 } },
    { input_tokens: -3, notes: ['estimated'], model_counts: [{ 'a-model': 1 }] },
    null,
    undefined,
  ]
  await sendBatch(counts.map((usage) => event({ usage, charge: '1' })))
  assert.deepEqual(await chargesOf(''), ['4'])
  const { data } = await list()
  for (const usage of counts) {
    assert.ok(
      data.some((row: { usage: unknown }) => isDeepStrictEqual(row.usage, usage ?? {})),
      JSON.stringify(usage),
    )
  }
})

test('a refusal of an event says what is expected there, and why', async () => {
  const expected: [Record<string, unknown>, RegExp][] = [
    [{ charge: 0.01 }, /charge must be a decimal as text, such as "0.01": a JSON number may have lost digits/],
    [{ upstream_cost: 1e-7 }, /upstream_cost must be a decimal as text, such as "0.0000001"/],
    [{ charge: '1E-21' }, /charge must have at most 15 digits before the point and 20 after it/],
    [{ gateway_request_id: undefined }, /gateway_request_id is required: an event that comes twice counts once/],
    [{ occurred_at: 1759658400 }, /occurred_at must be a time such as 2026-10-05T10:00:00Z, not a number/],
    [
      { occurred_at: '2026-05-03T00:00:00Z' },
      /must not lie in the future: .* by an hour, and here it is 2026-05-02T06:00:00Z/,
    ],
    [{ occurred_at: '2019-05-01T00:00:00Z' }, /must not be before 2021-05-03T06:00:00Z: what is older than 5 years/],
  ]
  for (const [changes, message] of expected) assert.match((await send(event(changes))).body.detail, message)
})

test('the operator is told whose a deployment is that was sent as another’s, and a gateway is not', async () => {
  const strange = event({ deployment_id: SHOP })
  assert.match(
    (await send(strange, 'operator')).body.detail,
    new RegExp(`no deployment ${SHOP}\\. It belongs to tenant t_2\\.`),
  )
  assert.doesNotMatch((await send(strange)).body.detail, /t_2/)
})

test('a gateway sends for every tenant, whatever tenant its token names, but for one to which it is limited', async () => {
  const of_both = () => [event(), event({ tenant_id: 't_2', deployment_id: SHOP, currency: 'EUR' })]
  const statuses = async (claims: object) => {
    const headers = { authorization: `Bearer ${harness.tokenWith({ sub: 'gw', roles: ['gateway'], ...claims })}` }
    const { body } = await harness.call('POST', '/integrations/llm-usage', {
      as: 'nobody',
      headers,
      body: { events: of_both() },
    })
    return body.data.results.map(({ status }: { status: string }) => status)
  }
  assert.deepEqual(await statuses({ tenant_id: 'platform-admin' }), ['created', 'created'])
  assert.deepEqual(await statuses({ tenant_id: 't_2' }), ['created', 'created'])
  assert.deepEqual(await statuses({ tenant_id: 'platform-admin', only_tenant_id: 't_2' }), ['rejected', 'created'])
})

test('a batch of which nothing is accepted is 422 with the reason of each; one of duplicates is 200', async () => {
  const known = event()
  await send(known)
  const refused = await send({ events: [{ ...known, charge: '9' }, event({ charge: 1 }), null] })
  assert.deepEqual([refused.status, refused.body.code], [422, 'llm-usage/nothing-accepted'])
  assert.deepEqual(
    refused.body.results.map((row: Record<string, unknown>) => [row['index'], row['gateway_request_id'], row['code']]),
    [
      [0, known['gateway_request_id'], 'llm-usage/conflict'],
      [1, `req_${count}`, 'llm-usage/invalid-event'],
      [2, null, 'llm-usage/invalid-event'],
    ],
  )
  assert.ok(
    refused.body.results.every(({ detail }: { detail: string }) => refused.body.detail.length > 0 && detail.length > 0),
  )
  const [again] = await sendBatch([known])
  assert.equal(again.status, 'duplicate')
})

test('an unknown deployment, an unknown tenant and another tenant’s deployment are one refusal', async () => {
  for (const changes of [
    { deployment_id: CREATED.toString() },
    { deployment_id: SHOP },
    { tenant_id: 't_2' },
    { tenant_id: 't_9' },
  ]) {
    const answer = await send(event(changes))
    assert.deepEqual([answer.status, answer.body.code], [422, 'llm-usage/unknown-deployment'], JSON.stringify(changes))
  }
})

test('a clock that is up to an hour ahead is let pass', async () => {
  assert.equal((await send(event({ occurred_at: '2026-05-02T07:00:00Z' }))).status, 201)
})

test('an adjustment may be negative when the request that it names is of the same deployment', async () => {
  await send(event({ gateway_request_id: 'original', charge: '5' }))
  assert.equal((await send(event({ adjusts: 'original', charge: '-2' }))).status, 201)
  assert.equal((await send(event({ adjusts: 'original', charge: '-2', deployment_id: API }))).status, 422)
  assert.equal((await send(event({ adjusts: 'original', charge: '-2', gateway_id: 'other' }))).status, 422)
  assert.equal((await list()).sums[0].charge, '3')
})

test('one bad event of a batch spoils no other, and each has its result', async () => {
  const known = event()
  const { id } = (await send(known)).body.data
  const held = event({ charge: null })
  const results = await sendBatch([
    known,
    { ...known, charge: '9' },
    event({ charge: 1 }),
    null,
    held,
    { ...held, charge: '4' },
    { ...held, charge: '5' },
    event({ gateway_request_id: 'late_original' }),
    event({ adjusts: 'late_original', charge: '-1' }),
    event({ adjusts: 'req_later', charge: '-1' }),
    event({ gateway_request_id: 'req_later' }),
  ])
  assert.deepEqual(
    results.map(({ index, status, code }: Record<string, unknown>) =>
      [index, status, code].filter((part) => part !== undefined),
    ),
    [
      [0, 'duplicate'],
      [1, 'rejected', 'llm-usage/conflict'],
      [2, 'rejected', 'llm-usage/invalid-event'],
      [3, 'rejected', 'llm-usage/invalid-event'],
      [4, 'held'],
      [5, 'created'],
      [6, 'rejected', 'llm-usage/conflict'],
      [7, 'created'],
      [8, 'created'],
      [9, 'rejected', 'llm-usage/unknown-adjusted-request'],
      [10, 'created'],
    ],
  )
  assert.equal(results[0].id, id)
  assert.equal(results[4].id, results[5].id)
  assert.match(results[2].detail, /charge/)
  assert.equal((await list()).sums[0].held_count, 0)
})

test('a thousand events take as few statements as two, and more are refused', async () => {
  const few = await statementsOf([event(), event()])
  assert.equal(await statementsOf(Array.from({ length: 1_000 }, () => event())), few)
  for (const body of [
    { events: Array.from({ length: 1_001 }, () => event()) },
    { events: [] },
    { events: [event()], more: 1 },
    [],
  ]) {
    assert.equal((await send(body)).status, 422)
  }
})

test('events are sent by the operator and by gateways only', async () => {
  assert.equal((await send(event(), 'nobody')).status, 401)
  assert.equal((await send(event(), 'meter')).status, 403)
  assert.equal((await send(event(), { tenant: 't_1' })).status, 403)
  assert.equal((await send(event(), 'operator')).status, 201)
})

test('a tenant sees its own events only, whatever it asks for', async () => {
  await sendBatch([event(), event({ tenant_id: 't_2', deployment_id: SHOP, currency: 'EUR' })])
  const own = await list('', { tenant: 't_1' })
  assert.deepEqual([own.data.length, own.data[0].tenant_id, own.sums.length], [1, 't_1', 1])
  const other = await list(`?deployment_id=${SHOP}`, { tenant: 't_1' })
  assert.deepEqual([other.data, other.sums, other.next_cursor], [[], [], null])
  assert.equal((await list()).data.length, 2)
})

test('what an event costs the operator is not shown to the tenant', async () => {
  await send(event())
  const [seen] = (await list('', { tenant: 't_1' })).data
  assert.deepEqual([seen.upstream_cost, seen.price_version], [undefined, undefined])
  const [whole] = (await list()).data
  assert.deepEqual([whole.upstream_cost, typeof whole.price_version], ['0.0101', 'string'])
  assert.equal(seen.charge, whole.charge)
})

test('a month is that of each tenant’s zone', async () => {
  await sendBatch([
    event({ occurred_at: '2026-04-30T13:59:59.9999999Z', charge: '1' }),
    event({ occurred_at: '2026-04-30T14:00:00Z', charge: '2' }),
    event({ occurred_at: '2026-04-30T14:00:00Z', charge: '4', tenant_id: 't_2', deployment_id: SHOP, currency: 'EUR' }),
  ])
  assert.deepEqual(await chargesOf('?period=2026-04'), ['4', '1'])
  assert.deepEqual(await chargesOf('?period=2026-05-09'), ['2'])
})

test('pages hold every event once, the latest first', async () => {
  const ids: string[] = []
  await sendBatch(
    [9, 9, 10, 8, 9].map((hour) => event({ occurred_at: `2026-05-01T${String(hour).padStart(2, '0')}:00:00Z` })),
  )
  let cursor = ''
  for (;;) {
    const page = await list(`?limit=2${cursor}`)
    ids.push(...page.data.map((row: { id: string }) => row.id))
    assert.equal(page.sums[0].event_count, 5)
    if (page.next_cursor === null) break
    cursor = `&cursor=${page.next_cursor}`
  }
  assert.equal(new Set(ids).size, 5)
  const { data } = await list('?limit=200')
  assert.deepEqual(
    data.map((row: { id: string }) => row.id),
    ids,
  )
  assert.deepEqual([data[0].occurred_at, data[4].occurred_at], ['2026-05-01T10:00:00Z', '2026-05-01T08:00:00Z'])
})

test('an unreadable question is refused', async () => {
  const forged = Buffer.from(JSON.stringify(['never', 'x'])).toString('base64url')
  for (const query of [
    '?deployment_id=web',
    '?period=April',
    '?period=0000-01',
    '?limit=0',
    '?limit=201',
    '?cursor=x',
    `?cursor=${forged}`,
    '?model=m',
  ]) {
    assert.equal((await harness.call('GET', `/llm-usage${query}`)).status, 422, query)
  }
})

test('charges of many windows are summed exactly and at once; held ones are counted, not summed', async () => {
  await sendBatch([
    ...Array.from({ length: 10 }, () => event({ charge: '0.1' })),
    event({ charge: null }),
    event({ charge: '0.00000000000000000001', deployment_id: API }),
  ])
  const day = {
    start: Temporal.Instant.from('2026-05-01T00:00:00Z'),
    end: Temporal.Instant.from('2026-05-02T00:00:00Z'),
  }
  const charges = await readLlmCharges(harness.db.read, [
    { key: 'web', tenant_id: 't_1', deployment_id: WEB, ...day },
    { key: 'api', tenant_id: 't_1', deployment_id: API, ...day },
    { key: 'later', tenant_id: 't_1', deployment_id: WEB, start: day.end, end: day.end.add({ hours: 24 }) },
    { key: 'other', tenant_id: 't_2', deployment_id: WEB, ...day },
  ])
  assert.deepEqual(Object.fromEntries(charges), {
    web: { charge: '1', event_count: 11, held_count: 1 },
    api: { charge: '0.00000000000000000001', event_count: 1, held_count: 0 },
  })
})

test('an event by the tenant’s own key is recorded, and neither charged nor held, whatever charge it has', async () => {
  const mode = (llm_mode: 'byok' | 'metered') =>
    harness.db.transaction((tx) =>
      tx.updateTable('deployments.deployment').set({ llm_mode }).where('id', '=', API).execute(),
    )
  const [priced, unpriced, earlier] = [
    event({ deployment_id: API, charge: '5' }),
    event({ deployment_id: API, charge: null }),
    event({ deployment_id: API, charge: '7' }),
  ]
  await send(earlier)
  await mode('byok')
  const answers = [await send(priced), await send(unpriced), await send(unpriced)]
  await mode('metered')
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.data.held]),
    [
      [201, false],
      [201, false],
      [200, false],
    ],
  )
  assert.equal((await send(priced)).body.data.duplicate, true)
  const { data, sums } = await list()
  assert.deepEqual(data.map((row: { byok: boolean; charge: string | null }) => [row.byok, row.charge]).toSorted(), [
    [false, '7'],
    [true, null],
    [true, '5'],
  ])
  assert.deepEqual(
    sums.map(({ event_count, charge, held_count, byok_count }: Record<string, unknown>) => [
      event_count,
      charge,
      held_count,
      byok_count,
    ]),
    [[3, '7', 0, 2]],
  )
  assert.deepEqual((await list('?held=true')).data, [])
  const start = Temporal.Instant.from('2026-05-01T00:00:00Z')
  const window = { key: 'api', tenant_id: 't_1', deployment_id: API, start, end: start.add({ hours: 24 }) }
  const charges = await readLlmCharges(harness.db.read, [window])
  assert.deepEqual(charges.get('api'), { charge: '7', event_count: 1, held_count: 0 })
})

test('a charge in another currency than the tenant’s is never added to its charges', async () => {
  await sendBatch([event({ charge: '1' }), event({ charge: '2', gateway_request_id: 'other' })])
  await harness.db.transaction((tx) =>
    tx.updateTable('llm_usage.event').set({ currency: 'EUR' }).where('gateway_request_id', '=', 'other').execute(),
  )
  const start = Temporal.Instant.from('2026-05-01T00:00:00Z')
  const window = { key: 'web', tenant_id: 't_1', deployment_id: WEB, start, end: start.add({ hours: 24 }) }
  const charges = await readLlmCharges(harness.db.read, [window])
  assert.deepEqual(charges.get('web'), { charge: '1', event_count: 2, held_count: 1 })
})

test('a late event and a late charge both show that a window has changed', async () => {
  const held = event({ charge: null })
  await send(held)
  const since = Temporal.Instant.from('2026-05-03T00:00:00Z')
  const may = {
    start: Temporal.Instant.from('2026-05-01T00:00:00Z'),
    end: Temporal.Instant.from('2026-06-01T00:00:00Z'),
  }
  const changed = async () => [
    ...(await changedLlmWindows(harness.db.read, [
      { key: 't_1', tenant_id: 't_1', ...may, since, seen: null },
      { key: 't_2', tenant_id: 't_2', ...may, since, seen: null },
      { key: 'june', tenant_id: 't_1', start: may.end, end: may.end.add({ hours: 24 }), since, seen: null },
    ])),
  ]
  assert.deepEqual(await changed(), [])
  harness.clock.set('2026-05-03T00:00:00Z')
  await send({ ...held, charge: '1' })
  assert.deepEqual(await changed(), ['t_1'])
})

test('the stored events keep the promises of the audit, and broken ones are found', async () => {
  await send(event({ gateway_request_id: 'audited' }))
  await send(event({ adjusts: 'audited', charge: '-0.01' }))
  const broken = async () =>
    (await runAudit(harness.db.read, llmUsageInvariants)).filter(({ ok }) => !ok).map(({ name }) => name)
  assert.deepEqual(await broken(), [])
  await harness.db.transaction((tx) =>
    tx.updateTable('llm_usage.event').set({ currency: 'EUR', adjusts: 'gone' }).execute(),
  )
  assert.deepEqual(await broken(), [
    'llm-usage.charges-are-in-the-currency-of-the-tenant',
    'llm-usage.adjustments-have-their-request',
  ])
})
