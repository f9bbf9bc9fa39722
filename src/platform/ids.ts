import { randomBytes, randomUUID } from 'node:crypto'

/** Where randomness comes in. */
export type Ids = { uuid(): string; secret(): string }

export const randomIds: Ids = {
  uuid: () => randomUUID(),
  secret: () => randomBytes(32).toString('base64url'),
}
