import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { runAudit } from '../../platform/audit.ts'
import { subscriptionsInvariants } from './invariants.ts'
import { endTrialsJob } from './jobs.ts'
import { NOW, testSubscriptions, TODAY } from './subscriptions.fixture.ts'

let harness: Awaited<ReturnType<typeof testSubscriptions>>
before(async () => {
  harness = await testSubscriptions()
})
after(() => harness.close())

const stateOf = async (id: string): Promise<string> => {
  const deployment = harness.db.read.selectFrom('deployments.deployment').select('state').where('id', '=', id)
  return (await deployment.executeTakeFirstOrThrow()).state
}
const endTrials = () => endTrialsJob(harness.edge, { onTransition: harness.onTransition }).handle()

test('a trial that has ended in the zone of its tenant makes the deployment active, once', async () => {
  const trial = { state: 'trial' }
  const ended = await harness.subscribed({ start_date: '2026-04-20', trial_days: 12 }, trial)
  const late = await harness.subscribed({ start_date: '2026-04-01', trial_days: 14 }, trial)
  const running = await harness.subscribed({ start_date: '2026-04-20', trial_days: 13 }, trial)
  const open = await harness.subscribed({ start_date: '2026-04-01' }, trial)
  const left = await harness.subscribed({ start_date: '2026-04-01', trial_days: 14 }, trial)
  await harness.call('POST', `/subscriptions/${left.id}/cancel`, { body: { end_date: '2026-04-10' } })
  const phases = await harness.phasesOf(late.deployment_id)

  assert.deepEqual(await endTrials(), { outcome: 'done', detail: '2 trials ended' })
  assert.deepEqual(await endTrials(), { outcome: 'skipped', detail: 'no trial has ended' })
  const deployments = [ended, late, running, open, left].map((one) => one.deployment_id)
  assert.deepEqual(await Promise.all(deployments.map(stateOf)), ['active', 'active', 'trial', 'trial', 'trial'])
  assert.deepEqual(await harness.phasesOf(late.deployment_id), phases)
  assert.deepEqual(await harness.phasesOf(ended.deployment_id), [
    `studio trial 2026-04-20 ${TODAY}`,
    `studio normal ${TODAY} …`,
  ])
  const { body } = await harness.call('GET', `/deployments/${ended.deployment_id}`)
  const { from_state, to_state, actor, reason } = body.data.events.find(
    (event: { kind: string }) => event.kind === 'transition',
  )
  assert.deepEqual(
    [from_state, to_state, actor, reason],
    ['trial', 'active', 'system:end-trials', 'the trial of the subscription has ended'],
  )
})

test('a paused deployment that is sold with trial days stays paused, and has what is left of the trial after it', async () => {
  const id = await harness.deploy()
  await harness.move(id, 'paused')
  assert.equal((await harness.order(id, { start_date: '2026-04-20', trial_days: 20 })).status, 201)
  assert.deepEqual(await harness.phasesOf(id), ['studio paused 2026-04-20 …'])
  await harness.move(id, 'active')
  assert.deepEqual(await harness.phasesOf(id), [
    `studio paused 2026-04-20 ${TODAY}`,
    `studio trial ${TODAY} 2026-05-10`,
    'studio normal 2026-05-10 …',
  ])
})

const PLANS = ['studio', 'team']
const STATES = ['trial', 'active', 'past_due', 'paused', 'suspended', 'cancelled', 'archived']
/** As the product says it, and not as the code does. */
const POSSIBLE: Record<string, string[]> = {
  trial: ['active', 'suspended', 'cancelled'],
  active: ['past_due', 'paused', 'suspended', 'cancelled'],
  past_due: ['active', 'suspended', 'cancelled'],
  paused: ['active', 'cancelled'],
  suspended: ['active', 'cancelled'],
  cancelled: ['archived'],
  archived: [],
}
const FIRST = Temporal.PlainDate.from('2026-04-01')
const HORIZON_DAYS = 120

type Command =
  | { do: 'transition'; to: string }
  | { do: 'subscribe'; plan_code: string; start_date: string; trial_days?: number }
  | { do: 'plan-change' | 'overrides' | 'cancel' | 'discounts'; body: object }
  | { do: 'wait'; days: number }
  | { do: 'end-trials' }

