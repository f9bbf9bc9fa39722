import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { jsonInteger } from '../../kernel/money.ts'
import type { Caller } from '../../platform/auth.ts'
import { insertRows, type Reader, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { Ids } from '../../platform/ids.ts'
import { callerOf } from '../../platform/wire.ts'

type Stored = Selectable<DB['events.event']>

/** `actor` is the token's subject, or `system:…` for what the program does by itself. */
export type Act = { now: Temporal.Instant; actor: string; ids: Ids }

export function actOf({ clock, ids }: Pick<Edge, 'clock' | 'ids'>, request: { caller: Caller | null }): Act {
  return { now: clock.now(), actor: callerOf(request).sub, ids }
}

export type Subject = { kind: string; id: string }

/** `tenant_id` is whose it was, null for what is the operator's; `data` is what it was before, and what it became. */
export type NewEvent = Pick<Stored, 'type' | 'tenant_id' | 'reason'> & { subject: Subject; data: object }

/** Tells what the transaction does. */
export async function recordEvent(tx: Reader, given: NewEvent, { now, actor, ids }: Act): Promise<void> {
  const { subject, data, ...event } = given
  const told = { ...event, subject_kind: subject.kind, subject_id: subject.id, data: asAnswered(data) }
  await insertRows(within<'events'>(tx), 'events.event', [{ ...told, id: ids.uuid(), occurred_at: now, actor }])
}

/** Minor units are integers in events as they are in answers. */
function asAnswered(data: object): unknown {
  const text = JSON.stringify(data, (_key, value: unknown) => (typeof value === 'bigint' ? jsonInteger(value) : value))
  return JSON.parse(text)
}
