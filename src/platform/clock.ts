/** Where time comes in. Passed from the edge; nothing else asks what time it is. */
export type Clock = { now(): Temporal.Instant }

export const systemClock: Clock = { now: () => Temporal.Now.instant() }

/** Frozen at the configured time, if there is one. */
export function clockOf({ now }: { now: Temporal.Instant | null }): Clock {
  return now === null ? systemClock : frozenClock(now)
}

export function frozenClock(at: Temporal.Instant | string): Clock & { set(at: Temporal.Instant | string): void } {
  let now = Temporal.Instant.from(at)
  return {
    now: () => now,
    set: (next) => {
      now = Temporal.Instant.from(next)
    },
  }
}