const day = fc.nat(HORIZON_DAYS - 30).map((days) => FIRST.add({ days }).toString())
const plan_code = fc.constantFrom(...PLANS)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('transition' as const), to: fc.constantFrom(...STATES) }) },
  fc.record(
    { do: fc.constant('subscribe' as const), plan_code, start_date: day, trial_days: fc.nat(30) },
    { requiredKeys: ['do', 'plan_code', 'start_date'] },
  ),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('plan-change' as const),
      body: fc.record({ plan_code, effective_date: day }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('overrides' as const),
      body: fc.record(
        { base_price_cents: fc.nat(5_000), start_date: day, end_date: day },
        { requiredKeys: ['base_price_cents'] },
      ),
    }),
  },
  fc.record({ do: fc.constant('cancel' as const), body: fc.record({ end_date: day }, { requiredKeys: [] }) }),
  fc.record({ do: fc.constant('discounts' as const), body: fc.constant({ name: 'Half', rate: '0.5', periods: 2 }) }),
  fc.record({ do: fc.constant('wait' as const), days: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ do: fc.constant('end-trials' as const) }),
)

/** Does the command to the deployment; true when it was taken. */
async function run(deployment_id: string, given: Command): Promise<boolean> {
  const { call, clock } = harness
  switch (given.do) {
    case 'wait':
      clock.set(
        clock
          .now()
          .add({ hours: 24 * given.days })
          .toString(),
      )
      return true
    case 'end-trials':
      await endTrials()
      return true
    case 'transition': {
      const { status } = await call('POST', `/deployments/${deployment_id}/transition`, { body: { to: given.to } })
      assert.ok([200, 422].includes(status), `${given.to}: ${status}`)
      return status === 200
    }
    case 'subscribe': {
      const { do: _do, ...order } = given
      const { status, text } = await call('POST', `/deployments/${deployment_id}/subscribe`, { body: order })
      assert.ok([201, 409].includes(status), text)
      return status === 201
    }
    case 'plan-change':
    case 'overrides':
    case 'cancel':
    case 'discounts': {
      const { body } = await call('GET', `/deployments/${deployment_id}`)
      const id: string | undefined = body.data.subscription?.id
      if (id === undefined) return false
      const { status, text } = await call('POST', `/subscriptions/${id}/${given.do}`, { body: given.body })
      assert.ok(status < 500, text)
      return status < 300
    }
  }
}

/** How many phases each day of the horizon has, over all subscriptions of the deployment. */
async function phasesPerDay(deployment_id: string): Promise<number[]> {
  const phases = await harness.db.read
    .selectFrom('subscriptions.phase as p')
    .innerJoin('subscriptions.subscription as s', 's.id', 'p.subscription_id')
    .select(['p.starts_on', 'p.ends_on'])
    .where('s.deployment_id', '=', deployment_id)
    .execute()
  return Array.from({ length: HORIZON_DAYS }, (_, days) => {
    const at = FIRST.add({ days }).toString()
    return phases.filter(
      ({ starts_on, ends_on }) => starts_on.toString() <= at && (!ends_on || at < ends_on.toString()),
    ).length
  })
}

test('no commands reach a state outside the table, and phases cover each day at most once', async () => {
  const commands = fc.array(command, { minLength: 4, maxLength: 14 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('trial', 'active'), commands, async (opened_as, list) => {
      harness.clock.set(NOW)
      const id = await harness.deploy({ state: opened_as })
      for (const given of list) {
        const was = await stateOf(id)
        const taken = await run(id, given)
        const is = await stateOf(id)
        if (given.do === 'transition') assert.equal(taken, POSSIBLE[was]?.includes(given.to), `${was} to ${given.to}`)
        const expected = given.do === 'transition' && taken ? given.to : was
        assert.ok(
          is === expected || (given.do === 'end-trials' && was === 'trial' && is === 'active'),
          `${was} to ${is}`,
        )
      }
      for (const phases of await phasesPerDay(id)) assert.ok(phases <= 1)
    }),
    { numRuns: 20 },
  )
  harness.clock.set(NOW)
  for (const finding of await runAudit(harness.db.read, subscriptionsInvariants)) {
    assert.deepEqual(finding.violations, [], finding.name)
  }
})
