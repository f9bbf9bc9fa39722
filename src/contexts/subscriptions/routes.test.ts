import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { period } from '../../kernel/period.ts'
import { runAudit } from '../../platform/audit.ts'
import { subscriptionsInvariants } from './invariants.ts'
import { readSubscriptions } from './queries.ts'
import { NOW, outline, testSubscriptions, TODAY, UNKNOWN } from './subscriptions.fixture.ts'

let harness: Awaited<ReturnType<typeof testSubscriptions>>
before(async () => {
  harness = await testSubscriptions()
})
after(() => harness.close())

const deploy: typeof harness.deploy = (body) => harness.deploy(body)
const order: typeof harness.order = (id, body) => harness.order(id, body)
const subscribed: typeof harness.subscribed = (body, deployment) => harness.subscribed(body, deployment)
const phasesOf: typeof harness.phasesOf = (id) => harness.phasesOf(id)
const move: typeof harness.move = (id, to) => harness.move(id, to)

test('a subscription starts today in the zone of the tenant, with the terms of its add-ons', async () => {
  const { data, deployment_id } = await subscribed({
    addons: [{ code: 'storage' }, { code: 'storage', quantity: '80' }],
  })
  assert.equal(data.tenant_id, 'acme')
  assert.equal(data.deployment_id, deployment_id)
  assert.deepEqual([data.starts_on, data.ends_on], [TODAY, null])
  assert.deepEqual(data.phases, [
    { mode: 'normal', plan_code: 'studio', plan_version: 1, override_id: null, starts_on: TODAY, ends_on: null },
  ])
  const addons = data.addons.map(({ id: _id, ...addon }: { id: string }) => addon)
  const storage = {
    code: 'storage',
    name: 'Storage',
    price_cents: 750,
    currency: 'AUD',
    unit: 'GB',
    grants_meter: null,
  }
  const days = { starts_on: TODAY, ends_on: null }
  assert.deepEqual(
    addons.toSorted((a: { quantity: string }, b: { quantity: string }) => a.quantity.localeCompare(b.quantity)),
    [
      { ...storage, quantity: '50', ...days },
      { ...storage, quantity: '80', ...days },
    ],
  )
})

test('an operator may back-date a subscription, and give trial days', async () => {
  const { data } = await subscribed({ start_date: '2026-04-20', trial_days: 14, plan_version: 1 })
  assert.deepEqual(outline(data), ['studio trial 2026-04-20 2026-05-04', 'studio normal 2026-05-04 …'])
})

test('the deployment shows what it runs on', async () => {
  const { deployment_id, id } = await subscribed({ start_date: '2026-04-20', addons: [{ code: 'storage' }] })
  const { body } = await harness.call('GET', `/deployments/${deployment_id}`, { as: { tenant: 'acme' } })
  const { addons, ...subscription } = body.data.subscription
  assert.deepEqual(subscription, {
    id,
    starts_on: '2026-04-20',
    ends_on: null,
    status: 'active',
    current_period_start: '2026-05-01',
    current_period_end: '2026-06-01',
    trial_ends_at: null,
    plan_code: 'studio',
    plan_version: 1,
    mode: 'normal',
  })
  assert.deepEqual(
    addons.map((addon: { code: string; price_cents: number }) => [addon.code, addon.price_cents]),
    [['storage', 750]],
  )
  await harness.call('POST', `/subscriptions/${id}/cancel`, { body: {} })
  assert.equal((await harness.call('GET', `/deployments/${deployment_id}`)).body.data.subscription, null)
})

