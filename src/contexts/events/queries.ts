import { type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Reader } from '../../platform/db.ts'
import { Id, InstantText, type Page, pageOf, readCursor } from '../../platform/wire.ts'
import type { Subject } from './event.ts'

type Stored = Selectable<DB['events.event']>
export type EventTold = Omit<Stored, 'subject_kind' | 'subject_id'> & { subject: Subject }

export type EventFilter = { type?: string; subject?: string; tenant_id?: string; since?: Temporal.Instant | undefined }

/** The newest first. `subject` is the id of one; `since` counts. */
export async function listEvents(
  reader: Reader,
  { type, subject, tenant_id, since, limit, cursor }: Page & EventFilter,
): Promise<{ data: EventTold[]; next_cursor: string | null }> {
  const before = readCursor(cursor, [InstantText, Id])
  const rows = await reader
    .selectFrom('events.event')
    .selectAll()
    .$if(type !== undefined, (query) => query.where('type', '=', type ?? ''))
    .$if(subject !== undefined, (query) => query.where('subject_id', '=', subject ?? ''))
    .$if(tenant_id !== undefined, (query) => query.where('tenant_id', '=', tenant_id ?? ''))
    .$if(since !== undefined, (query) => query.where('occurred_at', '>=', since ?? null))
    .$if(before !== undefined, (query) =>
      query.where(sql<boolean>`(occurred_at, id) < (${before?.[0]}::timestamptz, ${before?.[1]}::uuid)`),
    )
    .orderBy('occurred_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  const { data, next_cursor } = pageOf(rows, limit, (row) => [row.occurred_at.toString(), row.id])
  return { data: data.map(told), next_cursor }
}

function told({ subject_kind, subject_id, ...event }: Stored): EventTold {
  return { ...event, subject: { kind: subject_kind, id: subject_id } }
}
