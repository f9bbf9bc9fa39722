/** A bug, not a refusal: it is logged whole and answered as an internal error. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

export function invariant(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new InvariantError(promise)
}

/** The value, where a missing one can only be a bug. */
export function present<T>(value: T | null | undefined, promise: string): T {
  invariant(value !== null && value !== undefined, promise)
  return value
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
