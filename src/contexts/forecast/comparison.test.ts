import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Billed, compare } from './comparison.ts'
import type { Expected } from './expected.ts'

const EXPECTED = [expected('web', '6'), expected('db', '15.15'), expected('gone', '4'), expected('odd', null)]
const LINES = [billed('web', '3'), billed('web', '3'), billed('db', '15'), billed('odd', '7'), billed('new', '0.5')]

test('an issued bill is compared per resource, the largest difference first', () => {
  const rows = compare(EXPECTED, { bill: { is_issued: true, lines: LINES } })
  assert.deepEqual(
    rows.map((row) => [row.name, row.status, row.month_end, row.billed, row.difference]),
    [
      ['gone', 'not_billed', '4', '0', '-4'],
      ['new', 'not_expected', '0', '0.5', '0.5'],
      ['db', 'differs', '15.15', '15', '-0.15'],
      ['odd', 'unpriced', null, '7', null],
      ['web', 'as_expected', '6', '6', '0'],
    ],
  )
})

test('a preview is shown beside what is expected, and not compared', () => {
  const rows = compare(EXPECTED, { bill: { is_issued: false, lines: LINES } })
  assert.deepEqual(
    rows.map((row) => [row.name, row.status, row.billed, row.difference]),
    [
      ['odd', 'unpriced', '7', null],
      ['db', 'open', '15', null],
      ['web', 'open', '6', null],
      ['gone', 'open', '0', null],
      ['new', 'open', '0.5', null],
    ],
  )
})

test('without a bill nothing is billed, which is not 0', () => {
  assert.deepEqual(
    compare(EXPECTED, { bill: null }).map((row) => row.billed),
    [null, null, null, null],
  )
})

test('what is billed of a kind that was not listed is in no difference', () => {
  const rows = compare([], { bill: { is_issued: true, lines: [billed('web', '3')] }, not_listed: new Set(['droplet']) })
  assert.deepEqual(
    rows.map((row) => [row.status, row.so_far, row.month_end, row.billed, row.difference]),
    [['not_listed', null, null, '3', null]],
  )
})

test('what has no resource is known by its name', () => {
  const spaces = { kind: 'spaces', resource_id: null, name: 'Spaces' }
  const rows = compare([{ ...spaces, so_far: '5', month_end: '5', unpriced: [] }], {
    bill: {
      is_issued: true,
      lines: [
        { ...spaces, amount: '5' },
        { ...spaces, name: 'Spaces overage', amount: '1' },
      ],
    },
  })
  assert.deepEqual(
    rows.map((row) => [row.name, row.status]),
    [
      ['Spaces overage', 'not_expected'],
      ['Spaces', 'as_expected'],
    ],
  )
})

function expected(name: string, amount: string | null): Expected {
  const unpriced = amount === null ? ['droplet odd'] : []
  return { kind: 'droplet', resource_id: name, name, so_far: amount, month_end: amount, unpriced }
}

function billed(name: string, amount: string): Billed {
  return { kind: 'droplet', resource_id: name, name, amount }
}
