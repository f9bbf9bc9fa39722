import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvariantError } from './invariant.ts'
import {
  dateIn,
  days,
  expectedTimeZone,
  instantsOf,
  isTimeZone,
  monthLabel,
  monthOf,
  monthsOf,
  overlap,
  parseMonth,
  period,
  type Period,
  previousMonth,
  secondsWithin,
  type Window,
} from './period.ts'

const date = fc
  .integer({ min: 0, max: 3_000 })
  .map((offset) => Temporal.PlainDate.from('2020-01-01').add({ days: offset }))
const anyPeriod = fc
  .tuple(date, fc.integer({ min: 1, max: 400 }))
  .map(([start, length]) => period(start, start.add({ days: length })))

test('a period that does not end after it starts is a bug', () => {
  assert.throws(() => period('2026-04-01', '2026-04-01'), InvariantError)
  assert.throws(() => period('2026-04-02', '2026-04-01'), InvariantError)
})

test('a month is named by itself or by any day in it', () => {
  for (const text of ['2026-04', '2026-04-01', '2026-04-30']) {
    assert.deepEqual(textOf(parseMonth(text)), ['2026-04-01', '2026-05-01'])
  }
  for (const text of [
    '2026-13',
    '2026-00',
    '2026-04-31',
    '2026-02-29',
    '2026-4',
    '26-04',
    '2026-04-1',
    '',
    '2026-04-01T00:00',
  ]) {
    assert.equal(parseMonth(text), undefined, text)
  }
})

test('months have their own length, also in leap years', () => {
  assert.equal(days(monthOf(Temporal.PlainDate.from('2026-02-10'))), 28)
  assert.equal(days(monthOf(Temporal.PlainDate.from('2028-02-29'))), 29)
  assert.equal(days(monthOf(Temporal.PlainDate.from('2026-12-31'))), 31)
  assert.equal(monthLabel(monthOf(Temporal.PlainDate.from('2026-12-31'))), '2026-12')
})

test('the months of a period are those that share a day with it', () => {
  assert.deepEqual(monthsOf(period('2025-12-31', '2026-02-01')).map(monthLabel), ['2025-12', '2026-01'])
  assert.deepEqual(monthsOf(period('2026-01-31', '2026-02-02')).map(monthLabel), ['2026-01', '2026-02'])
})

test('the month just ended is told by the zone’s own calendar', () => {
  const now = Temporal.Instant.from('2026-05-01T03:00:00Z')
  assert.equal(monthLabel(previousMonth(now, 'UTC')), '2026-04')
  assert.equal(monthLabel(previousMonth(now, 'Pacific/Pago_Pago')), '2026-03')
  assert.equal(
    monthLabel(previousMonth(Temporal.Instant.from('2026-04-30T11:00:00Z'), 'Pacific/Kiritimati')),
    '2026-04',
  )
  assert.equal(monthLabel(previousMonth(Temporal.Instant.from('2026-01-01T00:00:00Z'), 'UTC')), '2025-12')
})

test('a month is a window of instants in its zone, from −11 to +14', () => {
  const april = period('2026-04-01', '2026-05-01')
  assert.deepEqual(textOf(instantsOf(april, 'UTC')), ['2026-04-01T00:00:00Z', '2026-05-01T00:00:00Z'])
  assert.deepEqual(textOf(instantsOf(april, 'Pacific/Pago_Pago')), ['2026-04-01T11:00:00Z', '2026-05-01T11:00:00Z'])
  assert.deepEqual(textOf(instantsOf(april, 'Pacific/Kiritimati')), ['2026-03-31T10:00:00Z', '2026-04-30T10:00:00Z'])
})

test('a change of the clocks makes a day of 23 or 25 hours, and a month longer or shorter', () => {
  assert.equal(secondsOf(period('2026-10-04', '2026-10-05'), 'Australia/Sydney'), 23n * 3_600n)
  assert.equal(secondsOf(period('2026-04-05', '2026-04-06'), 'Australia/Sydney'), 25n * 3_600n)
  assert.equal(secondsOf(period('2026-04-01', '2026-05-01'), 'Australia/Sydney'), 721n * 3_600n)
  // In Cairo the clocks go forward at midnight: the day starts at one o'clock.
  assert.equal(instantsOf(period('2026-04-24', '2026-04-25'), 'Africa/Cairo').start.toString(), '2026-04-23T22:00:00Z')
})

