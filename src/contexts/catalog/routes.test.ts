import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type RawBuilder, sql } from 'kysely'
import { testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { eventsRoutes } from '../events/index.ts'
import { catalogInvariants } from './invariants.ts'
import { catalogRoutes } from './routes.ts'

const EVERY_MODEL = {
  currency: 'USD',
  interval: 'month',
  base_price_cents: 5000,
  proration: 'daily',
  commitment_cents: null,
  charges: [
    { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
    {
      meter: 'api_calls',
      model: 'graduated',
      tiers: [
        { up_to: '10', unit_price: '10', flat_price: '2' },
        { up_to: null, unit_price: '5', flat_price: '3' },
      ],
    },
    {
      meter: 'storage_gb',
      model: 'volume',
      tiers: [
        { up_to: '100', unit_price: '0.10' },
        { up_to: null, unit_price: '0.05' },
      ],
    },
    { meter: 'emails', model: 'package', package_size: '1000', package_price: '1.00', included_quantity: '1000' },
    { meter: 'payments_volume', model: 'percentage', rate: '0.029', min_amount: '5.00', max_amount: '500.00' },
    {
      meter: 'payments_volume',
      filter: { region: ['syd1', 'mel1'], card: ['debit'] },
      model: 'percentage',
      rate: '0.0299',
      fixed_per_event: '0.30',
      min_per_event: '1.75',
      max_per_event: '12',
    },
  ],
}
const PLAIN = { currency: 'USD', base_price_cents: 1000 }

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp((edge) => [eventsRoutes(edge), catalogRoutes(edge)])
  for (const code of ['api_calls', 'storage_gb', 'emails', 'payments_volume']) {
    const made = await harness.call('POST', '/meters', { body: { code, name: code, unit: 'x', aggregation: 'sum' } })
    assert.equal(made.status, 201)
  }
})
after(() => harness.close())

const pathsOf = (body: { errors: { path: string }[] }) => body.errors.map((fault) => fault.path)

test('a meter registered again with the same definition is answered as it is', async () => {
  const body = { code: 'seats', name: 'Seats', unit: 'seat', aggregation: 'unique_count', unique_property: 'user_id' }
  const first = await harness.call('POST', '/meters', { body })
  const again = await harness.call('POST', '/meters', { body })
  assert.deepEqual([first.status, again.status], [201, 200])
  assert.deepEqual(again.body, first.body)
})

test('what a meter counts cannot be registered otherwise', async () => {
  const api_calls = { code: 'api_calls', name: 'API calls', unit: 'call', aggregation: 'max' }
  const built_in = { code: 'volume_gb_hours', name: 'Volumes', unit: 'GB·h', aggregation: 'last' }
  for (const body of [api_calls, built_in]) {
    const refused = await harness.call('POST', '/meters', { body })
    assert.equal(refused.status, 409)
    assert.equal(refused.body.code, 'catalog/meter-differs')
  }
})

test('a meter of unique things says which property makes them unique, and no other does', async () => {
  const body = { code: 'users', name: 'Users', unit: 'user' }
  const without = { ...body, aggregation: 'unique_count' }
  const needless = { ...body, aggregation: 'sum', unique_property: 'user_id' }
  const unknown = { ...body, aggregation: 'median' }
  for (const [wrong, fault] of [
    [without, { path: 'unique_property', message: 'is required' }],
    [needless, { path: 'unique_property', message: 'is for the aggregation unique_count only' }],
    [
      unknown,
      {
        path: 'aggregation',
        message: 'must be one of: sum, count, max, last, unique_count, time_weighted_sum; found "median"',
      },
    ],
  ] as const) {
    const refused = await harness.call('POST', '/meters', { body: wrong })
    assert.deepEqual([refused.status, refused.body.errors], [422, [fault]])
  }
})

test('a version of every charge model comes back as it was sent', async () => {
  await harness.call('POST', '/plans', { body: { code: 'every', name: 'Every model' } })
  const draft = await harness.call('POST', '/plans/every/versions', { body: EVERY_MODEL })
  assert.equal(draft.status, 201)
  const { id: _id, created_at: _created_at, ...answered } = draft.body.data
  assert.deepEqual(answered, {
    ...EVERY_MODEL,
    plan_code: 'every',
    version: 1,
    status: 'draft',
    published_at: null,
    retired_at: null,
  })
  const plan = await harness.call('GET', '/plans/every')
  assert.deepEqual(plan.body.data.versions, [draft.body.data])
})

