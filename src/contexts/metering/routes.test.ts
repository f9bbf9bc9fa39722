import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { insertRows, within } from '../../platform/db.ts'
import { runAudit } from '../../platform/audit.ts'
import { memoryDatabase } from '../../../test/support/database.ts'
import { testHttp } from '../../../test/support/http.ts'
import { meteringInvariants, meteringRoutes } from './index.ts'

const WEB = '11111111-1111-4111-8111-111111111111'
const SHOP = '22222222-2222-4222-8222-222222222222'
const CREATED = Temporal.Instant.from('2026-01-01T00:00:00Z')

const statements: string[] = []
let harness: Awaited<ReturnType<typeof testHttp>>

before(async () => {
  const db = await memoryDatabase({ on_query: (text) => statements.push(text) })
  harness = await testHttp((edge) => [meteringRoutes(edge)], { db, now: '2026-05-02T06:00:00Z' })
  await harness.db.transaction(async (tx) => {
    const tenant = {
      legal_name: 'X',
      country: 'AU',
      currency: 'AUD',
      tax_treatment: 'exempt',
      created_at: CREATED,
      updated_at: CREATED,
    } as const
    await tx
      .insertInto('tenants.tenant')
      .values([
        { ...tenant, id: 't_1', timezone: 'Australia/Sydney' },
        { ...tenant, id: 't_2', timezone: 'UTC' },
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
        { ...deployment, id: SHOP, tenant_id: 't_2', slug: 'shop' },
      ])
      .execute()
    const meter = { name: 'x', unit: 'call', created_at: CREATED }
    await tx
      .insertInto('catalog.meter')
      .values([
        { ...meter, code: 'api_calls', aggregation: 'sum' },
        { ...meter, code: 'requests', aggregation: 'count' },
        { ...meter, code: 'seats', aggregation: 'max' },
        { ...meter, code: 'plan_size', aggregation: 'last' },
        { ...meter, code: 'users', aggregation: 'unique_count', unique_property: 'user' },
        { ...meter, code: 'load', aggregation: 'time_weighted_sum' },
      ])
      .execute()
  })
})
after(() => harness.close())
beforeEach(() => harness.db.transaction((tx) => tx.deleteFrom('metering.usage_event').execute()))

let count = 0
function event(changes: Record<string, unknown> = {}) {
  count += 1
  return {
    id: `e${count}`,
    deployment_id: WEB,
    meter: 'api_calls',
    quantity: '1',
    occurred_at: '2026-05-01T12:00:00Z',
    ...changes,
  }
}

async function send(events: unknown[], options: object = {}) {
  const answer = await harness.call('POST', '/usage/events', { body: { events }, ...options })
  assert.equal(answer.status, 200, answer.text)
  return answer.body.data
}

function post(type: string, body: unknown) {
  return harness.call('POST', '/usage/events', { body: JSON.stringify(body), headers: { 'content-type': type } })
}

async function statementsOf(events: unknown[]): Promise<number> {
  statements.length = 0
  await send(events)
  return statements.length
}

function minute(minute: number): string {
  return `2026-05-01T12:${String(minute).padStart(2, '0')}:00Z`
}

async function usage(query = '', as: 'operator' | { tenant: string } = 'operator') {
  const answer = await harness.call('GET', `/deployments/${WEB}/usage${query}`, { as })
  assert.equal(answer.status, 200, answer.text)
  return answer.body.data
}

test('an event sent again is a duplicate and counts once, however its content is spelled', async () => {
  const first = event({ source: 'edge', quantity: '1.50', properties: { a: 1, b: 'c', d: null } })
  assert.deepEqual(await send([first]), { accepted: 1, duplicates: 0, rejected: [] })
  const again = {
    ...first,
    quantity: '1.5',
    occurred_at: '2026-05-01T22:00:00.000+10:00',
    properties: { d: null, b: 'c', a: 1 },
  }
  assert.deepEqual(await send([again]), { accepted: 0, duplicates: 1, rejected: [] })
  assert.deepEqual((await usage()).meters, [{ meter: 'api_calls', unit: 'call', quantity: '1.5' }])
})

test('the same id with other content is a conflict and the first content stays', async () => {
  const first = event({ quantity: '2' })
  await send([first])
  const { accepted, rejected } = await send([{ ...first, quantity: '3' }, event({ meter: 'requests' })])
  assert.deepEqual([accepted, rejected.length], [1, 1])
  assert.deepEqual([rejected[0].index, rejected[0].id, rejected[0].code], [0, first.id, 'metering/conflict'])
  assert.deepEqual((await usage()).meters[0].quantity, '2')
})

