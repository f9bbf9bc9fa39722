import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testHttp } from '../../../test/support/http.ts'
import { catalogRoutes } from './routes.ts'

const EVERY_MODEL = {
  currency: 'USD',
  interval: 'month',
  base_price_cents: 5000,
  proration: 'daily',
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
  ],
}
const PLAIN = { currency: 'USD', base_price_cents: 1000 }

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp((edge) => [catalogRoutes(edge)])
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
        message: 'must be one of: sum, count, max, last, unique_count, time_weighted_sum',
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
  assert.deepEqual(answered, { ...EVERY_MODEL, plan_code: 'every', version: 1, status: 'draft', published_at: null })
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

test('publication names every fault of the charges at once', async () => {
  const charges = [
    { meter: 'api_calls', model: 'graduated', tiers: [{ up_to: '10', unit_price: '1' }] },
    {
      meter: 'storage_gb',
      model: 'volume',
      tiers: [
        { up_to: '10', unit_price: '1' },
        { up_to: '5', unit_price: '1' },
        { up_to: null, unit_price: '1' },
      ],
    },
  ]
  await harness.call('POST', '/plans', { body: { code: 'faulty', name: 'Faulty', version: { ...PLAIN, charges } } })
  const refused = await harness.call('POST', '/plans/faulty/versions/1/publish')
  assert.equal(refused.status, 422)
  assert.equal(refused.body.code, 'catalog/not-publishable')
  assert.deepEqual(pathsOf(refused.body), ['charges/0/tiers/0/up_to', 'charges/1/tiers/1/up_to'])
})

test('a version is refused for what it cannot be stored with', async () => {
  await harness.call('POST', '/plans', { body: { code: 'strict', name: 'Strict' } })
  const charge = { meter: 'api_calls', model: 'per_unit', unit_price: '1' }
  const cases: [object, string, string][] = [
    [{ charges: [{ ...charge, unit_price: 0.01 }] }, 'request/invalid', 'charges/0/unit_price'],
    [{ charges: [{ ...charge, unit_price: '0.0000000000001' }] }, 'request/invalid', 'charges/0/unit_price'],
    [{ charges: [{ ...charge, unit_price: '-1' }] }, 'request/invalid', 'charges/0/unit_price'],
    [{ charges: [{ ...charge, included_quantity: 5 }] }, 'request/invalid', 'charges/0/included_quantity'],
    [{ charges: [{ ...charge, surprise: '1' }] }, 'request/invalid', 'charges/0/surprise'],
    [{ charges: [{ meter: 'api_calls', model: 'per_unit' }] }, 'request/invalid', 'charges/0/unit_price'],
    [{ base_price_cents: '5000' }, 'request/invalid', 'base_price_cents'],
    [{ base_price_cents: -1 }, 'request/invalid', 'base_price_cents'],
    [{ currency: 'XQZ' }, 'request/invalid', 'currency'],
    [{ interval: 'year' }, 'request/invalid', 'interval'],
    [{ charges: [charge, { ...charge, meter: 'nothing' }] }, 'catalog/unknown-meter', 'charges/1/meter'],
  ]
  for (const [wrong, code, path] of cases) {
    const { status, body } = await harness.call('POST', '/plans/strict/versions', { body: { ...PLAIN, ...wrong } })
    assert.equal(status, 422, path)
    assert.equal(body.code, code, path)
    assert.ok(pathsOf(body).includes(path), `${path} in ${JSON.stringify(body.errors)}`)
  }
})

test('a version that prices a meter twice or caps below its minimum is refused', async () => {
  await harness.call('POST', '/plans', { body: { code: 'contrary', name: 'Contrary' } })
  const charge = { meter: 'api_calls', model: 'per_unit', unit_price: '1' }
  const cases: [object[], string][] = [
    [[charge, charge], 'catalog/meter-priced-twice'],
    [[{ ...charge, min_amount: '2', max_amount: '1' }], 'catalog/minimum-above-maximum'],
  ]
  for (const [charges, code] of cases) {
    const { status, body } = await harness.call('POST', '/plans/contrary/versions', { body: { ...PLAIN, charges } })
    assert.equal(status, 422)
    assert.equal(body.code, code)
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

test('what is not in the catalogue is not found', async () => {
  assert.equal((await harness.call('GET', '/plans/nothing')).status, 404)
  assert.equal((await harness.call('POST', '/plans/nothing/versions', { body: PLAIN })).status, 404)
  assert.equal((await harness.call('POST', '/plans/nothing/versions/1/publish')).status, 404)
  assert.equal((await harness.call('POST', '/plans/every/versions/one/publish')).status, 404)
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

test('only the operator writes the catalogue', async () => {
  const as = { tenant: 'acme' }
  for (const path of ['/meters', '/plans', '/addons', '/plans/sold/versions', '/plans/sold/versions/1/publish']) {
    assert.equal((await harness.call('POST', path, { as, body: {} })).status, 403, path)
  }
  assert.equal((await harness.call('GET', '/plans', { as: 'gateway' })).status, 403)
})
