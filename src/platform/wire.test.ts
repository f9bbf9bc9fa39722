import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Value } from 'typebox/value'
import {
  callerOf,
  CursorNumber,
  CursorText,
  DateText,
  DecimalText,
  found,
  Id,
  InstantText,
  pageOf,
  readCursor,
  readPeriodBody,
  readPeriodText,
  requireCurrency,
} from './wire.ts'

const ROWS = [{ id: 'a' }, { id: 'b' }, { id: 'ç' }, { id: 'd' }]

test('a page holds its limit, and its cursor is the key of its last row', () => {
  const page = pageOf(ROWS, 3, (row) => [row.id, '1'])
  assert.deepEqual(page.data, ROWS.slice(0, 3))
  assert.deepEqual(readCursor(page.next_cursor ?? '', [CursorText, CursorNumber]), ['ç', '1'])
})

test('the last page has no cursor', () => {
  assert.equal(pageOf(ROWS, 4, (row) => [row.id]).next_cursor, null)
  assert.equal(pageOf([], 4, () => []).next_cursor, null)
  assert.equal(readCursor(undefined, [CursorText]), undefined)
})

test('a cursor that no page gave out is refused', () => {
  for (const cursor of [
    '',
    'garbage',
    cursorOf(['a', 'b']),
    cursorOf(['\0']),
    cursorOf(['\ud83d']),
    cursorOf([1]),
    cursorOf({ length: 1 }),
  ]) {
    assert.throws(() => readCursor(cursor, [CursorText]), { code: 'request/invalid', status: 422 }, cursor)
  }
  for (const part of [Id, CursorNumber, DateText, InstantText]) {
    assert.throws(() => readCursor(cursorOf(['x']), [part]), { code: 'request/invalid' })
  }
})

test('a date, a time and a period lie in the years 1900 to 2999', () => {
  for (const year of ['0000', '1899', '3000', '9999']) {
    assert.equal(Value.Check(DateText, `${year}-12-30`), false, year)
    assert.equal(Value.Check(InstantText, `${year}-12-30T00:00:00Z`), false, year)
    assert.throws(
      () => readPeriodText(`${year}-12`),
      {
        errors: [
          {
            path: 'period',
            message: `must be a month such as 2026-04, or a day in it, in the years 1900 to 2999; found "${year}-12"`,
          },
        ],
      },
      year,
    )
  }
  for (const year of ['1900', '2999']) {
    assert.equal(Value.Check(DateText, `${year}-12-30`), true, year)
    assert.equal(Value.Check(InstantText, `${year}-12-30T00:00:00Z`), true, year)
    assert.equal(readPeriodText(`${year}-12`).start.toString(), `${year}-12-01`)
  }
})

test('an id is hexadecimal digits and hyphens, in either case', () => {
  for (const id of ['0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11', '0B6E1A52-6A43-4F0E-9B0A-3F3F0A2F1C11'])
    assert.equal(Value.Check(Id, id), true, id)
  for (const id of ['urn:uuid:0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11', '{0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11}', 'shop'])
    assert.equal(Value.Check(Id, id), false, id)
})

test('a time has at most nine digits of a second', () => {
  assert.equal(Value.Check(InstantText, '2026-04-01T00:00:00.123456789Z'), true)
  assert.equal(Value.Check(InstantText, '2026-04-01T00:00:00.1234567890Z'), false)
})

test('a decimal has at most 15 digits before the point and 20 after it', () => {
  assert.equal(Value.Check(DecimalText, `-${'9'.repeat(15)}.${'9'.repeat(20)}`), true)
  assert.equal(Value.Check(DecimalText, '9'.repeat(16)), false)
  assert.equal(Value.Check(DecimalText, `0.${'9'.repeat(21)}`), false)
})

test('a period is read from a month, or from dates in the right order', () => {
  assert.equal(readPeriodText('2026-04-17').end.toString(), '2026-05-01')
  assert.throws(() => readPeriodText('2026-13'), { code: 'request/invalid' })
  assert.equal(readPeriodBody({ start: '2026-04-01', end: '2026-04-02' }, 'period').start.toString(), '2026-04-01')
  assert.throws(() => readPeriodBody({ start: '2026-04-01', end: '2026-04-01' }, 'period'), {
    errors: [{ path: 'period/end', message: 'must be after start (the end is exclusive)' }],
  })
})

test('a currency is one of ISO 4217', () => {
  assert.equal(requireCurrency('AUD', 'currency'), 'AUD')
  assert.throws(() => requireCurrency('AUX', 'currency'), {
    errors: [{ path: 'currency', message: 'must be three capital letters of ISO 4217; nearest to "AUX" is AUD' }],
  })
})

test('what is missing is not found; a call without a caller is a bug', () => {
  assert.equal(found(0, 'invoice'), 0)
  assert.throws(() => found(undefined, 'invoice'), { status: 404, message: 'No such invoice.' })
  assert.throws(() => callerOf({ caller: null }), { name: 'Error' })
})

function cursorOf(key: unknown): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}
