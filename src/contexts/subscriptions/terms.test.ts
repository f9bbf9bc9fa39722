import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type RawBuilder, sql } from 'kysely'
import { monthOf, period } from '../../kernel/period.ts'
import { discountsIn, planYear, readSubscriptions } from './index.ts'
import { NOW, outline, testSubscriptions, TODAY, UNKNOWN } from './subscriptions.fixture.ts'

let harness: Awaited<ReturnType<typeof testSubscriptions>>
before(async () => {
  harness = await testSubscriptions()
})
after(() => harness.close())

const post = (path: string, body: object) => harness.call('POST', path, { body })
const on = (id: string, path: string, body: object = {}) => post(`/subscriptions/${id}/${path}`, body)
const off = (id: string, path: string) => harness.call('DELETE', `/subscriptions/${id}/${path}`)
const read = async (id: string) => (await harness.call('GET', `/subscriptions/${id}`)).body.data
const refusal = ({ status, body }: Awaited<ReturnType<typeof post>>) => [status, body.code, body.errors?.[0]?.path]

type PhaseOut = { plan_code: string; override_id: string | null; starts_on: string; ends_on: string | null }
/** The plan of each phase, with a star where an override holds. */
const terms = (data: { phases: PhaseOut[] }) =>
  data.phases.map(
    (phase) => `${phase.plan_code}${phase.override_id === null ? '' : '*'} ${phase.starts_on} ${phase.ends_on ?? '…'}`,
  )

test('a plan changes and a subscription ends now, on a date that may have passed, or with the month', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  const at_end = await on(id, 'plan-change', { plan_code: 'team', when: 'period_end' })
  assert.deepEqual(outline(at_end.body.data), ['studio normal 2026-04-01 2026-06-01', 'team normal 2026-06-01 …'])
  const at_once = await on(id, 'plan-change', { plan_code: 'team', when: 'now' })
  assert.deepEqual(outline(at_once.body.data), [`studio normal 2026-04-01 ${TODAY}`, `team normal ${TODAY} …`])
  const earlier = await on(id, 'plan-change', { plan_code: 'team', effective_date: '2026-04-10' })
  assert.equal(outline(earlier.body.data)[1], 'team normal 2026-04-10 …')
  for (const [path, body] of [
    ['plan-change', { plan_code: 'team', effective_date: TODAY, when: 'now' }],
    ['cancel', { end_date: TODAY, when: 'period_end' }],
  ] as const) {
    assert.deepEqual(refusal(await on(id, path, body)), [422, 'request/invalid', 'when'])
  }
  assert.equal((await on(id, 'cancel', { when: 'period_end' })).body.data.ends_on, '2026-06-01')
  const beyond = await on(id, 'plan-change', { plan_code: 'team', when: 'period_end' })
  assert.deepEqual(refusal(beyond), [422, 'subscriptions/outside-subscription', 'when'])
  harness.clock.set('2026-06-01T00:00:00Z')
  assert.deepEqual(refusal(await on(id, 'cancel', { when: 'period_end' })), [
    409,
    'subscriptions/already-ended',
    'when',
  ])
  harness.clock.set(NOW)
})

test('an add-on ends on the day that is named, also one that has passed', async () => {
  const { id, data } = await harness.subscribed({ start_date: '2026-04-10', addons: [{ code: 'storage' }] })
  const path = `addons/${data.addons[0].id}`
  const early = await off(id, `${path}?end_date=2026-04-09`)
  assert.deepEqual(refusal(early), [422, 'subscriptions/outside-subscription', 'end_date'])
  assert.equal((await off(id, `${path}?end_date=2026-05-31`)).body.data.addons[0].ends_on, '2026-05-31')
  assert.equal((await off(id, `${path}?end_date=2026-04-20`)).body.data.addons[0].ends_on, '2026-04-20')
  assert.equal((await off(id, `${path}?end_date=2026-04-25`)).body.data.addons[0].ends_on, '2026-04-20')
  assert.deepEqual(refusal(await off(id, `${path}?end_date=soon`)), [422, 'request/invalid', 'end_date'])
})

test('what is attached keeps the price that it was sold at', async () => {
  const { id } = await harness.subscribed({ addons: [{ code: 'storage' }] })
  await harness.call('PATCH', '/addons/storage', { body: { price_cents: 990 } })
  const { body } = await on(id, 'addons', { code: 'storage' })
  await harness.call('PATCH', '/addons/storage', { body: { price_cents: 750 } })
  const prices = body.data.addons.map((addon: { price_cents: number }) => addon.price_cents)
  assert.deepEqual(prices.toSorted(), [750, 990])
})