test('a subscription says how it stands, in which month, and when its trial ends in the zone of the tenant', async () => {
  const standing = async (id: string) => {
    const { status, current_period_start, current_period_end, trial_ends_at } = (
      await harness.call('GET', `/subscriptions/${id}`)
    ).body.data
    return [status, current_period_start, current_period_end, trial_ends_at]
  }
  const may = ['2026-05-01', '2026-06-01']
  const trying = await subscribed({ start_date: '2026-05-01', trial_days: 5 })
  // The 6th begins in Sydney at 14:00 UTC.
  assert.deepEqual(await standing(trying.id), ['trialing', ...may, '2026-05-05T14:00:00Z'])
  const coming = await subscribed({ start_date: '2026-07-15' })
  assert.deepEqual(await standing(coming.id), ['scheduled', '2026-07-01', '2026-08-01', null])
  const running = await subscribed({ start_date: '2026-04-01' })
  assert.deepEqual(await standing(running.id), ['active', ...may, null])
  await move(running.deployment_id, 'paused')
  assert.deepEqual(await standing(running.id), ['paused', ...may, null])
  const ended = ['ended', null, null, null]
  await harness.call('POST', `/subscriptions/${coming.id}/cancel`, { body: { end_date: '2026-07-15' } })
  assert.deepEqual(await standing(coming.id), ended)
  const leaving = await subscribed({ start_date: '2026-04-01' })
  const { body } = await harness.call('POST', `/subscriptions/${leaving.id}/cancel`, { body: { when: 'period_end' } })
  assert.deepEqual([body.data.status, body.data.ends_on], ['active', body.data.current_period_end])
  harness.clock.set('2026-05-31T14:00:00Z')
  assert.deepEqual(await standing(leaving.id), ended)
  assert.deepEqual(await standing(trying.id), ['active', '2026-06-01', '2026-07-01', '2026-05-05T14:00:00Z'])
  harness.clock.set(NOW)
})

test('a deployment has one subscription at a time', async () => {
  const { deployment_id, id } = await subscribed({ start_date: '2026-04-01' })
  const second = await order(deployment_id)
  assert.deepEqual([second.status, second.body.code], [409, 'subscriptions/already-subscribed'])
  await harness.call('POST', `/subscriptions/${id}/cancel`, { body: { end_date: '2026-05-10' } })
  const early = await order(deployment_id, { start_date: '2026-05-09' })
  assert.deepEqual([early.status, early.body.code], [409, 'subscriptions/overlap'])
  assert.equal((await order(deployment_id, { start_date: '2026-05-10' })).status, 201)
})

test('a subscription that was cancelled on its first day blocks no earlier one', async () => {
  const { deployment_id, id } = await subscribed({ start_date: '2026-04-20' })
  await harness.call('POST', `/subscriptions/${id}/cancel`, { body: { end_date: '2026-04-20' } })
  const earlier = await order(deployment_id, { start_date: '2026-04-01' })
  assert.equal(earlier.status, 201, earlier.text)
})

test('a wrong start date is corrected as if it had been right, with its history kept', async () => {
  const { id, deployment_id } = await subscribed({
    start_date: '2026-04-20',
    trial_days: 14,
    addons: [{ code: 'storage' }],
  })
  await harness.call('POST', `/subscriptions/${id}/plan-change`, {
    body: { plan_code: 'team', effective_date: '2026-05-10' },
  })
  const discount = { name: 'Ten off', rate: '0.1', start_date: '2026-04-20' }
  for (const periods of [undefined, 1]) {
    const body = { ...discount, ...(periods && { periods }) }
    assert.equal((await harness.call('POST', `/subscriptions/${id}/discounts`, { body })).status, 201)
  }
  const correct = (start_date: string, query = '') =>
    harness.call('POST', `/subscriptions/${id}/start-correction${query}`, {
      body: { start_date, reason: 'The contract says so' },
    })
  const shown = await correct('2026-04-01', '?preview=true')
  assert.deepEqual([shown.status, shown.body.data.subscription.starts_on], [200, '2026-04-01'])
  assert.deepEqual((await harness.call('GET', `/subscriptions/${id}`)).body.data.starts_on, '2026-04-20')

  const earlier = await correct('2026-04-01')
  assert.equal(earlier.status, 200, earlier.text)
  const later_on = ['studio normal 2026-05-04 2026-05-10', 'team normal 2026-05-10 …']
  assert.deepEqual(outline(earlier.body.data), ['studio trial 2026-04-01 2026-05-04', ...later_on])
  const attached = (answer: typeof earlier) => {
    const { addons, discounts } = answer.body.data
    return [...addons, ...discounts].map(({ starts_on, ends_on }) => [starts_on, ends_on])
  }
  assert.deepEqual(attached(earlier), [
    ['2026-04-01', null],
    ['2026-04-20', null],
    ['2026-04-20', '2026-05-01'],
  ])
  assert.equal(earlier.body.data.trial_ends_at, '2026-05-03T14:00:00Z')
  assert.equal((await correct('2026-04-01')).status, 200)
  const later = await correct('2026-05-06')
  assert.deepEqual(outline(later.body.data), ['studio normal 2026-05-06 2026-05-10', 'team normal 2026-05-10 …'])
  assert.deepEqual(attached(later), [
    ['2026-05-06', null],
    ['2026-05-06', null],
    ['2026-05-06', '2026-05-06'],
  ])
  assert.deepEqual([later.body.data.trial_ends_at, later.body.data.status], [null, 'scheduled'])
  assert.equal((await correct('2026-04-20')).body.data.phases[0].mode, 'normal')

  const { data } = (await harness.call('GET', `/events?subject=${id}`)).body
  assert.deepEqual(
    data.map(({ type, tenant_id, actor, reason }: Record<string, unknown>) => [type, tenant_id, actor, reason]),
    Array.from({ length: 3 }, () => [
      'subscription.start_corrected',
      'acme',
      'test-platform_admin',
      'The contract says so',
    ]),
  )
  assert.deepEqual(data.at(-1).data, {
    deployment_id,
    was: { starts_on: '2026-04-20' },
    changes: { starts_on: '2026-04-01' },
  })
  for (const { violations, name } of await runAudit(harness.db.read, subscriptionsInvariants)) {
    assert.deepEqual(
      violations.filter(({ subject }) => subject === id),
      [],
      name,
    )
  }
})

