import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testHttp } from '../../../test/support/http.ts'
import { eventsRoutes } from '../events/index.ts'
import { tenantsRoutes } from './routes.ts'

const ACME = {
  id: 'acme',
  legal_name: 'Acme Pty Ltd',
  email: 'bills@acme.example',
  address: '1 George St, Sydney',
  country: 'AU',
  tax_id: '51 824 753 556',
  currency: 'AUD',
  timezone: 'Australia/Sydney',
}

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp((edge) => [eventsRoutes(edge), tenantsRoutes(edge)])
  const made = await harness.call('POST', '/tenants', { body: ACME })
  assert.equal(made.status, 201)
})
after(() => harness.close())

test('a tenant is answered as it was given, with the tax of its country', async () => {
  const { status, body } = await harness.call('GET', '/tenants/acme')
  assert.equal(status, 200)
  const at = '2026-05-02T06:00:00Z'
  assert.deepEqual(body.data, {
    ...ACME,
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
    tax_assumed: {
      terms: ['treatment', 'name', 'rate'],
      country: 'AU',
      reason: 'No tax was given; for a tenant in AU that means GST of 0.10.',
    },
    warnings: [],
    created_at: at,
    updated_at: at,
  })
})

test('a tenant abroad is billed in UTC and without tax unless it says otherwise', async () => {
  const body = { id: 'globex', legal_name: 'Globex LLC', country: 'US', currency: 'USD' }
  const made = await harness.call('POST', '/tenants', { body })
  assert.equal(made.status, 201)
  assert.equal(made.body.data.timezone, 'UTC')
  assert.equal(made.body.data.email, null)
  assert.deepEqual(made.body.data.tax, { treatment: 'export', name: null, rate: null })
})

test('what of a tenant’s tax was assumed is said, and follows its country; what was given is kept', async () => {
  const body = { ...ACME, id: 'assumed', tax_id: null, tax: { treatment: 'taxable', rate: '0.05' } }
  const made = await harness.call('POST', '/tenants', { body })
  assert.deepEqual(made.body.data.tax_assumed, {
    terms: ['name'],
    country: 'AU',
    reason: 'No tax/name was given; for a tenant in AU that means GST of 0.05.',
  })
  const change = async (changes: object) => {
    const { status, body: answer } = await harness.call('PATCH', '/tenants/assumed', { body: changes })
    return status === 200 ? [answer.data.tax, answer.data.tax_assumed?.reason] : answer.errors
  }
  // Abroad nothing says what the tax of 0.05 is called.
  assert.deepEqual(
    (await change({ country: 'NZ' })).map((fault: { path: string }) => fault.path),
    ['tax/name'],
  )
  assert.deepEqual(await change({ tax: { treatment: 'taxable', name: 'GST', rate: '0.10' } }), [
    { treatment: 'taxable', name: 'GST', rate: '0.10' },
    undefined,
  ])
  assert.deepEqual(await change({ country: 'NZ' }), [{ treatment: 'taxable', name: 'GST', rate: '0.10' }, undefined])
  const globex = await harness.call('PATCH', '/tenants/globex', { body: { country: 'AU' } })
  assert.deepEqual(globex.body.data.tax, { treatment: 'taxable', name: 'GST', rate: '0.10' })
  const back = await harness.call('PATCH', '/tenants/globex', { body: { country: 'US' } })
  assert.deepEqual(back.body.data.tax, { treatment: 'export', name: null, rate: null })
  assert.equal(
    back.body.data.tax_assumed.reason,
    'No tax was given; for a tenant in US that means no tax, as an export.',
  )
})

