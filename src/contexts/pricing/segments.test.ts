import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvariantError } from '../../kernel/invariant.ts'
import { days } from '../../kernel/period.ts'
import { APRIL, partsOfApril } from './facts.fixture.ts'
import { type Phase, type Segment, segments } from './segments.ts'

test('a subscription without changes is one segment of the whole period', () => {
  assert.deepEqual(shown([phase('2026-01-10', null, 'v1')]), ['2026-04-01..2026-05-01 normal v1'])
})

test('a plan change and a pause each cut the period', () => {
  const phases = [
    phase('2026-03-01', '2026-04-06', 'v1', 'trial'),
    phase('2026-04-06', '2026-04-11', 'v1'),
    phase('2026-04-11', '2026-04-21', 'v2'),
    phase('2026-04-21', null, 'v2', 'paused'),
  ]
  assert.deepEqual(shown(phases), [
    '2026-04-01..2026-04-06 trial v1',
    '2026-04-06..2026-04-11 normal v1',
    '2026-04-11..2026-04-21 normal v2',
    '2026-04-21..2026-05-01 paused v2',
  ])
})

test('neighbours with the same plan version and mode are one segment', () => {
  const phases = [phase('2026-04-01', '2026-04-10', 'v1'), phase('2026-04-10', null, 'v1')]
  assert.deepEqual(shown(phases), ['2026-04-01..2026-05-01 normal v1'])
})

test('an override and the beginning of a plan year cut the period too', () => {
  const phases = [phase('2026-01-10', '2026-04-11', 'v1'), { ...phase('2026-04-11', null, 'v1'), override_id: 'o1' }]
  assert.deepEqual(shown(phases), ['2026-04-01..2026-04-11 normal v1', '2026-04-11..2026-05-01 normal v1'])
  const year_starts = ['2025-04-20', '2026-04-20', '2027-04-20'].map((date) => Temporal.PlainDate.from(date))
  const made = segments({ period: APRIL, phases: [phase('2025-04-20', null, 'v1')], year_starts })
  assert.deepEqual(made.map(line), ['2026-04-01..2026-04-20 normal v1', '2026-04-20..2026-05-01 normal v1'])
})

test('days without a phase have no segment, and the segments beside them stay apart', () => {
  const phases = [phase('2026-04-03', '2026-04-10', 'v1'), phase('2026-04-20', '2026-04-25', 'v1')]
  assert.deepEqual(shown(phases), ['2026-04-03..2026-04-10 normal v1', '2026-04-20..2026-04-25 normal v1'])
})

test('overlapping phases are a bug', () => {
  const phases = [phase('2026-04-01', '2026-04-11', 'v1'), phase('2026-04-10', null, 'v2')]
  assert.throws(() => shown(phases), InvariantError)
})

test('segments cover each phase day once, in order, whenever plan years begin', () => {
  fc.assert(
    fc.property(partsOfApril, fc.array(partsOfApril, { maxLength: 4 }), (active, years) => {
      const year_starts = years.map(({ start }) => start)
      const phases: Phase[] = [{ ...active, mode: 'normal', plan_version_id: 'v1', override_id: null }]
      const made = segments({ period: APRIL, phases, year_starts })
      assert.equal(
        made.reduce((total, segment) => total + days(segment.active), 0),
        days(active),
      )
      for (const [index, segment] of made.entries()) {
        assert.ok(index === 0 || made[index - 1]?.active.end.equals(segment.active.start))
        assert.ok(index === 0 || year_starts.some((start) => start.equals(segment.active.start)))
      }
    }),
  )
})

function shown(phases: readonly Phase[]): string[] {
  return segments({ period: APRIL, phases }).map(line)
}

function line({ active, mode, plan_version_id }: Segment): string {
  return `${active.start}..${active.end} ${mode} ${plan_version_id}`
}

function phase(start: string, end: string | null, plan_version_id: string, mode: Phase['mode'] = 'normal'): Phase {
  return { ...span(start, end), mode, plan_version_id, override_id: null }
}

function span(start: string, end: string | null): { start: Temporal.PlainDate; end: Temporal.PlainDate | null } {
  return { start: Temporal.PlainDate.from(start), end: end === null ? null : Temporal.PlainDate.from(end) }
}