test('publishing is for good, and a second time changes nothing', async () => {
  await harness.call('POST', '/plans', { body: { code: 'lasting', name: 'Lasting', version: EVERY_MODEL } })
  const first = await harness.call('POST', '/plans/lasting/versions/1/publish')
  assert.equal(first.status, 200)
  assert.equal(first.body.data.status, 'published')
  harness.clock.set('2026-05-02T07:00:00Z')
  const again = await harness.call('POST', '/plans/lasting/versions/1/publish')
  assert.equal(again.status, 200)
  assert.deepEqual(again.body, first.body)
})

test('the database refuses to change a published version or its charges', async () => {
  const plan = { code: 'frozen', name: 'Frozen', version: EVERY_MODEL }
  const made = await harness.call('POST', '/plans', { body: plan })
  const id: string = made.body.data.versions[0].id
  await harness.call('POST', '/plans/frozen/versions/1/publish')
  const changes = [
    () =>
      harness.db.transaction((tx) =>
        tx.updateTable('catalog.plan_version').set({ base_price_cents: 1n }).where('id', '=', id).execute(),
      ),
    () => harness.db.transaction((tx) => tx.deleteFrom('catalog.charge').where('plan_version_id', '=', id).execute()),
  ]
  for (const change of changes) await assert.rejects(change, { code: 'catalog/version-published', status: 409 })
})

test('versions are numbered one after the other', async () => {
  await harness.call('POST', '/plans', { body: { code: 'numbered', name: 'Numbered', version: PLAIN } })
  const second = await harness.call('POST', '/plans/numbered/versions', { body: PLAIN })
  assert.equal(second.body.data.version, 2)
})

test('a draft may be wrong, and publication names every mistake at once by its path', async () => {
  const one = { model: 'per_unit', unit_price: '1' }
  const charges = [
    { meter: 'api_calls', model: 'graduated', tiers: [{ up_to: '10', unit_price: '1' }] },
    {
      meter: 'storage_gb',
      model: 'volume',
      tiers: [
        { up_to: '10', unit_price: '-1' },
        { up_to: '5', unit_price: '1' },
        { up_to: null, unit_price: '0.0000000000001' },
      ],
    },
    { ...one, meter: 'api_calls', unit_price: '-0.01', min_amount: '2', max_amount: '1' },
    { ...one, meter: 'nothing', included_quantity: '-5' },
    { ...one, meter: 'emails', filter: {} },
    { ...one, meter: 'emails', filter: { region: ['syd1', 'mel1'] } },
    { ...one, meter: 'emails', filter: { region: ['mel1', 'syd1'] } },
    { meter: 'payments_volume', model: 'percentage', rate: '0.1', min_per_event: '2', max_per_event: '1' },
    { meter: 'emails', model: 'package', package_size: '0', package_price: '1' },
    { meter: 'droplet_hours', model: 'volume', tiers: [] },
  ]
  const wrong = { currency: 'XQZ', base_price_cents: -1, commitment_cents: -1, charges }
  const made = await harness.call('POST', '/plans', { body: { code: 'faulty', name: 'Faulty', version: wrong } })
  assert.equal(made.status, 201, made.text)
  const refused = await harness.call('POST', '/plans/faulty/versions/1/publish')
  assert.deepEqual([refused.status, refused.body.code], [422, 'catalog/not-publishable'])
  assert.deepEqual(pathsOf(refused.body).toSorted(), [
    'base_price_cents',
    'charges/0/tiers/0/up_to',
    'charges/1/tiers/0/unit_price',
    'charges/1/tiers/1/up_to',
    'charges/1/tiers/2/unit_price',
    'charges/2/meter',
    'charges/2/min_amount',
    'charges/2/unit_price',
    'charges/3/included_quantity',
    'charges/3/meter',
    'charges/4/filter',
    'charges/6/filter',
    'charges/7/min_per_event',
    'charges/8/package_size',
    'charges/9/tiers',
    'commitment_cents',
    'currency',
  ])
  const mended = await harness.call('PUT', '/plans/faulty/versions/1', { body: PLAIN })
  assert.deepEqual([mended.status, mended.body.data.charges, mended.body.data.version], [200, [], 1])
  assert.equal((await harness.call('POST', '/plans/faulty/versions/1/publish')).status, 200)
})