test('a tenant that is billed by the days of another country’s zone comes with a warning', async () => {
  const codes = async (changes: object) => {
    const { body } = await harness.call('PATCH', '/tenants/warned', { body: changes })
    return body.data.warnings.map((warning: { code: string; path: string }) => [warning.code, warning.path])
  }
  const { timezone: _, ...without } = ACME
  const made = await harness.call('POST', '/tenants', { body: { ...without, id: 'warned' } })
  assert.deepEqual(made.body.data.warnings, [
    {
      code: 'tenants/zone-of-another-country',
      path: 'timezone',
      message:
        'no place in AU keeps the time of UTC, whose days the months are billed by; set a zone of AU, such as Australia/Sydney, before the first invoice fixes it',
    },
  ])
  assert.deepEqual((await harness.call('GET', '/tenants/warned')).body.data.warnings, made.body.data.warnings)
  assert.deepEqual(await codes({ timezone: 'Australia/Perth' }), [])
  assert.deepEqual(await codes({ country: 'GB', timezone: 'UTC' }), [['tenants/zone-of-another-country', 'timezone']])
  // Iceland keeps the time of UTC all the year, and Singapore that of Perth.
  assert.deepEqual(await codes({ country: 'IS' }), [])
  assert.deepEqual(await codes({ country: 'SG', timezone: 'Australia/Perth' }), [])
})

test('the tax id of a tenant at home is an ABN whose check digits hold', async () => {
  const faults = async (method: 'POST' | 'PATCH', path: string, body: object) =>
    (await harness.call(method, path, { body })).body.errors
  const wrong = [{ path: 'tax_id', message: 'the check digit of the ABN does not hold' }]
  assert.deepEqual(await faults('POST', '/tenants', { ...ACME, id: 'wrong', tax_id: '53 004 085 617' }), wrong)
  assert.deepEqual(await faults('PATCH', '/tenants/acme', { tax_id: '53 004 085 617' }), wrong)
  const abroad = { ...ACME, id: 'abroad', country: 'DE', currency: 'EUR', tax_id: 'DE123456789' }
  assert.equal((await harness.call('POST', '/tenants', { body: abroad })).status, 201)
  assert.match((await faults('PATCH', '/tenants/abroad', { country: 'AU' }))[0].message, /eleven digits/)
})

test('a taxable tenant abroad must name its tax and rate', async () => {
  const body = { id: 'tax_1', legal_name: 'Tax', country: 'NZ', currency: 'NZD', tax: { treatment: 'taxable' } }
  const refused = await harness.call('POST', '/tenants', { body })
  assert.equal(refused.status, 422)
  assert.deepEqual(
    refused.body.errors.map((fault: { path: string }) => fault.path),
    ['tax/name', 'tax/rate'],
  )
  const tax = { treatment: 'taxable', name: 'GST', rate: '0.15' }
  const made = await harness.call('POST', '/tenants', { body: { ...body, tax } })
  assert.deepEqual(made.body.data.tax, tax)
})

test('an id is taken once, whatever its case', async () => {
  for (const id of ['acme', 'ACME']) {
    const { status, body } = await harness.call('POST', '/tenants', { body: { ...ACME, id } })
    assert.equal(status, 409)
    assert.equal(body.code, 'tenants/exists')
  }
})

test('what a tenant cannot be is refused by its path', async () => {
  const cases: [object, string][] = [
    [{ currency: 'XQZ' }, 'currency'],
    [{ currency: 'aud' }, 'currency'],
    [{ timezone: 'Mars/Olympus' }, 'timezone'],
    [{ id: 'has space' }, 'id'],
    [{ country: 'Australia' }, 'country'],
    [{ country: 'ZZ' }, 'country'],
    [{ email: 'nobody' }, 'email'],
    [{ legal_name: 7 }, 'legal_name'],
    [{ nickname: 'A' }, 'nickname'],
    [{ tax: { treatment: 'taxable', name: 'GST', rate: 0.1 } }, 'tax/rate'],
    [{ tax: { treatment: 'taxable', name: 'GST', rate: '10' } }, 'tax/rate'],
  ]
  for (const [wrong, path] of cases) {
    const { status, body } = await harness.call('POST', '/tenants', { body: { ...ACME, id: 'wrong', ...wrong } })
    assert.equal(status, 422, path)
    assert.ok(
      body.errors.some((fault: { path: string }) => fault.path === path),
      `${path} in ${JSON.stringify(body.errors)}`,
    )
  }
})