test('a version that is retired stays with those who have it and is not sold', async () => {
  await harness.sell('leaving', { base_price_cents: 1000 })
  const { id } = await harness.subscribed({ plan_code: 'leaving' })
  await post('/plans/leaving/versions/1/retire', {})
  assert.deepEqual(terms(await read(id)), [`leaving ${TODAY} …`])
  const sold = await harness.order(await harness.deploy(), { plan_code: 'leaving' })
  assert.deepEqual(refusal(sold), [422, 'catalog/plan-not-published', 'plan_code'])
  const named = await harness.order(await harness.deploy(), { plan_code: 'leaving', plan_version: 1 })
  assert.deepEqual(refusal(named), [422, 'catalog/plan-not-published', 'plan_version'])
})

test('a tenant reads its own subscription, and no other', async () => {
  const { id, data } = await harness.subscribed({ addons: [{ code: 'storage' }] })
  const as = (tenant: string) => harness.call('GET', `/subscriptions/${id}`, { as: { tenant } })
  assert.deepEqual((await as('acme')).body.data, data)
  assert.equal((await as('other')).status, 404)
  assert.equal((await harness.call('GET', `/subscriptions/${UNKNOWN}`)).status, 404)
})

test('an override holds on its days, takes the place of another and goes with a change of plan', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  const charge = { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.005', included_quantity: '100' }
  const made = await on(id, 'overrides', { base_price_cents: 4000, charges: [charge], start_date: '2026-04-10' })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual(terms(made.body.data), ['studio 2026-04-01 2026-04-10', 'studio* 2026-04-10 …'])
  const [override] = made.body.data.overrides
  assert.deepEqual([override.base_price_cents, override.commitment_cents], [4000, null])
  assert.deepEqual(override.charges, [charge])

  const second = await on(id, 'overrides', { commitment_cents: 0, start_date: '2026-04-20', end_date: '2026-05-01' })
  assert.deepEqual(terms(second.body.data), [
    'studio 2026-04-01 2026-04-10',
    'studio* 2026-04-10 2026-04-20',
    'studio* 2026-04-20 2026-05-01',
    'studio* 2026-05-01 …',
  ])
  assert.equal(second.body.data.overrides.length, 2)
  const ids = second.body.data.phases.map((phase: PhaseOut) => phase.override_id)
  assert.deepEqual([ids[1], ids[3]], [override.id, override.id])

  const changed = await on(id, 'plan-change', { plan_code: 'team', effective_date: '2026-05-10' })
  assert.deepEqual(terms(changed.body.data).slice(-2), ['studio* 2026-05-01 2026-05-10', 'team 2026-05-10 …'])
  const later = await on(id, 'overrides', { base_price_cents: 1, start_date: '2026-05-05' })
  assert.deepEqual(terms(later.body.data).slice(-2), ['studio* 2026-05-05 2026-05-10', 'team 2026-05-10 …'])
})

test('an override ends on a day, today where none is named, and a pause leaves it as it is', async () => {
  const { id, deployment_id } = await harness.subscribed({ start_date: '2026-04-01' })
  const made = await on(id, 'overrides', { base_price_cents: 0, start_date: '2026-04-10' })
  await harness.move(deployment_id, 'paused')
  const path = `overrides/${made.body.data.overrides[0].id}`
  assert.deepEqual(refusal(await off(id, `${path}?end_date=2026-04-01`)), [
    422,
    'subscriptions/outside-subscription',
    'end_date',
  ])
  const later = await off(id, `${path}?end_date=2026-05-20`)
  assert.deepEqual(terms(later.body.data), [
    'studio 2026-04-01 2026-04-10',
    `studio* 2026-04-10 ${TODAY}`,
    `studio* ${TODAY} 2026-05-20`,
    'studio 2026-05-20 …',
  ])
  const today = await off(id, path)
  assert.deepEqual(terms(today.body.data).slice(1), [`studio* 2026-04-10 ${TODAY}`, `studio ${TODAY} …`])
  const never = await off(id, `${path}?end_date=2026-04-10`)
  assert.deepEqual([terms(never.body.data)[0], never.body.data.overrides], [`studio 2026-04-01 ${TODAY}`, []])
  assert.equal((await off(id, path)).status, 404)
})

