import { randomBytes, randomUUIDv7 } from 'node:crypto'

/** Where randomness comes in. */
export type Ids = { uuid(): string; secret(): string }

export const randomIds: Ids = {
  // In the order of their making, so that new rows go to the end of an index and ties in time keep their order.
  uuid: () => randomUUIDv7(),
  secret: () => randomBytes(32).toString('base64url'),
}
