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

const AGGREGATIONS = ['sum', 'count', 'max', 'last', 'unique_count', 'time_weighted_sum']

let harness: Awaited<ReturnType<typeof testHttp>>
before(async () => {
  harness = await testHttp((edge) => [tenantsRoutes(edge), catalogRoutes(edge)])
  const { call } = harness
  await call('POST', '/tenants', { body: { id: 'acme', legal_name: 'Acme', country: 'AU', currency: 'AUD' } })
  await call('POST', '/tenants', { body: { id: 'globex', legal_name: 'Globex', country: 'US', currency: 'USD' } })
  for (const aggregation of AGGREGATIONS) {
    const unique = aggregation === 'unique_count' ? { unique_property: 'user' } : {}
    await call('POST', '/meters', { body: { code: `m_${aggregation}`, name: 'x', unit: 'x', aggregation, ...unique } })
  }
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
    engine_version: '3',
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

test('forints have two places: 55 × 0.9 with 27 % tax', async () => {
  const charges = [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.9' }]
  const plan = { currency: 'HUF', base_price_cents: 0, charges }
  const tax = { name: 'VAT', rate: '0.27' }
  const { body } = await quote({ plan, addons: [], usage: { droplet_hours: '55' }, tax })
  const { subtotal_cents, tax_cents, total_cents } = body.data
  assert.deepEqual([subtotal_cents, tax_cents, total_cents], [4950, 1337, 6287])
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
  const { body } = await quote({ llm_charges: ['0.004', '4e-3', '0.4E-02'] })
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

test('what was assumed of the tax is said, and from what', async () => {
  const assumed = async (changes: object) => (await quote(changes)).body.data.tax_assumed
  assert.equal(await assumed({}), undefined)
  assert.deepEqual(await assumed({ tax: undefined, tenant_id: 'acme' }), {
    terms: ['treatment', 'name', 'rate'],
    country: 'AU',
    reason: 'No tax was given; for a tenant in AU that means GST of 0.10.',
  })
  assert.deepEqual(await assumed({ tax: undefined }), {
    terms: ['treatment'],
    country: null,
    reason: 'Neither a tax nor a tenant was given; no tax is charged.',
  })
  const tax = { treatment: 'exempt' }
  const body = { id: 'given', legal_name: 'Given', country: 'AU', currency: 'AUD', tax }
  await harness.call('POST', '/tenants', { body })
  assert.equal(await assumed({ tax: undefined, tenant_id: 'given' }), undefined)
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

test('a tenant cannot tell a draft from a version that does not exist', async () => {
  const [draft, nothing] = await Promise.all(
    [2, 9].map((version) => quote({ plan: { code: 'studio', version } }, { tenant: 'acme' })),
  )
  assert.deepEqual([draft?.status, draft?.body.code], [422, 'catalog/unknown-plan'])
  assert.equal(draft?.text, nothing?.text.replaceAll('9', '2'))
})

test('an amount that no invoice could have is refused', async () => {
  const plan = { ...STUDIO, charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '999999999' }] }
  const { status, body } = await quote({ plan, usage: { droplet_hours: '999999999999999' }, addons: [] })
  assert.deepEqual([status, body.code], [422, 'catalog/amount-too-large'])
  assert.match(body.detail, /^droplet_hours usage comes to 999,?999/)
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
  const eventPath = (field: string) => `usage/droplet_hours/0/${field}`
  const each = (meter: string) => ({ meter, model: 'percentage', rate: '0', fixed_per_event: '1' })
  const YEARLY = { ...STUDIO, interval: 'year' }
  const gap = { meter: 'api_calls', model: 'graduated', tiers: [{ up_to: '10', unit_price: '1' }] }
  const cases: [object, string][] = [
    [{ active: { start: '2026-03-01', end: '2026-04-02' } }, 'active'],
    [{ period: { start: '2026-05-01', end: '2026-04-01' } }, 'period/end'],
    [{ usage: { droplet_hours: 2160 } }, 'usage/droplet_hours'],
    [{ usage: { droplet_hours: '-1' } }, 'usage/droplet_hours'],
    [{ usage: { droplet_hours: [{ quantity: '1' }, { quantity: '-1' }] } }, 'usage/droplet_hours/1/quantity'],
    [{ usage: { droplet_hours: [{ quantity: '1', occurred_at: '2026-03-31T23:59:59Z' }] } }, eventPath('occurred_at')],
    [{ usage: { droplet_hours: [{ quantity: '1', occurred_at: '2026-05-01T00:00:00Z' }] } }, eventPath('occurred_at')],
    [{ usage: { droplet_hours: [{ quantity: '1', surprise: 1 }] } }, eventPath('surprise')],
    [{ usage: { m_unique_count: [{ quantity: '1' }] } }, 'usage/m_unique_count/0/properties/user'],
    [{ usage: { m_sum: [{ quantity: '1', properties: { tags: ['a'] } }] } }, 'usage/m_sum/0/properties/tags'],
    [{ usage: { m_sum: [{ quantity: '1', properties: { at: { a: 1 } } }] } }, 'usage/m_sum/0/properties/at'],
    [{ plan: REQUESTS, usage: { 'requests[region=syd1]': [] } }, 'usage/requests[region=syd1]'],
    [{ plan: REQUESTS, usage: { 'requests[region=syd1]': '1', requests: [] } }, 'usage/requests[region=syd1]'],
    [{ plan: REQUESTS, usage: { 'requests[region=ams3]': '1' } }, 'usage/requests[region=ams3]'],
    [{ plan: { ...STUDIO, charges: [each('payments')] }, usage: { payments: '1' } }, 'usage/payments'],
    [{ plan: { ...STUDIO, charges: [each('m_max')] } }, 'plan/charges/0/meter'],
    [{ discounts: [{ name: 'None' }] }, 'discounts/0/rate'],
    [
      {
        discounts: [
          { name: 'Ok', rate: '1' },
          { name: 'More', rate: '1.1' },
        ],
      },
      'discounts/1/rate',
    ],
    [{ year: { start: '2026-01-01', end: '2027-01-01' } }, 'year'],
    [
      { plan: YEARLY, year: { start: '2026-01-01', end: '2027-01-01', discounts: [{ name: 'None' }] } },
      'year/discounts/0/rate',
    ],
    [{ plan: YEARLY, year: { start: '2026-01-01', end: '2026-07-01' } }, 'year'],
    [{ plan: YEARLY, year: { start: '2025-04-20', end: '2026-04-20' } }, 'year'],
    [{ llm_charges: [0.0123] }, 'llm_charges/0'],
    [{ llm_charges: ['1', '1E-21'] }, 'llm_charges/1'],
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

const REQUESTS = {
  currency: 'AUD',
  base_price_cents: 0,
  charges: [
    { meter: 'requests', filter: { region: ['syd1', 'syd2'], tier: ['a'] }, model: 'per_unit', unit_price: '3' },
    { meter: 'requests', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '2' },
    { meter: 'requests', model: 'per_unit', unit_price: '1' },
  ],
}

async function usageLines(changes: object): Promise<string[]> {
  const { status, body, text } = await quote({ addons: [], ...changes })
  assert.equal(status, 200, text)
  return body.data.lines
    .filter(({ kind }: { kind: string }) => kind === 'usage')
    .map((line: { description: string; details: { metered_quantity: string }; amount_precise: string }) =>
      [line.description, line.details.metered_quantity, line.amount_precise].join(' '),
    )
}

test('events go to the first charge whose filter they meet, and quantities to the one they name', async () => {
  const events = [
    { quantity: '1', properties: { region: 'syd1', tier: 'a' } },
    { quantity: '10', properties: { region: 'syd1', tier: 'b' }, occurred_at: '2026-04-03T00:00:00Z' },
    { quantity: '100', properties: { region: 'syd2' } },
    { quantity: '1000' },
  ]
  const lines = [
    'requests[region=syd1|syd2,tier=a] usage 1 3',
    'requests[region=syd1] usage 10 20',
    'requests usage 1100 1100',
  ]
  assert.deepEqual(await usageLines({ plan: REQUESTS, usage: { requests: events } }), lines)
  const quantities = { 'requests[region=syd1|syd2,tier=a]': '1', 'requests[region=syd1]': '10', requests: '1100' }
  assert.deepEqual(await usageLines({ plan: REQUESTS, usage: quantities }), lines)
})

test('each meter makes its own quantity of events, and one that nobody knows their sum', async () => {
  const codes = [...AGGREGATIONS.map((aggregation) => `m_${aggregation}`), 'unknown']
  const events = [
    { quantity: '4', properties: { user: 'a' }, occurred_at: '2026-04-30T00:00:00Z' },
    { quantity: '0.5', properties: { user: 'b' }, occurred_at: '2026-04-16T00:00:00Z' },
    { quantity: '2', properties: { user: 'a' } },
  ]
  const plan = {
    ...REQUESTS,
    charges: codes.map((meter) => ({ meter, model: 'per_unit', unit_price: '1' })),
  }
  assert.deepEqual(await usageLines({ plan, usage: Object.fromEntries(codes.map((code) => [code, events])) }), [
    'm_sum usage 6.5 6.5',
    'm_count usage 3 3',
    'm_max usage 4 4',
    'm_last usage 4 4',
    'm_unique_count usage 2 2',
    'm_time_weighted_sum usage 1716 1716', // 2 for 720 hours, 0.5 more for 360 and 4 more for 24
    'unknown usage 6.5 6.5',
  ])
})

test('a level comes with what was there before, and counts in the tenant’s zone', async () => {
  const plan = { ...REQUESTS, charges: [{ meter: 'm_time_weighted_sum', model: 'per_unit', unit_price: '1' }] }
  const events = [
    { quantity: '5', occurred_at: '2026-02-01T00:00:00Z' },
    { quantity: '-4', occurred_at: '2026-03-01T00:00:00Z' },
  ]
  const usage = { m_time_weighted_sum: events }
  assert.deepEqual(await usageLines({ plan, usage }), ['m_time_weighted_sum usage 720 720'])
  const tenant = { legal_name: 'Hobart', country: 'AU', currency: 'AUD', timezone: 'Australia/Hobart' }
  await harness.call('POST', '/tenants', { body: { id: 'hobart', ...tenant } })
  assert.deepEqual(await usageLines({ plan, usage, tenant_id: 'hobart' }), ['m_time_weighted_sum usage 721 721'])
})

test('2.99 % with 1.75 to 12.00 for each of three events is 16.14', async () => {
  const per_event = { rate: '0.0299', min_per_event: '1.75', max_per_event: '12' }
  const plan = { ...REQUESTS, charges: [{ meter: 'payments', model: 'percentage', ...per_event }] }
  const payments = ['10', '80', '10000'].map((quantity) => ({ quantity }))
  assert.deepEqual(await usageLines({ plan, usage: { payments } }), ['payments usage 10090 16.142'])
})

test('a yearly plan is billed in the month its year begins, and given back what is left of it', async () => {
  const plan = { currency: 'AUD', interval: 'year', base_price_cents: 36_500 }
  const lines = async (changes: object) => {
    const { status, body, text } = await quote({ plan, addons: [], usage: {}, ...changes })
    assert.equal(status, 200, text)
    return body.data.lines.flatMap((line: { kind: string; amount_cents: number }) =>
      line.kind === 'tax' ? [] : [`${line.kind} ${line.amount_cents}`],
    )
  }
  assert.deepEqual(await lines({}), ['plan_base 36500'])
  assert.deepEqual(await lines({ year: { start: '2026-01-01', end: '2027-01-01' } }), [])
  const left = { active: { start: '2026-04-01', end: '2026-04-11' } }
  assert.deepEqual(await lines({ ...left, year: { start: '2025-04-21', end: '2026-04-21' } }), ['credit -1000'])
  assert.deepEqual(await lines({ ...left }), ['plan_base 36500', 'credit -35500'])
  assert.deepEqual(await lines({ ...left, left: false }), ['plan_base 36500'])
})

test('a yearly plan that is left at the period’s end gives back what its discounts left of the year', async () => {
  const plan = { currency: 'AUD', interval: 'year', base_price_cents: 36_500 }
  const half = { name: 'Half', rate: '0.5' }
  const credits = async (changes: object) => {
    const { status, body, text } = await quote({ plan, addons: [], usage: {}, left: true, ...changes })
    assert.equal(status, 200, text)
    return body.data.lines.flatMap((line: { kind: string; amount_cents: number }) =>
      line.kind === 'credit' ? [line.amount_cents] : [],
    )
  }
  const year = { start: '2025-05-11', end: '2026-05-11' }
  assert.deepEqual(await credits({ year }), [-1_000])
  assert.deepEqual(await credits({ year, discounts: [half] }), [-500])
  assert.deepEqual(await credits({ year: { ...year, discounts: [half] } }), [-500])
  assert.deepEqual(await credits({ year: { ...year, discounts: [] }, discounts: [half] }), [-1_000])
  assert.deepEqual(await credits({ year: { start: '2025-05-01', end: '2026-05-01' } }), [])
})

test('what is used on the day that a subscription ends counts, where that is a day of the period', async () => {
  const plan = { ...STUDIO, charges: [{ meter: 'requests', model: 'per_unit', unit_price: '1' }] }
  const lines = async (day: string, changes: object) => {
    const usage = { requests: [{ quantity: '7', occurred_at: `${day}T09:00:00Z` }] }
    const { body } = await quote({ plan, addons: [], usage, ...changes })
    return body.data?.lines.map((line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`)
  }
  const active = { start: '2026-04-01', end: '2026-04-16' }
  assert.deepEqual(await lines('2026-04-16', { active }), ['plan_base 2500', 'usage 700', 'tax 320'])
  assert.equal(await lines('2026-04-16', { active, left: false }), undefined)
  assert.equal(await lines('2026-04-17', { active }), undefined)
  assert.equal(await lines('2026-05-01', { left: true }), undefined)
  // Cancelled on its first day, or on the first of the month.
  const day = { start: '2026-04-01', end: '2026-04-01' }
  assert.deepEqual(await lines('2026-04-01', { active: day }), ['usage 700', 'tax 70'])
  assert.equal(await lines('2026-04-02', { active: day }), undefined)
  const year = { start: '2025-04-01', end: '2026-04-01' }
  const yearly = { ...plan, interval: 'year' }
  assert.deepEqual(await lines('2026-04-01', { active: day, plan: yearly, year }), ['usage 700', 'tax 70'])
  const beyond = await quote({ active: { start: '2026-05-01', end: '2026-05-01' } })
  assert.deepEqual(beyond.body.errors, [{ path: 'active', message: 'must lie within period' }])
})

test('a commitment fills up and discounts are taken off, in their order', async () => {
  const { status, body } = await quote({
    plan: { ...STUDIO, commitment_cents: 10_000 },
    discounts: [
      { name: 'Tenth', rate: '0.10' },
      { name: 'Base', amount_cents: 500, line_kinds: ['plan_base'] },
    ],
  })
  assert.equal(status, 200)
  assert.deepEqual(
    body.data.lines.map((line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`),
    [
      'plan_base 5000',
      'addon 750',
      'overage 672',
      'minimum 3578',
      'credit -500',
      'credit -75',
      'credit -67',
      'credit -358',
      'credit -500',
      'tax 850',
    ],
  )
  assert.equal(body.data.subtotal_cents, 8_500)
})

test('a trial and a pause are quoted as they are billed', async () => {
  const lines = async (changes: object) =>
    (await quote(changes)).body.data.lines.map(
      (line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`,
    )
  assert.deepEqual(await lines({ mode: 'trial' }), ['overage 0', 'tax 0'])
  assert.deepEqual(await lines({ mode: 'paused' }), ['usage 2160', 'tax 216'])
  const plan = { currency: 'AUD', interval: 'year', base_price_cents: 36_500 }
  const yearly = { plan, addons: [], usage: {}, year: { start: '2026-01-01', end: '2027-01-01' } }
  assert.deepEqual(await lines({ ...yearly, mode: 'paused' }), ['credit -3000', 'tax -300'])
  assert.deepEqual(await lines({ ...yearly, mode: 'trial' }), [])
  const { status, body } = await quote({ mode: 'asleep' })
  assert.deepEqual([status, body.errors[0].path], [422, 'mode'])
})

test('prices of one’s own take the place of those of the plan, and name what they have wrong', async () => {
  const charge = { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.02', included_quantity: '2000' }
  const { body } = await quote({ override: { base_price_cents: 4_000, commitment_cents: 6_000, charges: [charge] } })
  assert.deepEqual(
    body.data.lines.map((line: { kind: string; amount_cents: number }) => `${line.kind} ${line.amount_cents}`),
    ['plan_base 4000', 'addon 750', 'overage 320', 'minimum 930', 'tax 600'],
  )
  const wrong = await quote({
    override: {
      charges: [
        { ...charge, unit_price: '-1' },
        { meter: 'nothing', model: 'per_unit', unit_price: '1' },
      ],
    },
  })
  assert.equal(wrong.status, 422)
  assert.deepEqual(
    wrong.body.errors.map(({ path }: { path: string }) => path),
    ['override/charges/0/unit_price', 'override/charges/1/meter'],
  )
})

test('machines that send usage ask for no quotes', async () => {
  assert.equal((await harness.call('POST', '/quotes', { as: 'meter', body: QUOTE })).status, 403)
})