test('a start date that cannot be is refused', async () => {
  const first = await subscribed({ start_date: '2026-04-01' })
  await harness.call('POST', `/subscriptions/${first.id}/cancel`, { body: { end_date: '2026-04-20' } })
  const second = (await order(first.deployment_id, { start_date: '2026-04-25' })).body.data.id
  const correct = async (id: string, body: object) => {
    const refused = await harness.call('POST', `/subscriptions/${id}/start-correction`, { body })
    return [refused.status, refused.body.code, refused.body.errors?.[0]?.path, refused.body.errors?.[0]?.message]
  }
  const reason = 'x'
  assert.deepEqual(await correct(second, { start_date: '2026-04-19', reason }), [
    409,
    'subscriptions/overlap',
    'start_date',
    'must not be before 2026-04-20',
  ])
  assert.deepEqual(await correct(first.id, { start_date: '2026-04-20', reason }), [
    422,
    'subscriptions/outside-subscription',
    'start_date',
    'must be before 2026-04-20',
  ])
  assert.deepEqual((await correct(first.id, { start_date: '2026-04-02' })).slice(0, 2), [422, 'request/invalid'])
  assert.deepEqual((await correct(UNKNOWN, { start_date: '2026-04-02', reason })).slice(0, 1), [404])
  const planned = await subscribed({ start_date: '2026-06-01' })
  await harness.call('POST', `/subscriptions/${planned.id}/cancel`, { body: { end_date: '2026-06-01' } })
  const called_off = await correct(planned.id, { start_date: '2026-05-01', reason })
  assert.deepEqual(called_off.slice(0, 2), [409, 'subscriptions/already-ended'])
  assert.equal(
    (await harness.call('POST', `/subscriptions/${second}/start-correction`, { as: { tenant: 'acme' }, body: {} }))
      .status,
    403,
  )
})

test('what a subscription has or had is not deleted from the catalogue', async () => {
  const { id } = await subscribed({ addons: [{ code: 'storage' }] })
  await harness.call('POST', `/subscriptions/${id}/cancel`, { body: {} })
  for (const path of ['/plans/studio', '/addons/storage']) {
    const { status, body } = await harness.call('DELETE', path)
    assert.deepEqual([status, body.code], [409, 'catalog/in-use'], path)
    assert.match(body.errors[0].message, /^is used by subscription /)
  }
})

