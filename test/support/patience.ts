/** When a test gives up waiting for what must come: long, because a loaded machine is slow, not wrong. */
export const PATIENCE_MS = 300_000
/**
 * When a client under test gives up on an answer that never comes. Any answer that is sent must arrive well within it, on
 * a loaded machine too.
 */
export const IMPATIENCE_MS = 1_000