test('an override that cannot be rated is refused with every mistake', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  const charges = [
    { meter: 'nothing', model: 'per_unit', unit_price: '-1' },
    { meter: 'droplet_hours', model: 'volume', tiers: [{ up_to: '5', unit_price: '1' }] },
  ]
  const refused = await on(id, 'overrides', { charges, start_date: TODAY, end_date: TODAY })
  assert.deepEqual([refused.status, refused.body.code], [422, 'request/invalid'])
  assert.deepEqual(refused.body.errors.map((fault: { path: string }) => fault.path).toSorted(), [
    'charges/0/meter',
    'charges/0/unit_price',
    'charges/1/tiers/0/up_to',
    'end_date',
  ])
  assert.deepEqual(refusal(await on(id, 'overrides', {})), [422, 'request/invalid', 'charges'])
  assert.deepEqual(refusal(await on(id, 'overrides', { base_price_cents: -1 })), [
    422,
    'request/invalid',
    'base_price_cents',
  ])
  assert.deepEqual(refusal(await on(id, 'overrides', { base_price_cents: 1, start_date: '2026-03-31' })), [
    422,
    'subscriptions/outside-subscription',
    'start_date',
  ])
  assert.deepEqual(terms(await read(id)), ['studio 2026-04-01 …'])
})

test('a discount lasts its months, that of its start included, and applies in the order given', async () => {
  const { id, deployment_id } = await harness.subscribed({ start_date: '2026-01-31' })
  await on(id, 'discounts', { name: 'Three months', rate: '0.25', start_date: '2026-01-31', periods: 3 })
  const kinds = ['plan_base', 'addon']
  const made = await on(id, 'discounts', { name: 'Loyal', amount_cents: 500, line_kinds: kinds, start_date: TODAY })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual(
    made.body.data.discounts.map(({ id: _id, ...discount }: { id: string }) => discount),
    [
      {
        name: 'Three months',
        rate: '0.25',
        amount_cents: null,
        line_kinds: null,
        starts_on: '2026-01-31',
        ends_on: '2026-04-01',
      },
      { name: 'Loyal', rate: null, amount_cents: 500, line_kinds: kinds, starts_on: TODAY, ends_on: null },
    ],
  )
  const names = async (month: string) => {
    const of = monthOf(Temporal.PlainDate.from(month))
    // As far as the day after, as the invoice reads it.
    const [billed] = await readSubscriptions(harness.db.read, {
      period: { start: of.start, end: of.end.add({ days: 1 }) },
      deployment_id,
    })
    assert.ok(billed)
    return discountsIn(billed, of).map(({ name, amount_cents }) => [name, amount_cents])
  }
  assert.deepEqual(await names('2026-03-01'), [['Three months', null]])
  assert.deepEqual(await names('2026-04-01'), [])
  assert.deepEqual(await names('2026-05-01'), [['Loyal', 500n]])

  const path = `discounts/${made.body.data.discounts[1].id}`
  assert.equal((await off(id, `${path}?end_date=2026-07-01`)).body.data.discounts[1].ends_on, '2026-07-01')
  assert.deepEqual([await names('2026-06-01'), await names('2026-07-01')], [[['Loyal', 500n]], []])
  assert.equal((await off(id, path)).body.data.discounts[1].ends_on, TODAY)
  assert.deepEqual(await names('2026-05-01'), [])
  assert.equal((await off(id, `discounts/${UNKNOWN}`)).status, 404)
})

test('a discount says by how much, once, and on which lines', async () => {
  const { id } = await harness.subscribed()
  const cases: [object, string][] = [
    [{ name: 'None' }, 'rate'],
    [{ name: 'Both', rate: '0.1', amount_cents: 100 }, 'amount_cents'],
    [{ name: 'Too much', rate: '1.01' }, 'rate'],
    [{ name: 'Nothing', rate: '0' }, 'rate'],
    [{ name: 'Free', amount_cents: 0 }, 'amount_cents'],
    [{ name: 'On tax', rate: '0.1', line_kinds: ['tax'] }, 'line_kinds/0'],
    [{ name: 'Never', rate: '0.1', periods: 0 }, 'periods'],
    [{ rate: '0.1' }, 'name'],
  ]
  for (const [body, path] of cases) {
    assert.deepEqual(refusal(await on(id, 'discounts', body)), [422, 'request/invalid', path], JSON.stringify(body))
  }
  const early = await on(id, 'discounts', { name: 'Early', rate: '0.1', start_date: '2026-05-01' })
  assert.deepEqual(refusal(early), [422, 'subscriptions/outside-subscription', 'start_date'])
  assert.deepEqual((await read(id)).discounts, [])
})

