import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { activated, changeFrom, endAt, openingPhases, type Phase } from './phase.ts'

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
    trial_days: fc.option(fc.nat(20), { nil: undefined }),
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
  const days = openingPhases({ ...order, trial_days: 14 })
  assert.deepEqual(
    days.map((phase) => [phase.mode, phase.starts_on.toString()]),
    [
      ['trial', '2026-04-01'],
      ['normal', '2026-04-15'],
    ],
  )
  assert.deepEqual(
    openingPhases(order).map((phase) => [phase.mode, phase.ends_on]),
    [['trial', null]],
  )
  assert.deepEqual(
    openingPhases({ ...order, trial_days: 0 }).map((phase) => phase.mode),
    ['normal'],
  )
})

test('activation ends a pause and an open trial, and spares a trial of some days', () => {
  const phase = { plan_version_id: 'a', starts_on: START, ends_on: null }
  const fixed = { ...phase, mode: 'trial' as const, ends_on: day(14) }
  assert.equal(activated({ ...phase, mode: 'paused' }, 'paused').mode, 'normal')
  assert.equal(activated({ ...phase, mode: 'trial' }, 'suspended').mode, 'normal')
  assert.equal(activated(fixed, 'past_due').mode, 'trial')
  assert.equal(activated(fixed, 'trial').mode, 'normal')
})