test('repeats inside one batch are judged against the first of them', async () => {
  const first = event()
  const { accepted, duplicates, rejected } = await send([first, first, { ...first, quantity: '9' }])
  assert.deepEqual([accepted, duplicates], [1, 1])
  assert.deepEqual([rejected[0].index, rejected[0].code], [2, 'metering/conflict'])
})

test('an event without a source is the same event whoever sends it', async () => {
  const first = event()
  await send([first])
  assert.deepEqual(await send([first], { as: 'meter' }), { accepted: 0, duplicates: 1, rejected: [] })
})

test('a batch of which nothing is accepted is 422 with the reason of each; one of duplicates is 200', async () => {
  const first = event()
  await send([first])
  const refused = await harness.call('POST', '/usage/events', {
    body: { events: [{ ...first, quantity: '3' }, event({ meter: 'nothing' }), event({ id: undefined }), null] },
  })
  assert.deepEqual([refused.status, refused.body.code], [422, 'metering/nothing-accepted'])
  assert.deepEqual(
    refused.body.rejected.map(({ index, id, code }: Record<string, unknown>) => [index, id, code]),
    [
      [0, first.id, 'metering/conflict'],
      [1, `e${count - 1}`, 'metering/unknown-meter'],
      [2, null, 'metering/invalid-event'],
      [3, null, 'metering/invalid-event'],
    ],
  )
  assert.match(refused.body.detail, new RegExp(`^Event 0 \\(${first.id}\\): Event ${first.id} of api is known`))
  assert.match(refused.body.rejected[1].detail, /There is no meter nothing/)
  assert.deepEqual(await send([first, first]), { accepted: 0, duplicates: 2, rejected: [] })
})

test('a meter sends for every tenant, whatever tenant its token names, but for one to which it is limited', async () => {
  const sendAs = async (claims: object) => {
    const token = harness.tokenWith({ sub: 'meter', roles: ['meter'], ...claims })
    const options = { as: 'nobody', headers: { authorization: `Bearer ${token}` } }
    return send([event(), event({ deployment_id: SHOP })], options)
  }
  assert.equal((await sendAs({ tenant_id: 'platform-admin' })).accepted, 2)
  assert.equal((await sendAs({ tenant_id: 't_1' })).accepted, 2)
  const { accepted, rejected } = await sendAs({ only_tenant_id: 't_1' })
  assert.deepEqual([accepted, rejected.length, rejected[0].code], [1, 1, 'metering/unknown-deployment'])
  assert.match(rejected[0].detail, /of tenant t_1, to which this token is limited/)
  const unreadable = harness.tokenWith({ sub: 'meter', roles: ['meter'], only_tenant_id: ['t_1'] })
  const headers = { authorization: `Bearer ${unreadable}` }
  const { status } = await harness.call('POST', '/usage/events', { as: 'nobody', headers, body: { events: [event()] } })
  assert.equal(status, 401)
})

test('a refusal of an event says what is expected there, and why', async () => {
  const expected: [Record<string, unknown>, RegExp][] = [
    [{ id: undefined }, /id is required: an event that comes twice counts once, and its id is how that is seen/],
    [{ quantity: undefined, value: '5' }, /quantity is required: how much was used is called quantity, not value/],
    [{ quantity: undefined, amount: '5' }, /amount is not a known field: how much was used is called quantity/],
    [{ quantity: 12.5 }, /quantity must be a decimal as text, such as "12.5": a JSON number may have lost digits/],
    [{ quantity: '1e3' }, /quantity must be in plain notation: "1000"/],
    [{ occurred_at: '2026-10-05' }, /occurred_at must be a time such as 2026-10-05T10:00:00Z, not a date alone/],
    [{ occurred_at: 1759658400 }, /occurred_at must be a time such as 2026-10-05T10:00:00Z, not a number/],
    [
      { occurred_at: '2026-05-03T00:00:00Z' },
      /must not lie in the future: .* by an hour, and here it is 2026-05-02T06:00:00Z/,
    ],
    [{ occurred_at: '2019-05-01T00:00:00Z' }, /must not be before 2021-05-03T06:00:00Z: what is older than 5 years/],
  ]
  const { rejected } = await send([...expected.map(([changes]) => event(changes)), event()])
  assert.equal(rejected.length, expected.length)
  for (const [index, [, message]] of expected.entries()) assert.match(rejected[index].detail, message)
  const cloud = { specversion: '1.0', id: 'ce_h', source: '/edge', type: 'users', subject: WEB, time: minute(1) }
  const nested = await post('application/cloudevents+json', {
    ...cloud,
    data: { quantity: '1', properties: { user_id: 'u_1' } },
  })
  assert.equal(nested.status, 422)
  assert.match(nested.body.rejected[0].detail, /properties stand in data itself, such as data\.user_id/)
  const valued = await post('application/cloudevents+json', { ...cloud, data: { value: '1', user: 'u_1' } })
  assert.match(
    valued.body.rejected[0].detail,
    /data\/quantity is required: how much was used is called quantity, not value/,
  )
  const dated = await post('application/cloudevents+json', { ...cloud, time: '2026-05-01', data: { quantity: '1' } })
  assert.match(dated.body.rejected[0].detail, /time must be a time such as 2026-10-05T10:00:00Z, not a date alone/)
})

