import { InvariantError, messageOf } from '../../kernel/invariant.ts'
import { Problem } from '../../kernel/problem.ts'

/** What came of work on one tenant. A failure is kept, so that the other tenants go on. */
export type Attempt<T> = { ok: true; value: T } | { ok: false; error: unknown }

/** As it is stored and shown: a stable code, and what to look at. */
export type Failure = { code: string; detail: string }

export function attempt<T>(work: () => T): Attempt<T> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return { ok: false, error }
  }
}

/** The value; a failure is thrown where it did not matter to anybody else. */
export function valueOf<T>(attempted: Attempt<T>): T {
  if (!attempted.ok) throw attempted.error
  return attempted.value
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Problem) return { code: error.code, detail: error.message }
  if (error instanceof InvariantError) return { code: 'invoicing/facts-contradict', detail: error.message }
  return { code: 'internal', detail: messageOf(error) }
}