test('a price per event is only for meters that count events one by one', async () => {
  const meter = { code: 'peak', name: 'Peak', unit: 'x', aggregation: 'max' }
  await harness.call('POST', '/meters', { body: meter })
  const charges = [{ meter: 'peak', model: 'percentage', rate: '0.1', fixed_per_event: '1' }]
  await harness.call('POST', '/plans', { body: { code: 'peaks', name: 'Peaks', version: { ...PLAIN, charges } } })
  const refused = await harness.call('POST', '/plans/peaks/versions/1/publish')
  assert.deepEqual([refused.status, pathsOf(refused.body)], [422, ['charges/0/meter']])
})

test('what is measured from resources has no events: no filter and no price per event', async () => {
  const charges = [
    { meter: 'droplet_hours', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '1' },
    { meter: 'volume_gb_hours', model: 'percentage', rate: '0.1', fixed_per_event: '1' },
  ]
  await harness.call('POST', '/plans', { body: { code: 'hours', name: 'Hours', version: { ...PLAIN, charges } } })
  const refused = await harness.call('POST', '/plans/hours/versions/1/publish')
  assert.deepEqual([refused.status, pathsOf(refused.body)], [422, ['charges/0/filter', 'charges/1/meter']])
})

test('a draft is replaced whole, and a published version not at all', async () => {
  const yearly = { ...EVERY_MODEL, interval: 'year', commitment_cents: 20_000 }
  await harness.call('POST', '/plans', { body: { code: 'redrafted', name: 'Redrafted', version: EVERY_MODEL } })
  const replaced = await harness.call('PUT', '/plans/redrafted/versions/1', { body: yearly })
  assert.equal(replaced.status, 200, replaced.text)
  const { body } = await harness.call('GET', '/plans/redrafted')
  assert.deepEqual(body.data.versions, [replaced.body.data])
  assert.deepEqual([body.data.versions[0].interval, body.data.versions[0].commitment_cents], ['year', 20_000])
  await harness.call('POST', '/plans/redrafted/versions/1/publish')
  const refused = await harness.call('PUT', '/plans/redrafted/versions/1', { body: PLAIN })
  assert.deepEqual([refused.status, refused.body.code], [409, 'catalog/version-published'])
  assert.equal((await harness.call('PUT', '/plans/redrafted/versions/2', { body: PLAIN })).status, 404)
})

test('a published version is retired for good, and a draft is not', async () => {
  const at = (version: number, verb: string) => harness.call('POST', `/plans/leaving/versions/${version}/${verb}`)
  await harness.call('POST', '/plans', { body: { code: 'leaving', name: 'Leaving', version: PLAIN } })
  const draft = await at(1, 'retire')
  assert.deepEqual([draft.status, draft.body.code], [409, 'catalog/version-draft'])
  await at(1, 'publish')
  const retired = await at(1, 'retire')
  assert.deepEqual([retired.status, retired.body.data.status], [200, 'retired'])
  assert.equal(retired.body.data.retired_at, '2026-05-02T07:00:00Z')
  assert.deepEqual((await at(1, 'retire')).body, retired.body)
  const again = await at(1, 'publish')
  assert.deepEqual([again.status, again.body.code], [409, 'catalog/version-retired'])
  const changed = await harness.call('PUT', '/plans/leaving/versions/1', { body: PLAIN })
  assert.deepEqual([changed.status, changed.body.code], [409, 'catalog/version-published'])
})

test('prices come in currencies with no, two and three decimals', async () => {
  for (const currency of ['JPY', 'AUD', 'BHD']) {
    const code = `in_${currency.toLowerCase()}`
    await harness.call('POST', '/plans', { body: { code, name: code, version: { ...PLAIN, currency } } })
    assert.equal((await harness.call('POST', `/plans/${code}/versions/1/publish`)).status, 200, currency)
  }
})