test('an event of the future is refused, beyond what a clock may be ahead', async () => {
  const later = (minutes: number) => harness.clock.now().add({ minutes }).toString()
  const { accepted, rejected } = await send([event({ occurred_at: later(60) }), event({ occurred_at: later(61) })])
  assert.deepEqual(
    [accepted, rejected.length, rejected[0].index, rejected[0].code],
    [1, 1, 1, 'metering/invalid-event'],
  )
  assert.match(rejected[0].detail, /occurred_at must not lie in the future/)
})

test('the same id from another source is another event', async () => {
  assert.equal((await send([event({ id: 'same', source: 'a' }), event({ id: 'same', source: 'b' })])).accepted, 2)
})

test('one bad event spoils no other, and each refusal says which event and why', async () => {
  const bad: [Record<string, unknown>, string][] = [
    [{ deployment_id: '33333333-3333-4333-8333-333333333333' }, 'metering/unknown-deployment'],
    [{ deployment_id: 'web' }, 'metering/unknown-deployment'],
    [{ meter: 'nothing' }, 'metering/unknown-meter'],
    [{ meter: 'droplet_hours' }, 'metering/derived-meter'],
    [{ meter: 'volume_gb_hours' }, 'metering/derived-meter'],
    [{ meter: 'seats', quantity: '-1' }, 'metering/negative-quantity'],
    [{ meter: 'users' }, 'metering/invalid-event'],
    [{ quantity: 1 }, 'metering/invalid-event'],
    [{ quantity: '1e3' }, 'metering/invalid-event'],
    [{ quantity: '-1' }, 'metering/negative-quantity'],
    [{ id: undefined }, 'metering/invalid-event'],
    [{ id: '' }, 'metering/invalid-event'],
    [{ id: 'nul\u0000' }, 'metering/invalid-event'],
    [{ properties: { half: '\ud800' } }, 'metering/invalid-event'],
    [{ occurred_at: '2026-04-31T00:00:00Z' }, 'metering/invalid-event'],
    [{ occurred_at: '2026-04-30T00:00:00.1234567890123Z' }, 'metering/invalid-event'],
    [{ note: 'x' }, 'metering/invalid-event'],
    [{ occurred_at: '0000-04-30T00:00:00Z' }, 'metering/invalid-event'],
    [{ quantity: '9'.repeat(16) }, 'metering/invalid-event'],
    [{ meter: 'constructor' }, 'metering/unknown-meter'],
  ]
  const events = [...bad.map(([changes]) => event(changes)), null, 'event', event()]
  const { accepted, duplicates, rejected } = await send(events)
  assert.deepEqual([accepted, duplicates], [1, 0])
  assert.deepEqual(
    rejected.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [...bad.map(([, code]) => code), 'metering/invalid-event', 'metering/invalid-event'].map((code, index) => [
      index,
      code,
    ]),
  )
  assert.match(rejected[7].detail, /quantity must be a decimal as text/)
  assert.match(rejected[16].detail, /note is not a known field/)
})

test('a property is a text, a number, true, false or null; a list or an object is refused by its place', async () => {
  const cloud = { specversion: '1.0', id: 'ce', source: '/edge', type: 'api_calls', subject: WEB }
  const data = { quantity: '1', tags: ['a'] }
  const [good, ...bad] = [
    { text: 'a', number: 1.5, yes: true, nothing: null },
    { tags: ['a'] },
    { place: { region: 'syd1' } },
  ].map((properties, index) => event({ id: `p_${index}`, properties }))
  const { accepted, rejected } = await send([good, ...bad])
  assert.equal(accepted, 1)
  assert.deepEqual(
    rejected.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [1, 'metering/invalid-event'],
      [2, 'metering/invalid-event'],
    ],
  )
  assert.match(rejected[0].detail, /properties\/tags must be/)
  assert.match(rejected[1].detail, /properties\/place must be/)
  const { body } = await post('application/cloudevents+json', { ...cloud, time: '2026-05-01T12:00:00Z', data })
  assert.match(body.rejected[0].detail, /data\/tags must be/)
})