test('billing reads overrides by the phases that name them, and the years of a yearly plan from its first day', async () => {
  await harness.sell('yearly', { interval: 'year', base_price_cents: 50_000 })
  const { id, deployment_id } = await harness.subscribed({
    plan_code: 'yearly',
    start_date: '2024-02-15',
    trial_days: 14,
  })
  await on(id, 'overrides', { base_price_cents: 40_000, start_date: '2025-02-01', end_date: '2025-04-01' })
  const [billed] = await readSubscriptions(harness.db.read, {
    period: period('2026-02-01', '2026-03-01'),
    deployment_id,
  })
  assert.ok(billed)
  assert.equal(billed.phases.length, 1)
  assert.equal(billed.yearly_phases.length, 4)
  const year = planYear(billed.yearly_phases, Temporal.PlainDate.from('2026-02-10'))
  assert.deepEqual([year?.period.start.toString(), year?.period.end.toString()], ['2025-02-28', '2026-02-28'])
  assert.equal(billed.overrides.get(year?.override_id ?? '')?.base_price_cents, 40_000n)
  const monthly = await harness.subscribed()
  const [other] = await readSubscriptions(harness.db.read, {
    period: period('2026-05-01', '2026-06-01'),
    deployment_id: monthly.deployment_id,
  })
  assert.deepEqual([other?.yearly_phases, other?.discounts, other?.overrides.size], [[], [], 0])
})

type Item = { description: string; amount_cents: number }
const items = (list: Item[]) => list.map(({ description, amount_cents }) => `${description} ${amount_cents}`)

test('a preview says what is credited and charged to the cent, and stores nothing', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  const was = await read(id)
  const previewed = await on(id, 'plan-change?preview=true', { plan_code: 'team', effective_date: '2026-05-17' })
  assert.equal(previewed.status, 200, previewed.text)
  const { subscription, months, difference_cents } = previewed.body.data
  assert.deepEqual(outline(subscription), ['studio normal 2026-04-01 2026-05-17', 'team normal 2026-05-17 …'])
  assert.equal(months.length, 1)
  const [may] = months
  assert.deepEqual(may.period, { start: '2026-05-01', end: '2026-06-01' })
  // 50.00 for 16 of 31 days is 25.81, 80.00 for the other 15 is 38.71; the tax of 64.52 is 6.45.
  assert.deepEqual([may.before.total_cents, may.after.total_cents], [5500, 7097])
  assert.deepEqual(items(may.credited), ['studio v1 base price 2419'])
  assert.deepEqual(items(may.charged).toSorted(), ['GST 10 % 145', 'team v1 base price 3871'])
  assert.deepEqual([may.difference_cents, difference_cents], [1597, 1597])
  assert.deepEqual(await read(id), was)
})

test('every change of a subscription can be previewed, in each month that it touches', async () => {
  const { id, data, deployment_id } = await harness.subscribed({
    start_date: '2026-03-01',
    addons: [{ code: 'storage' }],
  })
  const was = await read(id)
  const change = async (path: string, body?: object) => {
    const method = body === undefined ? 'DELETE' : 'POST'
    const answer = await harness.call(method, `/subscriptions/${id}/${path}`, body === undefined ? {} : { body })
    assert.equal(answer.status, 200, answer.text)
    return answer.body.data.months.map((month: { difference_cents: number }) => month.difference_cents)
  }
  const addon = `addons/${data.addons[0].id}`
  assert.deepEqual(await change('addons?preview=true', { code: 'storage', start_date: '2026-03-17' }), [399, 825, 825])
  assert.deepEqual(await change(`${addon}?preview=true&end_date=2026-04-01`), [-825, -825])
  assert.deepEqual(await change('cancel?preview=true', { when: 'period_end' }), [-6325])
  assert.deepEqual(await change('cancel?preview=true', { end_date: '2026-05-01' }), [-6325])
  assert.deepEqual(
    await change('overrides?preview=true', { base_price_cents: 4000, start_date: '2026-05-01' }),
    [-1100],
  )
  assert.deepEqual(await change('discounts?preview=true', { name: 'Half', rate: '0.5' }), [-3162])
  assert.deepEqual(await read(id), was)

  const override = await on(id, 'overrides', { base_price_cents: 4000, start_date: '2026-05-01' })
  const discount = await on(id, 'discounts', { name: 'Half', rate: '0.5' })
  assert.deepEqual(
    await change(`overrides/${override.body.data.overrides[0].id}?preview=true&end_date=2026-05-01`),
    [550],
  )
  assert.deepEqual(await change(`discounts/${discount.body.data.discounts[0].id}?preview=true`), [2612])
  assert.deepEqual(await read(id), discount.body.data)

  await on(id, 'cancel', { end_date: '2026-05-01' })
  const again = await post(`/deployments/${deployment_id}/subscribe?preview=true`, { plan_code: 'team' })
  assert.equal(again.status, 200, again.text)
  assert.deepEqual(items(again.body.data.months[0].charged)[0], 'team v1 base price 7742')
  assert.equal((await harness.call('GET', `/subscriptions/${again.body.data.subscription.id}`)).status, 404)
})

