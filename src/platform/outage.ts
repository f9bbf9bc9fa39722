import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../kernel/invariant.ts'
import { type Problem, problem } from '../kernel/problem.ts'
import type { Log } from './log.ts'

export const databaseUnreachable = problem({
  code: 'platform/database-unreachable',
  status: 503,
  title: 'The database cannot be reached',
  retry_after_s: 5,
})
export const outcomeUnknown = problem({
  code: 'platform/outcome-unknown',
  status: 503,
  title: 'Whether the call took effect is not known',
  retry_after_s: 1,
})
export const contended = problem({
  code: 'platform/contended',
  status: 503,
  title: 'Others are changing the same things',
  retry_after_s: 1,
})

/** Whether a Problem, or the job queue's copy of one, says that the database went away. */
export function isOutage(error: unknown): boolean {
  const { kind } = (error ?? {}) as Partial<Problem>
  return kind !== undefined && OUTAGE_CODES.has(kind.code)
}

const OUTAGE_CODES = new Set([databaseUnreachable.kind.code, outcomeUnknown.kind.code])

/** A statement that a lost connection took with it. */
export function connectionLost(cause: unknown): Problem {
  const refused = databaseUnreachable('The connection to the database is gone. Nothing was stored; repeat the call.')
  return Object.assign(refused, { cause })
}

/** A `commit` that has no answer: the server may have carried it out. */
export function commitUnanswered(cause: unknown): Problem {
  const refused = outcomeUnknown(
    'The database was told to store it and the connection ended before its answer. Repeat the call with the same ' +
      'Idempotency-Key: it answers what was stored, or runs. Sent without a key, look whether it took effect first.',
    [],
    { outcome: 'unknown' },
  )
  return Object.assign(refused, { cause })
}

/** What the server says when it ends a connection, or lets nobody in. */
const CONNECTION_ENDED = /^(08...|57P0[1-5]|25P0[34]|53300)$/

/** Whether the server's error, or the socket's, ends the connection that it came on. */
export function endsConnection(error: unknown): boolean {
  const { code } = (error instanceof Error ? error : {}) as { code?: unknown }
  return typeof code === 'string' && CONNECTION_ENDED.test(code)
}

/** Why a connection failed. Of a name with several addresses each fails by itself, and only the code is common. */
export function reasonOf(error: unknown): string {
  const { code = 'unknown' } = (error instanceof Error ? error : {}) as { code?: string }
  return messageOf(error) || code
}

/** Whether the database answers, as the last connection found it. One line when it goes away, one when it is back. */
export type Outage = {
  began(reason: string): void
  ended(): void
  /** Resolves when the database answers: at once unless it has gone away. Also when the signal says not to wait. */
  over(signal: AbortSignal): Promise<void>
  /** Nobody waits any more. */
  close(): void
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

/** `probe` asks the database for a sign of life; it goes through the same connections, which tell `began` and `ended`. */
export function createOutage({ probe, log }: { probe: () => Promise<unknown>; log: Log | undefined }): Outage {
  const closing = new AbortController()
  let is_down = false
  let probing: Promise<void> | undefined
  const ended = (): void => {
    if (is_down) log?.info({}, 'the database is back')
    is_down = false
  }
  const answers = (): Promise<boolean> =>
    probe().then(
      () => true,
      () => false,
    )
  const probeUntilBack = async (): Promise<void> => {
    let wait_ms = FIRST_WAIT_MS
    // One connection that was cut is no outage: ask at once, and then ever more rarely.
    while (!(await answers())) {
      await pause(wait_ms, undefined, closing).catch(() => {})
      if (closing.signal.aborted) return
      wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_MS)
    }
    ended()
  }
  return {
    began: (reason) => {
      if (!is_down) log?.warn({ reason }, 'the database went away')
      is_down = true
    },
    ended,
    over: async (signal) => {
      if (!is_down || signal.aborted) return
      // Whoever waits shares one probe.
      probing ??= probeUntilBack().finally(() => (probing = undefined))
      await Promise.race([probing, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
    },
    close: () => closing.abort(),
  }
}