test('a code that is none is told the nearest one', async () => {
  const messageOf = async (wrong: object) =>
    (await harness.call('POST', '/tenants', { body: { ...ACME, id: 'wrong', ...wrong } })).body.errors[0].message
  const currency = 'must be three capital letters of ISO 4217; nearest to'
  assert.equal(await messageOf({ currency: 'aud' }), `${currency} "aud" is AUD`)
  assert.equal(await messageOf({ currency: 'Dollar' }), `${currency} "Dollar" is AUD`)
  assert.equal(await messageOf({ currency: 'XYZ' }), `${currency} "XYZ" is BYN`)
  assert.equal(await messageOf({ country: 'ZZ' }), 'must be two capital letters of ISO 3166; nearest to "ZZ" is AZ')
  assert.equal(
    await messageOf({ timezone: 'Sydney' }),
    'must be a time zone of the IANA database; nearest to "Sydney" is Australia/Sydney',
  )
})

test('a change sets what it names and leaves the rest', async () => {
  await harness.call('POST', '/tenants', { body: { ...ACME, id: 'changing' } })
  const body = { legal_name: 'Changed Pty Ltd', tax: { treatment: 'exempt' }, address: null }
  const { status, body: answer } = await harness.call('PATCH', '/tenants/changing', { body })
  assert.equal(status, 200)
  assert.equal(answer.data.legal_name, 'Changed Pty Ltd')
  assert.equal(answer.data.address, null)
  assert.equal(answer.data.email, ACME.email)
  assert.deepEqual(answer.data.tax, { treatment: 'exempt', name: null, rate: null })
  const moved = await harness.call('PATCH', '/tenants/changing', { body: { currency: 'NZD' } })
  assert.equal(moved.body.data.currency, 'NZD')
})

test('a change is held to the same rules', async () => {
  for (const body of [
    { timezone: 'Nowhere' },
    { country: 'ZZ' },
    { currency: 'XQZ' },
    { id: 'other' },
    { currency: 1 },
  ]) {
    assert.equal((await harness.call('PATCH', '/tenants/acme', { body })).status, 422, JSON.stringify(body))
  }
  assert.equal((await harness.call('PATCH', '/tenants/nobody', { body: {} })).status, 404)
})

test('neither the currency nor the zone of a tenant with an invoice can change', async () => {
  await harness.call('POST', '/tenants', { body: { ...ACME, id: 'invoiced' } })
  await harness.db.script(`
    insert into invoicing.invoice (tenant_id, id, period_start, period_end, status, currency, minor_unit_places, subtotal_cents, tax_cents,
      total_cents, seller, buyer, tax, engine_version, inputs_hash, created_at)
    values ('invoiced', gen_random_uuid(), '2026-04-01', '2026-05-01', 'draft', 'AUD', 2, 0, 0, 0, '{}', '{}', '{}', '1', '', now())`)
  const refused = await harness.call('PATCH', '/tenants/invoiced', { body: { currency: 'USD' } })
  assert.equal(refused.status, 409)
  assert.equal(refused.body.code, 'tenants/currency-in-use')
  const moved = await harness.call('PATCH', '/tenants/invoiced', { body: { timezone: 'Australia/Perth' } })
  assert.deepEqual([moved.status, moved.body.code], [409, 'tenants/time-zone-in-use'])
  const same = { currency: 'AUD', timezone: ACME.timezone }
  assert.equal((await harness.call('PATCH', '/tenants/invoiced', { body: same })).status, 200)
})