test('a preview refuses what the change would', async () => {
  const { id } = await harness.subscribed({ start_date: '2020-01-01' })
  const refused = await on(id, 'plan-change?preview=true', { plan_code: 'dollars' })
  assert.deepEqual(refusal(refused), [422, 'subscriptions/currency-mismatch', 'plan_code'])
  const ended = await harness.call('POST', `/subscriptions/${id}/cancel?preview=maybe`, { body: {} })
  assert.deepEqual(refusal(ended), [422, 'request/invalid', 'preview'])
})

test('only the operator gives terms, and what does not exist is not found', async () => {
  const { id } = await harness.subscribed()
  for (const [path, body] of [
    ['overrides', { base_price_cents: 1 }],
    ['discounts', { name: 'Half', rate: '0.5' }],
  ] as const) {
    assert.equal((await on(UNKNOWN, path, body)).status, 404)
    const answer = await harness.call('POST', `/subscriptions/${id}/${path}`, { body, as: { tenant: 'acme' } })
    assert.equal(answer.status, 403)
    const removed = await harness.call('DELETE', `/subscriptions/${id}/${path}/${UNKNOWN}`, { as: { tenant: 'acme' } })
    assert.equal(removed.status, 403)
  }
})

test('an override with an empty list of charges overrides nothing, and is refused', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  assert.deepEqual(refusal(await on(id, 'overrides', { charges: [] })), [422, 'request/invalid', 'charges'])
})

test('what gets past the checks of terms is refused by the database, as a problem', async () => {
  const { id } = await harness.subscribed({ start_date: '2026-04-01' })
  const own = sql`s.tenant_id, gen_random_uuid(), s.id`
  const from = sql`from subscriptions.subscription s where s.id = ${id}`
  const override = (values: RawBuilder<unknown>) => sql`
    insert into subscriptions.override (tenant_id, id, subscription_id, created_at, base_price_cents, charges)
    select ${own}, now(), ${values} ${from}`
  const discount = (values: RawBuilder<unknown>) => sql`
    insert into subscriptions.discount
      (tenant_id, id, subscription_id, created_at, name, position, rate, amount_cents, starts_on, ends_on)
    select ${own}, now(), 'x', ${values} ${from}`
  const sound = discount(sql`7, 0.5, null::bigint, date '2026-04-02', null::date`)
  const refused: [string, RawBuilder<unknown>[]][] = [
    ['subscriptions/terms-not-sound', [override(sql`null::bigint, null::jsonb`)]],
    ['subscriptions/terms-not-sound', [override(sql`null::bigint, '[]'::jsonb`)]],
    ['subscriptions/terms-not-sound', [discount(sql`0, 0.5, 100, date '2026-04-02', null::date`)]],
    ['subscriptions/terms-not-sound', [discount(sql`0, null::numeric, null::bigint, date '2026-04-02', null::date`)]],
    ['subscriptions/terms-not-sound', [discount(sql`0, 0.5, null::bigint, date '2026-04-02', date '2026-04-01'`)]],
    ['subscriptions/discounts-at-once', [sound, sound]],
  ]
  for (const [code, statements] of refused) {
    const work = harness.db.transaction(async (tx) => {
      for (const statement of statements) await statement.execute(tx)
    })
    await assert.rejects(work, { code }, code)
  }
})