test('an overlap that no check has seen is refused by the database with the same answer', async () => {
  const { deployment_id } = await subscribed({ start_date: '2026-04-01' })
  const insert = harness.db.transaction((tx) =>
    tx
      .insertInto('subscriptions.subscription')
      .values({
        tenant_id: 'acme',
        id: harness.edge.ids.uuid(),
        deployment_id,
        starts_on: Temporal.PlainDate.from('2026-04-10'),
        ends_on: Temporal.PlainDate.from('2026-04-20'),
        created_at: harness.clock.now(),
        changed_at: harness.clock.now(),
      })
      .execute(),
  )
  await assert.rejects(insert, { code: 'subscriptions/overlap', status: 409 })
})

test('what cannot be sold is refused', async () => {
  const deployment_id = await deploy()
  const cases: [object, string][] = [
    [{ plan_code: 'nothing' }, 'catalog/unknown-plan'],
    [{ plan_version: 7 }, 'catalog/unknown-plan'],
    [{ plan_code: 'draft' }, 'catalog/plan-not-published'],
    [{ addons: [{ code: 'nothing' }] }, 'catalog/unknown-addon'],
    [{ plan_code: 'dollars' }, 'subscriptions/currency-mismatch'],
    [{ addons: [{ code: 'dollars' }] }, 'subscriptions/currency-mismatch'],
    [{ addons: [{ code: 'storage', quantity: 5 }] }, 'request/invalid'],
    [{ addons: [{ code: 'storage', quantity: '0' }] }, 'request/invalid'],
    [{ start_date: '2026-02-30' }, 'request/invalid'],
    [{ trial_days: -1 }, 'request/invalid'],
    [{ trial_days: '14' }, 'request/invalid'],
    [{ surprise: 1 }, 'request/invalid'],
  ]
  for (const [wrong, code] of cases) {
    const { status, body } = await order(deployment_id, wrong)
    assert.deepEqual([status, body.code], [422, code], JSON.stringify(wrong))
    assert.ok(
      body.errors.every((fault: { path: string }) => fault.path !== ''),
      JSON.stringify(body.errors),
    )
  }
  assert.deepEqual(await phasesOf(deployment_id), [])
})

test('a cancelled deployment cannot be subscribed', async () => {
  const id = await deploy()
  await move(id, 'cancelled')
  const refused = await order(id)
  assert.deepEqual([refused.status, refused.body.code], [409, 'subscriptions/deployment-closed'])
})

test('a plan change splits the days at its date, and on the same date replaces the last one', async () => {
  const { id } = await subscribed({ start_date: '2026-04-01' })
  const change = (body: object) => harness.call('POST', `/subscriptions/${id}/plan-change`, { body })
  const today = await change({ plan_code: 'team' })
  assert.equal(today.status, 200)
  assert.deepEqual(outline(today.body.data), [`studio normal 2026-04-01 ${TODAY}`, `team normal ${TODAY} …`])
  const back = await change({ plan_code: 'studio', effective_date: TODAY })
  assert.deepEqual(outline(back.body.data), ['studio normal 2026-04-01 …'])
  const whole = await change({ plan_code: 'team', effective_date: '2026-04-01' })
  assert.deepEqual(outline(whole.body.data), ['team normal 2026-04-01 …'])
})

test('a plan change keeps the rest of a trial free', async () => {
  const { id } = await subscribed({ start_date: '2026-05-01', trial_days: 7 })
  const { body } = await harness.call('POST', `/subscriptions/${id}/plan-change`, { body: { plan_code: 'team' } })
  assert.deepEqual(outline(body.data), [
    `studio trial 2026-05-01 ${TODAY}`,
    `team trial ${TODAY} 2026-05-08`,
    'team normal 2026-05-08 …',
  ])
})

test('a plan change outside the subscription or in another currency is refused', async () => {
  const { id } = await subscribed({ start_date: '2026-04-20' })
  await harness.call('POST', `/subscriptions/${id}/cancel`, { body: { end_date: '2026-05-20' } })
  const cases: [object, string][] = [
    [{ plan_code: 'team', effective_date: '2026-04-19' }, 'subscriptions/outside-subscription'],
    [{ plan_code: 'team', effective_date: '2026-05-20' }, 'subscriptions/outside-subscription'],
    [{ plan_code: 'dollars' }, 'subscriptions/currency-mismatch'],
    [{ plan_code: 'draft' }, 'catalog/plan-not-published'],
    [{ plan_code: 'team', effective_date: 'tomorrow' }, 'request/invalid'],
  ]
  for (const [body, code] of cases) {
    const refused = await harness.call('POST', `/subscriptions/${id}/plan-change`, { body })
    assert.deepEqual([refused.status, refused.body.code], [422, code], JSON.stringify(body))
  }
})

