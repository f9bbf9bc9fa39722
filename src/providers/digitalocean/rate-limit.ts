import { setTimeout as sleep } from 'node:timers/promises'

import type { Clock } from '../../platform/clock.ts'

/** Requests left to others that use the same token, such as an operator at the console. */
const RESERVED_REQUESTS = 10

/**
 * Holds requests back while the token's quota is nearly used up, so that a long read slows down instead of failing.
 * `ratelimit-reset` is the Unix second when the oldest request of the rolling window expires.
 */
export type RateLimit = {
  observe(headers: Headers): void
  wait(): Promise<void>
}

export function createRateLimit(options: {
  clock: Clock
  /** The longest single pause; a longer reset, or a clock that is wrong, must not stop the sync for an hour. */
  max_wait_ms: number
  onWait: (wait_ms: number) => void
}): RateLimit {
  let resume_at: Temporal.Instant | null = null
  return {
    observe: (headers) => {
      resume_at = resumeAt(headers)
    },
    wait: async () => {
      const wait_ms = waitMs(resume_at, options)
      if (wait_ms === 0) return
      options.onWait(wait_ms)
      await sleep(wait_ms)
    },
  }
}

function resumeAt(headers: Headers): Temporal.Instant | null {
  const remaining = wholeNumber(headers.get('ratelimit-remaining'))
  const reset_s = wholeNumber(headers.get('ratelimit-reset'))
  if (remaining === null || reset_s === null || remaining > RESERVED_REQUESTS) return null
  return Temporal.Instant.fromEpochMilliseconds(reset_s * 1000)
}

function waitMs(resume_at: Temporal.Instant | null, options: { clock: Clock; max_wait_ms: number }): number {
  if (resume_at === null) return 0
  const left_ms = resume_at.epochMilliseconds - options.clock.now().epochMilliseconds
  return Math.min(Math.max(left_ms, 0), options.max_wait_ms)
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null
}
