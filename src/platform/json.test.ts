import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringifyJson } from './json.ts'

test('a bigint is a JSON integer, whatever its size', () => {
  assert.equal(
    stringifyJson({ cents: 9_007_199_254_740_993n, parts: [-1n] }),
    '{"cents":9007199254740993,"parts":[-1]}',
  )
})

test('everything else is plain JSON, indented when asked', () => {
  const value = { text: '1n', at: Temporal.Instant.from('2026-05-01T03:00:00Z'), none: null }
  assert.equal(stringifyJson(value), JSON.stringify(value))
  assert.equal(stringifyJson(value, { indent: 2 }), JSON.stringify(value, null, 2))
})