test('a version is refused for what is not in the form of one', async () => {
  await harness.call('POST', '/plans', { body: { code: 'strict', name: 'Strict' } })
  const charge = { meter: 'api_calls', model: 'per_unit', unit_price: '1' }
  const cases: [object, string][] = [
    [{ charges: [{ ...charge, unit_price: 0.01 }] }, 'charges/0/unit_price'],
    [{ charges: [{ ...charge, unit_price: 'one' }] }, 'charges/0/unit_price'],
    [{ charges: [{ ...charge, included_quantity: 5 }] }, 'charges/0/included_quantity'],
    [{ charges: [{ ...charge, surprise: '1' }] }, 'charges/0/surprise'],
    [{ charges: [{ ...charge, fixed_per_event: '1' }] }, 'charges/0/fixed_per_event'],
    [{ charges: [{ ...charge, filter: { region: 'syd1' } }] }, 'charges/0/filter/region'],
    [{ charges: [{ meter: 'api_calls', model: 'per_unit' }] }, 'charges/0/unit_price'],
    [{ base_price_cents: '5000' }, 'base_price_cents'],
    [{ commitment_cents: 7.5 }, 'commitment_cents'],
    [{ currency: 'dollars' }, 'currency'],
    [{ interval: 'week' }, 'interval'],
  ]
  for (const [wrong, path] of cases) {
    const { status, body } = await harness.call('POST', '/plans/strict/versions', { body: { ...PLAIN, ...wrong } })
    assert.deepEqual([status, body.code], [422, 'request/invalid'], path)
    assert.ok(pathsOf(body).includes(path), `${path} in ${JSON.stringify(body.errors)}`)
  }
})

test('a built-in meter is there as soon as it is used', async () => {
  const version = { ...PLAIN, charges: [{ meter: 'volume_gb_hours', model: 'per_unit', unit_price: '0.001' }] }
  assert.equal((await harness.call('POST', '/plans', { body: { code: 'disks', name: 'Disks', version } })).status, 201)
  const meters = await harness.call('GET', '/meters?limit=200')
  const meter = meters.body.data.find((row: { code: string }) => row.code === 'volume_gb_hours')
  assert.equal(meter.aggregation, 'sum')
  assert.equal(meter.unit, 'GB·h')
})

test('codes of plans and add-ons are taken once', async () => {
  const plan = { code: 'once', name: 'Once' }
  const addon = { code: 'backup', name: 'Backup', price_cents: 500, currency: 'USD', quantity: '1', unit: 'copy' }
  assert.equal((await harness.call('POST', '/plans', { body: plan })).status, 201)
  const made = await harness.call('POST', '/addons', { body: addon })
  assert.equal(made.status, 201)
  const { created_at: _created_at, ...answered } = made.body.data
  assert.deepEqual(answered, { ...addon, grants_meter: null })
  const answers = [
    await harness.call('POST', '/plans', { body: plan }),
    await harness.call('POST', '/addons', { body: addon }),
  ]
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [409, 409],
  )
  assert.deepEqual(
    answers.map((answer) => answer.body.code),
    ['catalog/plan-exists', 'catalog/addon-exists'],
  )
})

test('an add-on is refused for an unknown meter, a number as its quantity or a fraction of a cent', async () => {
  const addon = { code: 'extra', name: 'Extra', price_cents: 500, currency: 'USD', quantity: '1' }
  const cases = [
    { grants_meter: 'nothing' },
    { quantity: 50 },
    { price_cents: 7.5 },
    { currency: 'XQZ' },
    { colour: 'red' },
  ]
  for (const wrong of cases) {
    assert.equal(
      (await harness.call('POST', '/addons', { body: { ...addon, ...wrong } })).status,
      422,
      JSON.stringify(wrong),
    )
  }
  const granting = await harness.call('POST', '/addons', { body: { ...addon, grants_meter: 'droplet_hours' } })
  assert.equal(granting.body.data.grants_meter, 'droplet_hours')
})

test('an add-on is sold at another price from now on', async () => {
  const addon = { code: 'support', name: 'Support', price_cents: 900, currency: 'USD', quantity: '1', unit: 'seat' }
  const made = await harness.call('POST', '/addons', { body: addon })
  const changes = { name: 'Support desk', price_cents: 1_100, quantity: '2', unit: null }
  const changed = await harness.call('PATCH', '/addons/support', { body: changes })
  assert.deepEqual([changed.status, changed.body.data], [200, { ...made.body.data, ...changes }])
  assert.deepEqual((await harness.call('PATCH', '/addons/support', { body: {} })).body, changed.body)
  assert.equal((await harness.call('PATCH', '/addons/nothing', { body: changes })).status, 404)
  const refused = await harness.call('PATCH', '/addons/support', { body: { currency: 'AUD' } })
  assert.deepEqual([refused.status, pathsOf(refused.body)], [422, ['currency']])
})