test('every instant of a month’s window falls on a date of that month, and the end does not', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Australia/Sydney',
    'America/New_York',
    'Pacific/Kiritimati',
    'Pacific/Pago_Pago',
  )
  fc.assert(
    fc.property(date, zones, fc.nat({ max: 1_000_000 }), (day, zone, millionths) => {
      const month = monthOf(day)
      const { start, end } = instantsOf(month, zone)
      const length = end.epochNanoseconds - start.epochNanoseconds
      const at = Temporal.Instant.fromEpochNanoseconds(
        start.epochNanoseconds + (length * BigInt(millionths)) / 1_000_001n,
      )
      assert.equal(monthLabel(monthOf(dateIn(at, zone))), monthLabel(month))
      assert.equal(dateIn(end, zone).toString(), month.end.toString())
    }),
  )
})

test('an overlap lies in both periods and is the same from both sides', () => {
  fc.assert(
    fc.property(anyPeriod, anyPeriod, (a, b) => {
      const shared = overlap(a, b)
      assert.deepEqual(textOf(shared), textOf(overlap(b, a)))
      assert.equal(shared === undefined ? 0 : days(shared), countShared(a, b))
    }),
  )
})

test('periods that only touch share nothing; an open end never ends', () => {
  const april = period('2026-04-01', '2026-05-01')
  assert.equal(overlap(april, period('2026-05-01', '2026-06-01')), undefined)
  assert.deepEqual(textOf(overlap(april, { start: Temporal.PlainDate.from('2026-04-10'), end: null })), [
    '2026-04-10',
    '2026-05-01',
  ])
  assert.equal(overlap(april, { start: april.end, end: null }), undefined)
})

test('the seconds of a life are those inside the window, whole', () => {
  const window = instantsOf(period('2026-04-01', '2026-04-02'), 'UTC')
  const within = (start: string, end: string | null) =>
    secondsWithin(window, {
      start: Temporal.Instant.from(start),
      end: end === null ? null : Temporal.Instant.from(end),
    })
  assert.equal(within('2026-03-01T00:00:00Z', null), 86_400n)
  assert.equal(within('2026-04-01T23:59:30Z', '2026-04-03T00:00:00Z'), 30n)
  assert.equal(within('2026-04-01T00:00:00Z', '2026-04-01T00:00:01.999999Z'), 1n)
  assert.equal(within('2026-04-02T00:00:00Z', null), 0n)
  assert.equal(within('2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z'), 0n)
})

test('what is no time zone is told the nearest one, also by its city, where one is near', () => {
  const nearestTo = (given: string) => expectedTimeZone(given).split(' ').at(-1)
  assert.equal(expectedTimeZone('Sydney'), 'a time zone of the IANA database; nearest to "Sydney" is Australia/Sydney')
  assert.deepEqual(['New York', 'Australia/Sidney', 'london'].map(nearestTo), [
    'America/New_York',
    'Australia/Sydney',
    'Europe/London',
  ])
  for (const given of ['AEST', '+10:00', ''])
    assert.equal(expectedTimeZone(given), 'a time zone of the IANA database such as Australia/Sydney')
})

test('a time zone is a name, not an offset', () => {
  for (const name of ['UTC', 'Australia/Sydney', 'Etc/GMT+10']) assert.equal(isTimeZone(name), true, name)
  for (const name of ['', 'Mars/Olympus', '+10:00', '-03', 'Sydney']) assert.equal(isTimeZone(name), false, name)
})

function secondsOf(of: Period, zone: string): bigint {
  const window = instantsOf(of, zone)
  return secondsWithin(window, window)
}

function textOf(of: Period | Window | undefined): string[] {
  return of === undefined ? [] : [of.start.toString(), of.end.toString()]
}

function countShared(a: Period, b: Period): number {
  let shared = 0
  for (let day = a.start; Temporal.PlainDate.compare(day, a.end) < 0; day = day.add({ days: 1 })) {
    if (Temporal.PlainDate.compare(day, b.start) >= 0 && Temporal.PlainDate.compare(day, b.end) < 0) shared += 1
  }
  return shared
}