test('an add-on is attached from today and ends on the day it is taken off', async () => {
  const { id } = await subscribed({ start_date: '2026-04-01' })
  const attached = await harness.call('POST', `/subscriptions/${id}/addons`, {
    body: { code: 'storage', quantity: '10' },
  })
  assert.equal(attached.status, 201)
  const [addon] = attached.body.data.addons
  assert.deepEqual([addon.quantity, addon.price_cents, addon.starts_on, addon.ends_on], ['10', 750, TODAY, null])
  harness.clock.set('2026-05-09T15:00:00Z')
  const off = () => harness.call('DELETE', `/subscriptions/${id}/addons/${addon.id}`)
  const ended = await off()
  assert.equal(ended.status, 200)
  assert.equal(ended.body.data.addons[0].ends_on, '2026-05-10')
  harness.clock.set('2026-05-19T15:00:00Z')
  assert.equal((await off()).body.data.addons[0].ends_on, '2026-05-10')
  harness.clock.set(NOW)
})

test('an add-on is refused outside the subscription, in another currency and when there is none', async () => {
  const { id } = await subscribed({ start_date: '2026-04-20' })
  const cases: [object, string][] = [
    [{ code: 'storage', start_date: '2026-04-19' }, 'subscriptions/outside-subscription'],
    [{ code: 'dollars' }, 'subscriptions/currency-mismatch'],
    [{ code: 'nothing' }, 'catalog/unknown-addon'],
    [{ code: 'storage', quantity: '0.00' }, 'request/invalid'],
  ]
  for (const [body, code] of cases) {
    const refused = await harness.call('POST', `/subscriptions/${id}/addons`, { body })
    assert.deepEqual([refused.status, refused.body.code], [422, code])
  }
  assert.equal((await harness.call('DELETE', `/subscriptions/${id}/addons/${UNKNOWN}`)).status, 404)
})

test('a cancelled subscription ends with its phases and add-ons, and may only end sooner', async () => {
  const { id } = await subscribed({ start_date: '2026-04-01', addons: [{ code: 'storage' }] })
  const cancel = (body: object) => harness.call('POST', `/subscriptions/${id}/cancel`, { body })
  const later = await cancel({ end_date: '2026-05-20' })
  assert.equal(later.status, 200)
  assert.equal(later.body.data.ends_on, '2026-05-20')
  assert.equal(later.body.data.addons[0].ends_on, '2026-05-20')
  assert.deepEqual(outline(later.body.data), ['studio normal 2026-04-01 2026-05-20'])
  assert.deepEqual((await cancel({ end_date: '2026-05-20' })).body, later.body)
  const longer = await cancel({ end_date: '2026-05-21' })
  assert.deepEqual([longer.status, longer.body.code], [409, 'subscriptions/already-ended'])
  const sooner = await cancel({})
  assert.equal(sooner.body.data.ends_on, TODAY)
  const before = await cancel({ end_date: '2026-03-31' })
  assert.deepEqual([before.status, before.body.code], [422, 'subscriptions/outside-subscription'])
})

test('a subscription cancelled on its first day has no days but keeps its plan, and one called off before it none', async () => {
  const cancelled = async (order: object) => {
    const { id } = await subscribed({ addons: [{ code: 'storage' }], ...order })
    const { body } = await harness.call('POST', `/subscriptions/${id}/cancel`, { body: {} })
    const again = await harness.call('POST', `/subscriptions/${id}/cancel`, { body: {} })
    assert.deepEqual(again.body.data, body.data)
    return [body.data.starts_on, body.data.ends_on, outline(body.data), body.data.addons[0].ends_on]
  }
  assert.deepEqual(await cancelled({}), [TODAY, TODAY, [`studio normal ${TODAY} ${TODAY}`], TODAY])
  assert.deepEqual(await cancelled({ trial_days: 7 }), [TODAY, TODAY, [`studio trial ${TODAY} ${TODAY}`], TODAY])
  const later = '2026-05-03'
  assert.deepEqual(await cancelled({ start_date: later }), [later, later, [], later])
})