test('what gets past the checks is refused by the database, as the same problem', async () => {
  await harness.call('POST', '/plans', { body: { code: 'raced', name: 'Raced', version: PLAIN } })
  const ids = sql`(select id from catalog.plan_version where plan_code = 'raced')`
  const charge = (values: RawBuilder<unknown>) => sql`
    insert into catalog.charge (plan_version_id, position, meter, model, unit_price, filter, min_per_event)
    select v.id, c.* from ${ids} v, (values ${values}) c`
  const publish = sql`
    update catalog.plan_version set status = 'published', published_at = now() where id in ${ids}`
  const refused: [string, RawBuilder<unknown>[]][] = [
    [
      'catalog/not-publishable',
      [sql`update catalog.plan_version set base_price_cents = -1 where id in ${ids}`, publish],
    ],
    [
      'catalog/not-publishable',
      [sql`update catalog.plan_version set commitment_cents = -1 where id in ${ids}`, publish],
    ],
    ['catalog/version-retired', [sql`update catalog.plan_version set retired_at = now() where id in ${ids}`]],
    ['catalog/version-retired', [publish, sql`update catalog.plan_version set status = 'retired' where id in ${ids}`]],
    ['catalog/not-publishable', [charge(sql`(90, 'x', 'per_unit', 1, null::jsonb, 1)`)]],
    [
      'catalog/not-publishable',
      [
        charge(sql`(90, 'x', 'per_unit', 1, null::jsonb, null::numeric), (91, 'x', 'per_unit', 2, null, null)`),
        publish,
      ],
    ],
    [
      'catalog/not-publishable',
      [
        charge(sql`(90, 'x', 'per_unit', 1, '{"a": ["1", "2"], "b": ["3"]}'::jsonb, null::numeric),
          (91, 'x', 'per_unit', 2, '{"b": ["3"], "a": ["2", "1", "2"]}', null)`),
        publish,
      ],
    ],
  ]
  for (const [code, statements] of refused) {
    const work = harness.db.transaction(async (tx) => {
      for (const statement of statements) await statement.execute(tx)
    })
    await assert.rejects(work, { code }, code)
  }
})

test('the audit is clean after all this, and finds a published charge that cannot be rated', async () => {
  const broken = async () => {
    const findings = await runAudit(harness.db.read, catalogInvariants)
    return findings.filter((finding) => !finding.ok).map((finding) => finding.name)
  }
  assert.deepEqual(await broken(), [])
  await harness.db.script(`
    alter table catalog.charge disable trigger charge_published_is_immutable;
    insert into catalog.charge (plan_version_id, position, meter, model, unit_price)
    select id, 100 + place, 'nothing', 'per_unit', -1
    from catalog.plan_version, generate_series(1, 2) place where plan_code = 'lasting';
    alter table catalog.charge enable trigger charge_published_is_immutable`)
  assert.deepEqual(await broken(), ['catalog.published-charges-are-sound', 'catalog.published-usage-has-one-price'])
  await harness.db.script(`
    alter table catalog.charge disable trigger charge_published_is_immutable;
    delete from catalog.charge where position > 100;
    insert into catalog.charge (plan_version_id, position, meter, model, tiers, filter)
    select id, 100 + place, 'droplet_hours', 'graduated', '[{"up_to": "10", "unit_price": "1"}]',
      case place when 1 then '{"a": ["1", "2"]}' else '{"a": ["2", "1"]}' end::jsonb
    from catalog.plan_version, generate_series(1, 2) place where plan_code = 'lasting';
    alter table catalog.charge enable trigger charge_published_is_immutable;
    update catalog.meter set aggregation = 'max' where code = 'droplet_hours'`)
  assert.deepEqual(await broken(), [
    'catalog.published-tiers-have-no-end',
    'catalog.published-usage-has-one-price',
    'catalog.built-in-meters-are-sums',
  ])
  await harness.db.script(`update catalog.meter set aggregation = 'sum' where code = 'droplet_hours'`)
})

test('what is not in the catalogue is not found', async () => {
  assert.equal((await harness.call('GET', '/plans/nothing')).status, 404)
  assert.equal((await harness.call('POST', '/plans/nothing/versions', { body: PLAIN })).status, 404)
  assert.equal((await harness.call('POST', '/plans/nothing/versions/1/publish')).status, 404)
  assert.equal((await harness.call('POST', '/plans/every/versions/one/publish')).status, 404)
})

