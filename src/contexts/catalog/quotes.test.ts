import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testHttp } from '../../../test/support/http.ts'
import { tenantsRoutes } from '../tenants/index.ts'
import { catalogRoutes } from './routes.ts'

const APRIL = { start: '2026-04-01', end: '2026-05-01' }
const STUDIO = {
  currency: 'AUD',
  base_price_cents: 5000,
  charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' }],
}
const STORAGE = {
  code: 'storage_50gb',
  name: 'Storage 50 GB',
  price_cents: 750,
  currency: 'AUD',
  quantity: '50',
  unit: 'GB',
}
const QUOTE = {
  plan: { code: 'studio', version: 1 },
  addons: [{ code: 'storage_50gb' }],
  usage: { droplet_hours: '2160' },
  period: APRIL,
  active: APRIL,
  tax: { name: 'GST', rate: '0.10' },
}

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp((edge) => [tenantsRoutes(edge), catalogRoutes(edge)])
  const { call } = harness
  await call('POST', '/tenants', { body: { id: 'acme', legal_name: 'Acme', country: 'AU', currency: 'AUD' } })
  await call('POST', '/tenants', { body: { id: 'globex', legal_name: 'Globex', country: 'US', currency: 'USD' } })
  await call('POST', '/plans', { body: { code: 'studio', name: 'Studio', version: STUDIO } })
  await call('POST', '/plans/studio/versions/1/publish')
  await call('POST', '/plans/studio/versions', { body: STUDIO })
  await call('POST', '/addons', { body: STORAGE })
  await call('POST', '/addons', { body: { ...STORAGE, code: 'dollars', currency: 'USD' } })
})
after(() => harness.close())

const quote = (changes: object = {}, as: 'operator' | { tenant: string } = 'operator') =>
  harness.call('POST', '/quotes', { body: { ...QUOTE, ...changes }, as })

test('the Studio example comes out exactly', async () => {
  const { status, body } = await quote()
  assert.equal(status, 200)
  const { lines, ...totals } = body.data
  assert.deepEqual(totals, {
    currency: 'AUD',
    subtotal_cents: 6422,
    tax_cents: 642,
    total_cents: 7064,
    engine_version: '1',
  })
  assert.deepEqual(
    lines.map((line: { kind: string; amount_cents: number }) => [line.kind, line.amount_cents]),
    [
      ['plan_base', 5000],
      ['addon', 750],
      ['overage', 672],
      ['tax', 642],
    ],
  )
  const { details, ...overage } = lines[2]
  assert.deepEqual(overage, {
    kind: 'overage',
    meter: 'droplet_hours',
    description: 'droplet_hours overage',
    quantity: '672',
    unit_price: '0.01',
    amount_precise: '6.72',
    amount_cents: 672,
    service_period: APRIL,
    taxable: true,
  })
  assert.equal(details.metered_quantity, '2160')
})

test('an inline plan and inline add-ons come out as those of the catalogue', async () => {
  const { currency: _currency, ...addon } = STORAGE
  const inline = await quote({ plan: STUDIO, addons: [addon] })
  assert.equal(inline.status, 200)
  assert.equal(inline.body.data.total_cents, 7064)
})

test('without a version the latest published one is quoted', async () => {
  const { body } = await quote({ plan: { code: 'studio' } })
  assert.equal(body.data.lines[0].details.plan_version, 1)
})

test('part of a period is prorated by its days', async () => {
  const { body } = await quote({ active: { start: '2026-04-16', end: '2026-05-01' }, addons: [], usage: {} })
  assert.equal(body.data.subtotal_cents, 2500)
})

test('LLM charges are summed exactly and rounded once', async () => {
  const { body } = await quote({ llm_charges: ['0.004', '0.004', '0.004'] })
  const line = body.data.lines.find((one: { kind: string }) => one.kind === 'llm_usage')
  assert.equal(line.amount_precise, '0.012')
  assert.equal(line.amount_cents, 1)
})

test('the tax is that of the tenant when none is given, and none without a tenant', async () => {
  const { tax: _tax, ...untaxed } = QUOTE
  const asked = (body: object, as: 'operator' | { tenant: string } = 'operator') =>
    harness.call('POST', '/quotes', { body: { ...untaxed, ...body }, as })
  assert.equal((await asked({ tenant_id: 'acme' })).body.data.tax_cents, 642)
  assert.equal((await asked({}, { tenant: 'acme' })).body.data.tax_cents, 642)
  assert.equal((await asked({})).body.data.tax_cents, 0)
})

test('a tenant asks for itself only', async () => {
  assert.equal((await quote({ tenant_id: 'globex' }, { tenant: 'acme' })).status, 404)
  assert.equal((await quote({ tenant_id: 'acme' }, { tenant: 'acme' })).status, 200)
  assert.equal((await quote({ tenant_id: 'nobody' })).status, 404)
})

test('usage on a meter that nobody knows is refused, and on one that the plan does not price it is free', async () => {
  const refused = await quote({ usage: { droplet_hours: '1', dropet_hours: '1' } })
  assert.deepEqual([refused.status, refused.body.code], [422, 'catalog/unknown-meter'])
  assert.deepEqual(
    refused.body.errors.map((fault: { path: string }) => fault.path),
    ['usage/dropet_hours'],
  )
  const free = await quote({ usage: { volume_gb_hours: '9' }, addons: [] })
  assert.deepEqual([free.status, free.body.data.subtotal_cents], [200, 5000])
})

test('what is not for sale is not quoted', async () => {
  const cases: [object, string][] = [
    [{ plan: { code: 'nothing' } }, 'catalog/unknown-plan'],
    [{ plan: { code: 'studio', version: 9 } }, 'catalog/unknown-plan'],
    [{ plan: { code: 'studio', version: 2 } }, 'catalog/plan-not-published'],
    [{ addons: [{ code: 'nothing' }] }, 'catalog/unknown-addon'],
    [{ addons: [{ code: 'dollars' }] }, 'catalog/currency-mismatch'],
    [{ tenant_id: 'globex' }, 'catalog/currency-mismatch'],
  ]
  for (const [changes, code] of cases) {
    const { status, body } = await quote(changes)
    assert.equal(status, 422, code)
    assert.equal(body.code, code)
  }
})

test('facts that contradict themselves are refused by their path', async () => {
  const gap = { meter: 'api_calls', model: 'graduated', tiers: [{ up_to: '10', unit_price: '1' }] }
  const cases: [object, string][] = [
    [{ active: { start: '2026-03-01', end: '2026-04-02' } }, 'active'],
    [{ period: { start: '2026-05-01', end: '2026-04-01' } }, 'period/end'],
    [{ usage: { droplet_hours: 2160 } }, 'usage/droplet_hours'],
    [{ llm_charges: [0.0123] }, 'llm_charges/0'],
    [{ plan: { ...STUDIO, currency: 'XQZ' } }, 'plan/currency'],
    [{ plan: { ...STUDIO, charges: [gap] } }, 'plan/charges/0/tiers/0/up_to'],
    [{ surprise: 1 }, 'surprise'],
  ]
  for (const [changes, path] of cases) {
    const { status, body } = await quote(changes)
    assert.equal(status, 422, path)
    assert.ok(
      body.errors.some((fault: { path: string }) => fault.path === path),
      `${path} in ${JSON.stringify(body.errors)}`,
    )
  }
})

test('machines that send usage ask for no quotes', async () => {
  assert.equal((await harness.call('POST', '/quotes', { as: 'meter', body: QUOTE })).status, 403)
})
