import { setImmediate as nextTurn } from 'node:timers/promises'

/** How long one call may keep the program to itself. */
const TURN_MAX_MS = 50
let turned_at_ms = 0

/**
 * Lets others have their turn when nobody had one for a while. Between the steps of long work in this thread, or health
 * and every other call would wait for its end: an embedded database answers without ever going back to the event loop.
 */
export async function giveWay(): Promise<void> {
  if (performance.now() - turned_at_ms < TURN_MAX_MS) return
  await nextTurn()
  turned_at_ms = performance.now()
}
