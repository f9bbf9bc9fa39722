import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { activate, changeFrom, endAt, openingPhases, pause, type Phase } from './phase.ts'

const START = Temporal.PlainDate.from('2026-04-01')
const HORIZON_DAYS = 40
const day = (number: number) => START.add({ days: number })

/** What each day of the horizon is under; `-` where there is no phase. */
function calendar(phases: readonly Phase[]): string[] {
  return Array.from({ length: HORIZON_DAYS }, (_, number) => {
    const at = day(number).toString()
    const on = phases.filter(
      (phase) => phase.starts_on.toString() <= at && (phase.ends_on === null || at < phase.ends_on.toString()),
    )
    assert.ok(on.length <= 1, `one phase a day, on ${at}`)
    return on[0] ? `${on[0].plan_version_id} ${on[0].mode}` : '-'
  })
}

const opening = fc
  .record({
    trial_ends_on: fc.option(fc.nat(20).map(day)),
    deployment_status: fc.constantFrom('active', 'trial', 'paused', 'past_due'),
  })
  .map((given) => openingPhases({ starts_on: START, plan_version_id: 'a', ...given }))
const offset = fc.integer({ min: 0, max: 30 })
const changes = fc.array(fc.tuple(offset, fc.constantFrom('a', 'b', 'c')), { maxLength: 6 })

test('a change replaces the days from its date on and no day before it', () => {
  fc.assert(
    fc.property(opening, changes, (opened, list) => {
      let phases = opened
      for (const [number, plan_version_id] of list) {
        const was = calendar(phases)
        phases = changeFrom(phases, day(number), (phase) => ({ ...phase, plan_version_id }))
        const expected = was.map((on, at) => (at < number ? on : on.replace(/^\w/, plan_version_id)))
        assert.deepEqual(calendar(phases), expected)
      }
    }),
  )
})

test('phases never lose a day, have no empty ones and no two neighbours alike', () => {
  fc.assert(
    fc.property(opening, changes, (opened, list) => {
      const phases = list.reduce(
        (done, [number, plan_version_id]) => changeFrom(done, day(number), (phase) => ({ ...phase, plan_version_id })),
        opened,
      )
      assert.equal(phases[0]?.starts_on.toString(), START.toString())
      for (const [index, phase] of phases.entries()) {
        const next = phases[index + 1]
        assert.equal(phase.ends_on?.toString(), next?.starts_on.toString())
        if (phase.ends_on) assert.equal(Temporal.PlainDate.compare(phase.starts_on, phase.ends_on), -1)
        if (next) assert.notDeepEqual([phase.mode, phase.plan_version_id], [next.mode, next.plan_version_id])
      }
    }),
  )
})

test('an end takes away the days from its date on and no other', () => {
  fc.assert(
    fc.property(opening, offset, (phases, number) => {
      const expected = calendar(phases).map((on, at) => (at < number ? on : '-'))
      assert.deepEqual(calendar(endAt(phases, day(number))), expected)
    }),
  )
})

test('a trial of some days ends by itself, and without days it lasts until the deployment is active', () => {
  const order = { starts_on: START, plan_version_id: 'a', deployment_status: 'trial' }
  const days = openingPhases({ ...order, trial_ends_on: day(14) })
  assert.deepEqual(
    days.map((phase) => [phase.mode, phase.starts_on.toString()]),
    [
      ['trial', '2026-04-01'],
      ['normal', '2026-04-15'],
    ],
  )
  assert.deepEqual(
    openingPhases({ ...order, trial_ends_on: null }).map((phase) => [phase.mode, phase.ends_on]),
    [['trial', null]],
  )
  assert.deepEqual(
    openingPhases({ ...order, trial_ends_on: START }).map((phase) => phase.mode),
    ['normal'],
  )
})

test('activation ends a pause and an open trial, and spares a trial with an end of its own', () => {
  const order = { starts_on: START, plan_version_id: 'a', deployment_status: 'active', trial_ends_on: day(14) }
  const resumed = (phases: readonly Phase[], given: { from: string; trial_ends_on: Temporal.PlainDate | null }) =>
    activate(phases, { date: day(10), ...given }).map((phase) => `${phase.mode} ${phase.ends_on ?? '…'}`)
  const fixed = openingPhases(order)
  const open = openingPhases({ ...order, deployment_status: 'trial', trial_ends_on: null })
  assert.deepEqual(resumed(pause(open, day(4)), { from: 'paused', trial_ends_on: null }), [
    'trial 2026-04-05',
    'paused 2026-04-11',
    'normal …',
  ])
  assert.deepEqual(resumed(open, { from: 'suspended', trial_ends_on: null }), ['trial 2026-04-11', 'normal …'])
  assert.deepEqual(resumed(fixed, { from: 'past_due', ...order }), ['trial 2026-04-15', 'normal …'])
  assert.deepEqual(resumed(fixed, { from: 'trial', ...order }), ['trial 2026-04-11', 'normal …'])
  assert.deepEqual(resumed(pause(fixed, day(4)), { from: 'paused', ...order }), [
    'trial 2026-04-05',
    'paused 2026-04-11',
    'trial 2026-04-15',
    'normal …',
  ])
  assert.deepEqual(resumed(pause(fixed, day(4)), { from: 'paused', trial_ends_on: day(9) }), [
    'trial 2026-04-05',
    'paused 2026-04-11',
    'normal …',
  ])
})
