import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  activate,
  changeFrom,
  changePlanFrom,
  endAt,
  endOverride,
  openingPhases,
  overrideOn,
  pause,
  type Phase,
} from './phase.ts'

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
    deployment_state: fc.constantFrom('active', 'trial', 'paused', 'past_due'),
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

/** As `calendar`, with the override of each day. */
function pricesByDay(phases: readonly Phase[]): string[] {
  const overrides = calendar(phases.map((phase) => ({ ...phase, plan_version_id: phase.override_id ?? '' })))
  return calendar(phases).map((on, at) => `${on} ${overrides[at]}`)
}

const pricing = fc.oneof(
  fc.record({
    days: fc.tuple(offset, fc.option(fc.integer({ min: 1, max: 20 }))),
    override: fc.constantFrom('x', 'y'),
  }),
  fc.record({ from: offset, plan: fc.constantFrom('a', 'b') }),
  fc.record({ from: offset, without: fc.constantFrom('x', 'y') }),
  fc.record({ from: offset, paused: fc.constant(true) }),
)

test('overrides hold on their days and under one plan version, and no change touches a day before its date', () => {
  fc.assert(
    fc.property(opening, fc.array(pricing, { maxLength: 8 }), (opened, list) => {
      let phases = opened
      for (const given of list) {
        const was = pricesByDay(phases)
        const from = 'days' in given ? given.days[0] : given.from
        if ('days' in given) {
          const [, length] = given.days
          const end = length === null ? null : from + length
          phases = overrideOn(phases, { start: day(from), end: end === null ? null : day(end) }, given.override)
          const plan = was[from]?.slice(0, 1)
          const changed_on = was.findIndex((on, at) => at > from && on.slice(0, 1) !== plan)
          const until = Math.min(end ?? HORIZON_DAYS, changed_on < 0 ? HORIZON_DAYS : changed_on)
          const is = pricesByDay(phases)
          for (const [at, on] of is.entries()) {
            const held = from <= at && at < until
            assert.equal(held ? on.split(' ')[2] : on, held ? given.override : was[at], `day ${at}`)
          }
        } else if ('plan' in given) {
          phases = changePlanFrom(phases, day(from), given.plan)
        } else if ('without' in given) {
          phases = endOverride(phases, day(from), given.without)
          assert.ok(pricesByDay(phases).every((on, at) => at < from || on.split(' ')[2] !== given.without))
        } else {
          phases = pause(phases, day(from))
        }
        assert.deepEqual(pricesByDay(phases).slice(0, from), was.slice(0, from))
        assert.ok(calendar(phases).every((on) => on !== '-'))
      }
    }),
  )
})

test('an end takes away the days from its date on and no other', () => {
  fc.assert(
    fc.property(opening, offset, (phases, number) => {
      const expected = calendar(phases).map((on, at) => (at < number ? on : '-'))
      assert.deepEqual(calendar(endAt(phases, day(number), { has_begun: true })), expected)
    }),
  )
})

test('a trial of some days ends by itself, and without days it lasts until the deployment is active', () => {
  const order = { starts_on: START, plan_version_id: 'a', deployment_state: 'trial' }
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

/** What an operator may ask for, as the product says it. */
const TRANSITIONS: Readonly<Record<string, readonly string[]>> = {
  trial: ['active', 'suspended', 'cancelled'],
  active: ['past_due', 'paused', 'suspended', 'cancelled'],
  past_due: ['active', 'suspended', 'cancelled'],
  paused: ['active', 'cancelled'],
  suspended: ['active', 'cancelled'],
  cancelled: [],
}

test('whatever state a deployment is sold in: paused days are paused, and others free as long as the trial', () => {
  const moves = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(3)), { maxLength: 6 })
  fc.assert(
    fc.property(
      fc.constantFrom('trial', 'active', 'past_due', 'paused', 'suspended'),
      fc.option(fc.integer({ min: 0, max: 25 })),
      moves,
      (sold_in, trial_days, list) => {
        let trial_ends = trial_days
        let state: string = sold_in
        let today = 0
        let phases = openingPhases({
          starts_on: START,
          plan_version_id: 'a',
          deployment_state: state,
          trial_ends_on: trial_ends === null ? null : day(trial_ends),
        })
        let is_open_trial = state === 'trial' && trial_ends === null
        const expected: string[] = []
        const pass = (until: number): void => {
          for (; today < until; today += 1) {
            const is_trial = is_open_trial || (trial_ends !== null && today < trial_ends)
            expected.push(
              state === 'cancelled' ? '-' : `a ${state === 'paused' ? 'paused' : is_trial ? 'trial' : 'normal'}`,
            )
          }
        }
        for (const [gap, choice] of list) {
          const possible = TRANSITIONS[state] ?? []
          const to = possible[choice % possible.length]
          if (to === undefined || today + gap >= HORIZON_DAYS) break
          pass(today + gap)
          const [from, date] = [state, day(today)]
          if (to === 'paused') phases = pause(phases, date)
          if (to === 'cancelled') phases = endAt(phases, date, { has_begun: true })
          if (to === 'active') {
            const trial_ends_on = trial_ends === null ? null : day(trial_ends)
            phases = activate(phases, { date, from, trial_ends_on })
            if (from === 'trial' && trial_ends !== null) trial_ends = Math.min(trial_ends, today)
            is_open_trial = false
          }
          state = to
        }
        pass(HORIZON_DAYS)
        assert.deepEqual(calendar(phases), expected)
      },
    ),
    { numRuns: 500 },
  )
})

test('activation ends a pause and an open trial, and spares a trial with an end of its own', () => {
  const order = { starts_on: START, plan_version_id: 'a', deployment_state: 'active', trial_ends_on: day(14) }
  const resumed = (phases: readonly Phase[], given: { from: string; trial_ends_on: Temporal.PlainDate | null }) =>
    activate(phases, { date: day(10), ...given }).map((phase) => `${phase.mode} ${phase.ends_on ?? '…'}`)
  const fixed = openingPhases(order)
  const open = openingPhases({ ...order, deployment_state: 'trial', trial_ends_on: null })
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