test('a charge of no model or an unknown one is told the models, once', async () => {
  const message = 'must be one of: per_unit, graduated, volume, package, percentage'
  for (const [charge, found] of [
    [{ meter: 'm', model: 'cubic', unit_price: '1' }, '; found "cubic"'],
    [{ meter: 'm', unit_price: '1' }, ''],
  ] as const) {
    const version = { ...PLAIN, charges: [charge] }
    const { status, body } = await harness.call('POST', '/plans', { body: { code: 'models', name: 'x', version } })
    assert.deepEqual([status, body.errors], [422, [{ path: 'version/charges/0/model', message: message + found }]])
  }
})

test('a field with alternatives is refused with one fault, which says what is expected', async () => {
  const refused = async (charge: object) => {
    const version = { ...PLAIN, charges: [{ meter: 'm', model: 'per_unit', unit_price: '1', ...charge }] }
    const { body } = await harness.call('POST', '/plans', { body: { code: 'either', name: 'x', version } })
    return body.errors
  }
  const path = 'version/charges/0'
  assert.deepEqual(await refused({ min_amount: 5 }), [
    {
      path: `${path}/min_amount`,
      message: 'must be an exact decimal as text such as "12.50", or null; found the number 5: write it as text, "5"',
    },
  ])
  assert.deepEqual(await refused({ min_amount: '5,00' }), [
    {
      path: `${path}/min_amount`,
      message: 'must be an exact decimal as text such as "12.50"; found "5,00": write a point, not a comma: "5.00"',
    },
  ])
  assert.deepEqual(await refused({ filter: { region: 'syd1' } }), [
    { path: `${path}/filter/region`, message: 'must be a list of at most 100 entries; found "syd1"' },
  ])
})

test('a tenant reads what is for sale and sees no drafts', async () => {
  const as = { tenant: 'acme' }
  const sold = { code: 'sold', name: 'Sold', version: PLAIN }
  await harness.call('POST', '/plans', { body: sold })
  await harness.call('POST', '/plans/sold/versions/1/publish')
  await harness.call('POST', '/plans/sold/versions', { body: PLAIN })
  await harness.call('POST', '/plans', { body: { code: 'secret', name: 'Secret', version: PLAIN } })
  const plan = await harness.call('GET', '/plans/sold', { as })
  assert.deepEqual(
    plan.body.data.versions.map((version: { version: number }) => version.version),
    [1],
  )
  assert.equal((await harness.call('GET', '/plans/secret', { as })).status, 404)
  const listed = await harness.call('GET', '/plans?limit=200', { as })
  const codes = new Set(listed.body.data.map((row: { code: string }) => row.code))
  assert.ok(codes.has('sold') && !codes.has('secret'))
  assert.equal((await harness.call('GET', '/addons', { as })).status, 200)
  assert.equal((await harness.call('GET', '/meters', { as })).status, 200)
})

type Told = {
  type: string
  actor: string
  reason: string | null
  data: { was?: { name: string }; changes?: { name: string } }
}
const historyOf = async (subject: string) => {
  const { body } = await harness.call('GET', `/events?subject=${subject}`)
  return body.data.map(({ type, actor, reason, data }: Told) => [
    type,
    actor,
    reason,
    data.was?.name,
    data.changes?.name,
  ])
}
const ACTOR = 'test-platform_admin'

test('plans, meters and add-ons get another name, and the history says which they had, who changed it and why', async () => {
  await harness.call('POST', '/plans', { body: { code: 'misnamed', name: 'Stuido', version: PLAIN } })
  const meter = { code: 'misnamed_calls', name: 'Cals', unit: 'call', aggregation: 'sum' }
  await harness.call('POST', '/meters', { body: meter })
  const addon = { code: 'misnamed_addon', name: 'Storrage', price_cents: 750, currency: 'AUD', quantity: '50' }
  await harness.call('POST', '/addons', { body: addon })
  const rename = (path: string, name: string) =>
    harness.call('PATCH', path, { body: { name, reason: 'It was misspelt' } })
  for (let time = 0; time < 2; time += 1) {
    const plan = await rename('/plans/misnamed', 'Studio')
    assert.deepEqual([plan.status, plan.body.data.name, plan.body.data.versions.length], [200, 'Studio', 1])
    const named = await rename('/meters/misnamed_calls', 'Calls')
    assert.deepEqual([named.status, named.body.data.name, named.body.data.unit], [200, 'Calls', 'call'])
    const extra = await rename('/addons/misnamed_addon', 'Storage')
    assert.deepEqual([extra.status, extra.body.data.name, extra.body.data.quantity], [200, 'Storage', '50'])
  }
  const told = [ACTOR, 'It was misspelt']
  assert.deepEqual(await historyOf('misnamed'), [['plan.renamed', ...told, 'Stuido', 'Studio']])
  assert.deepEqual(await historyOf('misnamed_calls'), [['meter.renamed', ...told, 'Cals', 'Calls']])
  assert.deepEqual(await historyOf('misnamed_addon'), [['addon.changed', ...told, 'Storrage', 'Storage']])
  for (const path of ['/plans/nowhere', '/meters/nowhere', '/addons/nowhere']) {
    assert.equal((await rename(path, 'x')).status, 404)
    assert.equal((await harness.call('DELETE', path)).status, 404)
  }
  assert.equal((await harness.call('PATCH', '/meters/misnamed_calls', { body: { unit: 'x' } })).status, 422)
})