test('an event that is nested too deep spoils no other', async () => {
  const deep = JSON.stringify(event({ properties: { deep: 0 } })).replace(
    ':0}',
    `:${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  )
  const body = `{"events":[${deep},${JSON.stringify(event())}]}`
  const answer = await harness.call('POST', '/usage/events', { body, headers: { 'content-type': 'application/json' } })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.body.data.accepted, 1)
  assert.match(answer.body.data.rejected[0].detail, /nested deeper than 32 levels/)
})

test('CloudEvents go into the same table, alone and in a batch', async () => {
  const cloud = {
    specversion: '1.0',
    id: 'ce_1',
    source: '/edge',
    type: 'users',
    subject: WEB,
    time: '2026-05-01T12:00:00Z',
    datacontenttype: 'application/json',
    traceparent: 'an extension',
    data: { quantity: '1', user: 'u_1' },
  }
  const one = await post('application/cloudevents+json; charset=utf-8', cloud)
  assert.deepEqual(one.body.data, { accepted: 1, duplicates: 0, rejected: [] })
  const batch = [
    cloud,
    { ...cloud, id: 'ce_2', data: { quantity: '1', user: 'u_2' } },
    { ...cloud, id: 'ce_3', specversion: '0.3' },
  ]
  const many = await post('application/cloudevents-batch+json', batch)
  assert.deepEqual([many.body.data.accepted, many.body.data.duplicates, many.body.data.rejected[0].index], [1, 1, 2])
  assert.deepEqual((await usage()).meters, [{ meter: 'users', unit: 'call', quantity: '2' }])
  const plain = {
    id: 'ce_1',
    source: '/edge',
    deployment_id: WEB,
    meter: 'users',
    quantity: '1',
    occurred_at: cloud.time,
    properties: { user: 'u_1' },
  }
  assert.equal((await send([plain])).duplicates, 1)
})

test('a body that is no list of events is refused whole', async () => {
  for (const body of [{}, { events: [] }, { events: [event()], more: 1 }, { events: {} }, []]) {
    const answer = await harness.call('POST', '/usage/events', { body })
    assert.deepEqual([answer.status, answer.body.code], [422, 'request/invalid'], JSON.stringify(body))
  }
  assert.equal((await harness.call('POST', '/usage/events')).status, 422)
  for (const [type, status] of [
    ['application/cloudevents-batch+json', 422],
    ['text/plain', 415],
    ['application/xml', 415],
  ] as const) {
    assert.equal((await post(type, {})).status, status, type)
  }
})

test('events are for the operator and for meters', async () => {
  assert.equal((await harness.call('POST', '/usage/events', { as: 'nobody', body: { events: [event()] } })).status, 401)
  assert.equal(
    (await harness.call('POST', '/usage/events', { as: 'gateway', body: { events: [event()] } })).status,
    403,
  )
  assert.equal(
    (await harness.call('POST', '/usage/events', { as: { tenant: 't_1' }, body: { events: [event()] } })).status,
    403,
  )
  assert.equal((await send([event()], { as: 'meter' })).accepted, 1)
})

test('ten thousand events take as few statements as two', async () => {
  const few = await statementsOf([event(), event()])
  const many = await statementsOf(Array.from({ length: 10_000 }, () => event()))
  assert.equal(many, few)
  const answer = await harness.call('POST', '/usage/events', {
    body: { events: Array.from({ length: 10_001 }, () => 0) },
  })
  assert.equal(answer.status, 422)
})

test('each meter is aggregated in its own way', async () => {
  await send([
    ...['0.1', '0.2'].map((quantity) => event({ quantity })),
    ...['5', '7'].map((quantity) => event({ meter: 'requests', quantity })),
    ...['3', '10', '9'].map((quantity) => event({ meter: 'seats', quantity })),
    event({ meter: 'plan_size', id: 'late', quantity: '4', occurred_at: minute(2) }),
    event({ meter: 'plan_size', id: 'later', quantity: '6', occurred_at: minute(2) }),
    event({ meter: 'plan_size', id: 'zz', quantity: '8', occurred_at: minute(1) }),
    ...['a', 'b', 'a'].map((user) => event({ meter: 'users', properties: { user } })),
  ])
  const { meters } = await usage()
  assert.deepEqual(
    Object.fromEntries(meters.map((row: { meter: string; quantity: string }) => [row.meter, row.quantity])),
    {
      api_calls: '0.3',
      requests: '2',
      seats: '10',
      plan_size: '6',
      users: '2',
    },
  )
})

test('a level goes up and down, is carried over into the month, and counts up to now', async () => {
  const change = (quantity: string, occurred_at: string) => event({ meter: 'load', quantity, occurred_at })
  const { accepted } = await send([
    change('3', '2026-02-01T00:00:00Z'),
    change('-1', '2026-04-30T14:00:00Z'),
    change('-0.5', '2026-05-02T00:00:00Z'),
  ])
  assert.equal(accepted, 3)
  // In Sydney, April has 721 hours, as the clocks go back; May began at 14:00 UTC on 30 April; now is 06:00 on 2 May.
  assert.deepEqual((await usage('?period=2026-04')).meters, [{ meter: 'load', unit: 'call', quantity: '2163' }])
  assert.deepEqual((await usage()).meters, [{ meter: 'load', unit: 'call', quantity: '77' }])
})

test('a month is that of the tenant’s zone: its first instant counts, its end does not', async () => {
  await send([
    event({ quantity: '1', occurred_at: '2026-03-31T12:59:59.999999Z' }),
    event({ quantity: '10', occurred_at: '2026-03-31T13:00:00Z' }),
    event({ quantity: '100', occurred_at: '2026-04-30T13:59:59.9999999Z' }),
    event({ quantity: '1000', occurred_at: '2026-04-30T14:00:00Z' }),
  ])
  const april = await usage('?period=2026-04')
  assert.deepEqual(april, {
    deployment_id: WEB,
    period: { start: '2026-04-01', end: '2026-05-01' },
    meters: [{ meter: 'api_calls', unit: 'call', quantity: '110' }],
  })
  assert.equal((await usage('?period=2026-05-17')).meters[0].quantity, '1000')
})

test('a resource that is alive counts up to now', async () => {
  await harness.db.transaction(async (tx) => {
    const resource_id = '44444444-4444-4444-8444-444444444444'
    const born_at = Temporal.Instant.from('2026-04-01T00:00:00Z')
    const seen = { first_seen_at: born_at, last_seen_at: born_at }
    await insertRows(within<'inventory'>(tx), 'inventory.resource', [
      {
        id: resource_id,
        provider: 'digitalocean',
        kind: 'droplet',
        external_id: '1',
        name: 'web-1',
        tags: [],
        born_at,
        ...seen,
      },
    ])
    await insertRows(within<'inventory'>(tx), 'inventory.span', [
      {
        id: resource_id,
        resource_id,
        starts_at: born_at,
        name: 'web-1',
        size: 's',
        size_gb: '0',
        tenant_id: 't_1',
        deployment_id: WEB,
        changed_at: born_at,
      },
    ])
  })
  // In Sydney, May began at 14:00 UTC on 30 April; now is 06:00 UTC on 2 May.
  assert.deepEqual((await usage()).meters, [{ meter: 'droplet_hours', unit: 'hour', quantity: '40' }])
  assert.deepEqual((await usage('?period=2026-06')).meters, [])
  await harness.db.transaction((tx) => tx.deleteFrom('inventory.span').execute())
})

test('a tenant reads its own usage and finds nothing at another’s', async () => {
  assert.equal((await usage('', { tenant: 't_1' })).deployment_id, WEB)
  for (const id of [SHOP, '33333333-3333-4333-8333-333333333333', 'shop']) {
    const answer = await harness.call('GET', `/deployments/${id}/usage`, { as: { tenant: 't_1' } })
    assert.deepEqual([answer.status, answer.body.code], [404, 'request/not-found'])
  }
  assert.equal((await harness.call('GET', `/deployments/${WEB}/usage?period=04-2026`)).status, 422)
  assert.equal((await harness.call('GET', `/deployments/${WEB}/usage?month=2026-04`)).status, 422)
})

test('the stored events keep the promises of the audit, and a broken one is found', async () => {
  await send([event(), event({ meter: 'users', properties: { user: 'u' } }), event({ meter: 'load', quantity: '-1' })])
  const broken = async () =>
    (await runAudit(harness.db.read, meteringInvariants)).filter(({ ok }) => !ok).map(({ name }) => name)
  assert.deepEqual(await broken(), [])
  const spoil = (change: { meter: string; quantity?: string }) =>
    harness.db.transaction((tx) => tx.updateTable('metering.usage_event').set(change).execute())
  await spoil({ meter: 'seats', quantity: '-1' })
  assert.deepEqual(await broken(), ['metering.only-levels-fall'])
  await spoil({ meter: 'users', quantity: '1' })
  assert.deepEqual(await broken(), ['metering.unique-counts-have-their-property'])
})