test('a pause of the deployment pauses its subscription until it is active again', async () => {
  const { deployment_id } = await subscribed({ start_date: '2026-04-01' })
  await move(deployment_id, 'paused')
  assert.deepEqual(await phasesOf(deployment_id), [`studio normal 2026-04-01 ${TODAY}`, `studio paused ${TODAY} …`])
  harness.clock.set('2026-05-09T15:00:00Z')
  await move(deployment_id, 'active')
  assert.deepEqual(await phasesOf(deployment_id), [
    `studio normal 2026-04-01 ${TODAY}`,
    `studio paused ${TODAY} 2026-05-10`,
    'studio normal 2026-05-10 …',
  ])
  harness.clock.set(NOW)
})

test('a pause that ends on the same day leaves no trace', async () => {
  const { deployment_id } = await subscribed({ start_date: '2026-04-01' })
  await move(deployment_id, 'paused')
  await move(deployment_id, 'active')
  assert.deepEqual(await phasesOf(deployment_id), ['studio normal 2026-04-01 …'])
})

test('a trial goes on after a pause, until the day it was to end; one that was ended early does not', async () => {
  const { deployment_id } = await subscribed({ start_date: '2026-04-20', trial_days: 30 })
  await move(deployment_id, 'paused')
  harness.clock.set('2026-05-09T15:00:00Z')
  await move(deployment_id, 'active')
  assert.deepEqual(await phasesOf(deployment_id), [
    `studio trial 2026-04-20 ${TODAY}`,
    `studio paused ${TODAY} 2026-05-10`,
    'studio trial 2026-05-10 2026-05-20',
    'studio normal 2026-05-20 …',
  ])
  const early = await subscribed({ start_date: '2026-05-01', trial_days: 30 }, { state: 'trial' })
  for (const to of ['active', 'paused']) await move(early.deployment_id, to)
  harness.clock.set('2026-05-12T15:00:00Z')
  await move(early.deployment_id, 'active')
  assert.deepEqual(await phasesOf(early.deployment_id), [
    'studio trial 2026-05-01 2026-05-10',
    'studio paused 2026-05-10 2026-05-13',
    'studio normal 2026-05-13 …',
  ])
  harness.clock.set(NOW)
})

test('a deployment on trial is free until it becomes active', async () => {
  const { deployment_id } = await subscribed({ start_date: '2026-04-20' }, { state: 'trial' })
  assert.deepEqual(await phasesOf(deployment_id), ['studio trial 2026-04-20 …'])
  await move(deployment_id, 'active')
  assert.deepEqual(await phasesOf(deployment_id), [`studio trial 2026-04-20 ${TODAY}`, `studio normal ${TODAY} …`])
})

test('a cancelled deployment ends its subscription, also one that is still to start', async () => {
  const running = await subscribed({ start_date: '2026-04-01' })
  const planned = await subscribed({ start_date: '2026-06-01', addons: [{ code: 'storage' }] })
  await move(running.deployment_id, 'cancelled')
  await move(planned.deployment_id, 'cancelled')
  assert.deepEqual(await phasesOf(running.deployment_id), [`studio normal 2026-04-01 ${TODAY}`])
  assert.deepEqual(await phasesOf(planned.deployment_id), [])
  const { ends_on } = await harness.db.read
    .selectFrom('subscriptions.subscription')
    .select('ends_on')
    .where('id', '=', planned.id)
    .executeTakeFirstOrThrow()
  assert.equal(ends_on?.toString(), '2026-06-01')
})

test('past due and suspended change nothing, and a fixed trial goes on through them', async () => {
  const { deployment_id } = await subscribed({ trial_days: 30 })
  const before = await phasesOf(deployment_id)
  for (const to of ['past_due', 'suspended', 'active']) await move(deployment_id, to)
  assert.deepEqual(await phasesOf(deployment_id), before)
})