test('what nobody uses is deleted, with its history kept, and its code is free again', async () => {
  await harness.call('POST', '/meters', { body: { code: 'mistaken', name: 'M', unit: 'x', aggregation: 'sum' } })
  const charges = [{ meter: 'mistaken', model: 'per_unit', unit_price: '1' }]
  const plan = { code: 'mistaken-plan', name: 'Mistaken', version: { ...PLAIN, charges } }
  await harness.call('POST', '/plans', { body: plan })
  await harness.call('POST', '/plans/mistaken-plan/versions/1/publish')
  await harness.call('POST', '/plans/mistaken-plan/versions', { body: PLAIN })
  const addon = { code: 'mistaken-addon', name: 'A', price_cents: 1, currency: 'AUD', quantity: '1' }
  await harness.call('POST', '/addons', { body: { ...addon, grants_meter: 'mistaken' } })

  const used = await harness.call('DELETE', '/meters/mistaken')
  assert.deepEqual([used.status, used.body.code], [409, 'catalog/in-use'])
  assert.deepEqual(used.body.errors, [
    { path: 'code', message: 'is used by add-on mistaken-addon' },
    { path: 'code', message: 'is used by plan mistaken-plan version 1' },
  ])
  for (const path of ['/plans/mistaken-plan', '/addons/mistaken-addon', '/meters/mistaken']) {
    const gone = await harness.call('DELETE', `${path}?reason=Entered%20twice`)
    assert.deepEqual([gone.status, gone.text], [204, ''], path)
    assert.equal((await harness.call('DELETE', path)).status, 404)
  }
  assert.equal((await harness.call('GET', '/plans/mistaken-plan')).status, 404)
  const left = sql`select from catalog.charge where meter = 'mistaken'`
  assert.equal((await left.execute(harness.db.read)).rows.length, 0)
  const { data } = (await harness.call('GET', '/events?subject=mistaken-plan&type=plan.deleted')).body
  const [{ actor, reason, subject, tenant_id, data: told }] = data
  assert.deepEqual([actor, reason, tenant_id], [ACTOR, 'Entered twice', null])
  assert.deepEqual(subject, { kind: 'plan', id: 'mistaken-plan' })
  assert.deepEqual(
    told.was.versions.map(({ version, status, charges }: { version: number; status: string; charges: object[] }) => [
      version,
      status,
      charges.length,
    ]),
    [
      [1, 'published', 1],
      [2, 'draft', 0],
    ],
  )
  assert.equal((await harness.call('POST', '/plans', { body: plan })).status, 201)
})

test('what is on an invoice is not deleted any more', async () => {
  await harness.call('POST', '/meters', { body: { code: 'billed', name: 'B', unit: 'x', aggregation: 'sum' } })
  await harness.call('POST', '/plans', { body: { code: 'billed', name: 'B', version: PLAIN } })
  const addon = { code: 'billed', name: 'B', price_cents: 1, currency: 'AUD', quantity: '1' }
  await harness.call('POST', '/addons', { body: addon })
  await harness.db.script(`
    insert into tenants.tenant (id, legal_name, country, currency, timezone, tax_treatment, created_at, updated_at)
    values ('billed', 'Billed', 'US', 'USD', 'UTC', 'exempt', now(), now());
    insert into invoicing.invoice (tenant_id, id, period_start, period_end, status, currency, subtotal_cents, tax_cents,
      total_cents, seller, buyer, tax, engine_version, inputs_hash, created_at, minor_unit_places)
    values ('billed', '00000000-0000-4000-8000-000000000001', '2026-04-01', '2026-05-01', 'draft', 'USD', 0,
      0, 0, '{}', '{}', '{}', '1', '', now(), 2);
    insert into invoicing.invoice_line (tenant_id, invoice_id, position, id, kind, meter, description, amount_precise,
      amount_cents, service_start, service_end, taxable, details)
    select 'billed', '00000000-0000-4000-8000-000000000001', position, gen_random_uuid(), 'usage', 'billed', 'x', 0, 0,
      '2026-04-01', '2026-05-01', true, details::jsonb
    from (values (1, '{"plan_code": "billed"}'), (2, '{"addon_code": "billed"}')) as line(position, details);
    update invoicing.invoice set status = 'issued', number = 'INV-7', issued_at = now()`)
  for (const path of ['/plans/billed', '/meters/billed', '/addons/billed']) {
    const { status, body } = await harness.call('DELETE', path)
    assert.deepEqual(
      [status, body.code, body.errors?.[0]?.message],
      [409, 'catalog/in-use', 'is used by invoice INV-7'],
    )
  }
})

