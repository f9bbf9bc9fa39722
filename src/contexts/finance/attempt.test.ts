import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutboundError, type OutboundFailure } from '../../platform/outbound.ts'
import { afterFailure, isUnreachable } from './attempt.ts'

const NOW = Temporal.Instant.from('2026-05-01T03:00:00Z')

function failure(reason: OutboundFailure['reason'], status: number | null = null): OutboundError {
  return new OutboundError({ reason, status, request_id: null, method: 'POST', path: '/x', attempts: 1 }, 'failed')
}

function pauseInMinutes(error: OutboundError, attempts: number): number | null {
  const next = afterFailure(error, attempts, NOW)
  return next && NOW.until(next).total('minutes')
}

test('pauses double from a minute up to six hours', () => {
  const pauses = [1, 2, 3, 9, 10, 19].map((attempts) => pauseInMinutes(failure('http', 500), attempts))
  assert.deepEqual(pauses, [1, 2, 4, 256, 360, 360])
})

test('after twenty attempts it stays failed', () => {
  assert.equal(pauseInMinutes(failure('http', 500), 20), null)
})

test('a refusal fails at once; a busy, broken or silent service, or one that does not know us yet, does not', () => {
  for (const status of [400, 409, 413, 422]) assert.equal(pauseInMinutes(failure('http', status), 1), null, `${status}`)
  for (const status of [301, 401, 403, 404, 408, 429, 500, 503])
    assert.equal(pauseInMinutes(failure('http', status), 1), 1, `${status}`)
  for (const reason of ['timeout', 'network'] as const) assert.equal(pauseInMinutes(failure(reason), 1), 1, reason)
  assert.equal(pauseInMinutes(failure('invalid_response', 200), 1), 1)
})

test('a service that does not answer is unreachable, one that answers badly is not', () => {
  assert.deepEqual([isUnreachable(failure('timeout')), isUnreachable(failure('network'))], [true, true])
  assert.deepEqual(
    [isUnreachable(failure('http', 500)), isUnreachable(failure('invalid_response', 200))],
    [false, false],
  )
})