test('the currency of a tenant with a subscription cannot change', async () => {
  await subscribed()
  const { status, body } = await harness.call('PATCH', '/tenants/acme', { body: { currency: 'USD' } })
  assert.deepEqual([status, body.code], [409, 'tenants/currency-in-use'])
})

test('billing reads every subscription with a day in the period or an end on one, and what of it lies there', async () => {
  const ended = await subscribed({ start_date: '2026-03-01', addons: [{ code: 'storage' }] })
  await harness.call('POST', `/subscriptions/${ended.id}/cancel`, { body: { end_date: '2026-04-11' } })
  const gone = await subscribed({ start_date: '2026-03-01' })
  await harness.call('POST', `/subscriptions/${gone.id}/cancel`, { body: { end_date: '2026-04-01' } })
  const before = await subscribed({ start_date: '2026-03-01' })
  await harness.call('POST', `/subscriptions/${before.id}/cancel`, { body: { end_date: '2026-03-31' } })
  const never = await subscribed({ start_date: '2026-04-05' })
  await harness.call('POST', `/subscriptions/${never.id}/cancel`, { body: { end_date: '2026-04-05' } })
  const later = await subscribed({ start_date: '2026-05-01' })

  const april = period('2026-04-01', '2026-05-01')
  const all = await readSubscriptions(harness.db.read, { period: april, tenant_ids: ['acme'] })
  const ids = new Set(all.map((subscription) => subscription.subscription_id))
  for (const { id } of [ended, gone, never]) assert.ok(ids.has(id))
  for (const { id } of [before, later]) assert.ok(!ids.has(id))

  const [one, ...others] = await readSubscriptions(harness.db.read, {
    period: april,
    deployment_id: ended.deployment_id,
  })
  assert.deepEqual(others, [])
  assert.deepEqual([one?.tenant_id, one?.ends_on?.toString()], ['acme', '2026-04-11'])
  assert.deepEqual(
    one?.phases.map((phase) => [phase.mode, phase.start.toString(), phase.end?.toString()]),
    [['normal', '2026-03-01', '2026-04-11']],
  )
  assert.deepEqual(
    one?.addons.map((addon) => [addon.code, addon.price_cents, addon.quantity]),
    [['storage', 750n, '50']],
  )
  assert.deepEqual(await readSubscriptions(harness.db.read, { period: april, tenant_ids: [] }), [])
})

test('only the operator subscribes, and what does not exist is not found', async () => {
  const { id } = await subscribed()
  const routes = [
    ['POST', (on: string) => `/deployments/${on}/subscribe`, { plan_code: 'studio' }],
    ['POST', (on: string) => `/subscriptions/${on}/plan-change`, { plan_code: 'team' }],
    ['POST', (on: string) => `/subscriptions/${on}/addons`, { code: 'storage' }],
    ['POST', (on: string) => `/subscriptions/${on}/cancel`, {}],
    ['DELETE', (on: string) => `/subscriptions/${on}/addons/${UNKNOWN}`, undefined],
  ] as const
  for (const [method, path, body] of routes) {
    assert.equal((await harness.call(method, path(UNKNOWN), { body })).status, 404, path(UNKNOWN))
    assert.equal((await harness.call(method, path(id), { body, as: { tenant: 'acme' } })).status, 403, path(id))
  }
})

test('the audit is clean after all this, and finds phases that do not cover their subscription', async () => {
  for (const finding of await runAudit(harness.db.read, subscriptionsInvariants)) {
    assert.deepEqual(finding.violations, [], finding.name)
  }
  const { id } = await subscribed({ start_date: '2026-04-01', addons: [{ code: 'storage' }] })
  await harness.db.script(`
    update subscriptions.phase set ends_on = '2026-04-20' where subscription_id = '${id}';
    update subscriptions.addon set starts_on = '2026-03-20', currency = 'USD' where subscription_id = '${id}';
    update deployments.deployment set state = 'archived' where id in (
      select deployment_id from subscriptions.subscription where id = '${id}')`)
  const findings = await runAudit(harness.db.read, subscriptionsInvariants)
  assert.deepEqual(
    findings.map((finding) => finding.violations.length),
    [1, 1, 1, 1],
  )
})