test('a draft version is deleted, a published one is not, also not by the database', async () => {
  await harness.call('POST', '/plans', { body: { code: 'drafted', name: 'Drafted', version: PLAIN } })
  await harness.call('POST', '/plans/drafted/versions/1/publish')
  await harness.call('POST', '/plans/drafted/versions', { body: { ...PLAIN, base_price_cents: 7 } })
  const gone = await harness.call('DELETE', '/plans/drafted/versions/2?reason=Wrong%20price')
  assert.equal(gone.status, 204)
  const published = await harness.call('DELETE', '/plans/drafted/versions/1')
  assert.deepEqual([published.status, published.body.code], [409, 'catalog/version-published'])
  assert.equal((await harness.call('DELETE', '/plans/drafted/versions/2')).status, 404)
  const { versions } = (await harness.call('GET', '/plans/drafted')).body.data
  assert.deepEqual(
    versions.map((version: { version: number }) => version.version),
    [1],
  )
  const [{ type, reason, data }] = (await harness.call('GET', '/events?subject=drafted')).body.data
  assert.deepEqual(
    [type, reason, data.was.version, data.was.base_price_cents],
    ['plan_version.deleted', 'Wrong price', 2, 7],
  )
  const alone = harness.db.transaction((tx) =>
    tx.deleteFrom('catalog.plan_version').where('plan_code', '=', 'drafted').execute(),
  )
  await assert.rejects(alone, { code: 'catalog/version-published' })
})

test('the history is told page by page, filtered, and never rewritten', async () => {
  const whole = await harness.call('GET', '/events?limit=200')
  const first = await harness.call('GET', '/events?limit=2')
  const rest = await harness.call('GET', `/events?limit=200&cursor=${first.body.next_cursor}`)
  assert.deepEqual([...first.body.data, ...rest.body.data], whole.body.data)
  const typed = await harness.call('GET', '/events?type=meter.renamed&since=2026-05-02T06:00:00Z')
  assert.ok(typed.body.data.length > 0 && typed.body.data.every((event: Told) => event.type === 'meter.renamed'))
  assert.deepEqual((await harness.call('GET', '/events?since=2026-05-03T00:00:00Z')).body.data, [])
  assert.equal((await harness.call('GET', '/events', { as: { tenant: 'acme' } })).status, 403)
  for (const change of ["update events.event set reason = 'x'", 'delete from events.event']) {
    await assert.rejects(harness.db.script(change), /never changed/)
  }
})

test('only the operator writes the catalogue', async () => {
  const as = { tenant: 'acme' }
  const version = '/plans/sold/versions/1'
  for (const path of [
    '/meters',
    '/plans',
    '/addons',
    '/plans/sold/versions',
    `${version}/publish`,
    `${version}/retire`,
  ]) {
    assert.equal((await harness.call('POST', path, { as, body: {} })).status, 403, path)
  }
  assert.equal((await harness.call('PUT', version, { as, body: PLAIN })).status, 403)
  for (const path of ['/addons/backup', '/plans/sold', '/meters/emails']) {
    assert.equal((await harness.call('PATCH', path, { as, body: {} })).status, 403, path)
  }
  for (const path of ['/addons/backup', '/plans/sold', '/meters/emails', version]) {
    assert.equal((await harness.call('DELETE', path, { as })).status, 403, path)
  }
  assert.equal((await harness.call('GET', '/plans', { as: 'gateway' })).status, 403)
})