test('the currency of a tenant with priced LLM usage cannot change', async () => {
  await harness.call('POST', '/tenants', { body: { ...ACME, id: 'asking' } })
  await harness.db.script(`
    with owner as (
      insert into deployments.deployment (tenant_id, id, slug, display_name, llm_mode, state,
        billing_action_suspended, created_at, updated_at)
      values ('asking', gen_random_uuid(), 'app', 'App', 'metered', 'active', false, now(), now()) returning tenant_id, id
    )
    insert into llm_usage.event (tenant_id, id, gateway_id, gateway_request_id, deployment_id, occurred_at, provider,
      model, usage, charge, currency, tags, content_hash, received_at)
    select tenant_id, gen_random_uuid(), 'g', 'r', id, now(), 'p', 'm', '{}', 10, 'AUD', '{}', '', now() from owner`)
  const refused = await harness.call('PATCH', '/tenants/asking', { body: { currency: 'JPY' } })
  assert.deepEqual([refused.status, refused.body.code], [409, 'tenants/currency-in-use'])
})

test('a tenant that never had anything is deleted, with its history kept; one that had is not', async () => {
  await harness.call('POST', '/tenants', { body: { ...ACME, id: 'mistaken' } })
  const gone = await harness.call('DELETE', '/tenants/mistaken?reason=Entered%20twice')
  assert.deepEqual([gone.status, gone.text], [204, ''])
  assert.equal((await harness.call('GET', '/tenants/mistaken')).status, 404)
  assert.equal((await harness.call('DELETE', '/tenants/mistaken')).status, 404)
  const [{ type, tenant_id, actor, reason, data }] = (await harness.call('GET', '/events?subject=mistaken')).body.data
  assert.deepEqual(
    [type, tenant_id, actor, reason, data.was.legal_name],
    ['tenant.deleted', 'mistaken', 'test-platform_admin', 'Entered twice', ACME.legal_name],
  )
  assert.equal((await harness.call('POST', '/tenants', { body: { ...ACME, id: 'Mistaken' } })).status, 201)

  await harness.call('POST', '/tenants', { body: { ...ACME, id: 'owning' } })
  await harness.db.script(`
    insert into deployments.deployment (tenant_id, id, slug, display_name, llm_mode, state,
      billing_action_suspended, created_at, updated_at)
    values ('owning', gen_random_uuid(), 'app', 'App', 'off', 'archived', false, now(), now())`)
  const owning = await harness.call('DELETE', '/tenants/owning')
  assert.deepEqual([owning.status, owning.body.code], [409, 'tenants/in-use'])
  assert.deepEqual(owning.body.errors, [{ path: 'id', message: 'has deployment app' }])
  const invoiced = await harness.call('DELETE', '/tenants/invoiced')
  assert.deepEqual([invoiced.status, invoiced.body.code], [409, 'tenants/in-use'])
})

test('a tenant sees itself and nothing of others', async () => {
  const as = { tenant: 'acme' }
  assert.equal((await harness.call('GET', '/tenants/acme', { as })).status, 200)
  assert.equal((await harness.call('GET', '/tenants/globex', { as })).status, 404)
  const list = await harness.call('GET', '/tenants', { as })
  assert.deepEqual(
    list.body.data.map((row: { id: string }) => row.id),
    ['acme'],
  )
})

test('only the operator adds and changes tenants', async () => {
  for (const as of ['gateway', 'meter', { tenant: 'acme' }] as const) {
    assert.equal((await harness.call('POST', '/tenants', { as, body: ACME })).status, 403)
    assert.equal((await harness.call('PATCH', '/tenants/acme', { as, body: {} })).status, 403)
    assert.equal((await harness.call('DELETE', '/tenants/acme', { as })).status, 403)
  }
  assert.equal((await harness.call('GET', '/tenants', { as: 'nobody' })).status, 401)
})

test('pages follow one another without gaps', async () => {
  const whole = await harness.call('GET', '/tenants')
  const first = await harness.call('GET', '/tenants?limit=1')
  const rest = await harness.call('GET', `/tenants?cursor=${first.body.next_cursor}`)
  assert.deepEqual([...first.body.data, ...rest.body.data], whole.body.data)
  assert.equal(rest.body.next_cursor, null)
  assert.equal((await harness.call('GET', '/tenants?cursor=nonsense')).status, 422)
  assert.equal((await harness.call('GET', '/tenants?limit=0')).status, 422)
})
