import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { monthOf } from '../../kernel/period.ts'
import type { Phase as BilledPhase } from '../pricing/index.ts'
import { pausedDays, planYear, planYears } from './plan-year.ts'

const date = (text: string) => Temporal.PlainDate.from(text)
const phase = (start: string, end: string | null, given: Partial<BilledPhase> = {}): BilledPhase => ({
  mode: 'normal',
  plan_version_id: 'yearly',
  override_id: null,
  start: date(start),
  end: end === null ? null : date(end),
  ...given,
})
const yearOn = (phases: readonly BilledPhase[], on: string) => {
  const year = planYear(phases, date(on))
  return year === null ? null : `${year.period.start} ${year.period.end}${year.left_on ? ` left ${year.left_on}` : ''}`
}

test('years are counted from the anchor, also from 29 February and never from the year before', () => {
  const leap = [phase('2024-02-29', null)]
  assert.equal(yearOn(leap, '2025-02-27'), '2024-02-29 2025-02-28')
  assert.equal(yearOn(leap, '2025-02-28'), '2025-02-28 2026-02-28')
  assert.equal(yearOn(leap, '2028-02-28'), '2027-02-28 2028-02-29')
  assert.equal(yearOn(leap, '2028-02-29'), '2028-02-29 2029-02-28')
  assert.equal(yearOn([phase('2026-01-31', null)], '2027-01-31'), '2027-01-31 2028-01-31')
})

test('a trial comes before the first year, and a pause does not move it', () => {
  const phases = [
    phase('2026-04-01', '2026-04-15', { mode: 'trial' }),
    phase('2026-04-15', '2026-07-01'),
    phase('2026-07-01', '2026-09-01', { mode: 'paused' }),
    phase('2026-09-01', null),
  ]
  assert.equal(yearOn(phases, '2026-04-14'), null)
  for (const on of ['2026-04-15', '2026-08-01', '2027-04-14']) assert.equal(yearOn(phases, on), '2026-04-15 2027-04-15')
  assert.equal(yearOn(phases, '2027-04-15'), '2027-04-15 2028-04-15')
})

test('the paused days of a year are those under its plan version, from its first day to the date', () => {
  const phases = [
    phase('2025-03-01', '2026-01-20'),
    phase('2026-01-20', '2026-03-11', { mode: 'paused' }),
    phase('2026-03-11', '2026-04-01', { plan_version_id: 'other', mode: 'paused' }),
  ]
  const year = (start: string) => ({
    plan_version_id: 'yearly',
    period: { start: date(start), end: date(start).add({ years: 1 }) },
  })
  const paused = (start: string, on: string) => pausedDays(phases, year(start), date(on))
  assert.equal(paused('2025-03-01', '2026-01-20'), 0)
  assert.equal(paused('2025-03-01', '2026-02-01'), 12)
  assert.equal(paused('2026-03-01', '2026-03-05'), 4)
  assert.equal(paused('2026-03-01', '2026-04-01'), 10)
})

test('a plan that is left ends its year, and one that is taken again begins a new one', () => {
  const phases = [
    phase('2026-01-10', '2026-06-20'),
    phase('2026-06-20', '2026-08-01', { plan_version_id: 'other' }),
    phase('2026-08-01', '2027-08-01'),
  ]
  assert.equal(yearOn(phases, '2026-06-19'), '2026-01-10 2027-01-10 left 2026-06-20')
  assert.equal(yearOn(phases, '2026-06-20'), '2026-06-20 2027-06-20 left 2026-08-01')
  assert.equal(yearOn(phases, '2026-08-01'), '2026-08-01 2027-08-01')
  assert.equal(yearOn(phases, '2027-08-01'), null)
  assert.equal(yearOn([phase('2026-01-10', null, { mode: 'paused' })], '2026-02-01'), null)
  assert.equal(yearOn([], '2026-02-01'), null)
})

test('a year is billed at the override of its first day', () => {
  const phases = [phase('2026-01-10', '2026-03-01', { override_id: 'first' }), phase('2026-03-01', null)]
  assert.equal(planYear(phases, date('2026-12-01'))?.override_id, 'first')
  assert.equal(planYear(phases, date('2027-01-10'))?.override_id, null)
})

const anchors = fc.integer({ min: 0, max: 2_000 }).map((days) => date('2023-06-01').add({ days }))

test('every day from the anchor on is in exactly one year, and a month knows the years that its days are in', () => {
  fc.assert(
    fc.property(anchors, fc.nat(2_000), fc.nat(1_500), (start, later, lasts) => {
      const end = start.add({ days: lasts + 1 })
      const phases = [phase(start.toString(), end.toString())]
      const on = start.add({ days: later })
      const year = planYear(phases, on)
      const inside = Temporal.PlainDate.compare(on, end) < 0
      assert.equal(year !== null, inside)
      if (year === null) return
      assert.ok(Temporal.PlainDate.compare(year.period.start, on) <= 0)
      assert.ok(Temporal.PlainDate.compare(on, year.period.end) < 0)
      const next = planYear([phase(start.toString(), null)], year.period.end)
      assert.equal(next?.period.start.toString(), year.period.end.toString())
      const starts = planYears(phases, monthOf(on)).map((one) => one.period.start.toString())
      assert.ok(starts.includes(year.period.start.toString()) && new Set(starts).size === starts.length)
    }),
  )
})
