import { sql } from 'kysely'
import { Problem } from '../../kernel/problem.ts'
import { type ContextTx, rowset } from '../../platform/db.ts'
import { admit, conflict, type UsageEvent, type UsageEventRow } from './event.ts'
import { readReferences, readStored } from './queries.ts'

/** `id` is the event's own, as its sender wrote it; null where it has none. */
export type Rejection = { index: number; id: string | null; code: string; detail: string }
export type UsageReceipt = { accepted: number; duplicates: number; rejected: Rejection[] }

/** An event as far as it could be read, or the Problem that says why not. */
export type ReadEvent = { id: string | null; event: UsageEvent | Problem }

type Sent = { index: number; row: UsageEventRow }

/**
 * Records events, each for itself: the same number of statements whatever their number. `tenant_id` null may meter every
 * tenant's deployments.
 */
export async function recordUsage(
  tx: ContextTx<'metering'>,
  read: readonly ReadEvent[],
  { now, tenant_id }: { now: Temporal.Instant; tenant_id: string | null },
): Promise<UsageReceipt> {
  const events = read.flatMap(({ event }) => (event instanceof Problem ? [] : [event]))
  const references = await readReferences(tx, events, tenant_id)
  const judged = read.map(({ event }) => (event instanceof Problem ? event : admit(event, references, now)))
  const sent = judged.flatMap((row, index) => (row instanceof Problem ? [] : [{ index, row }]))

  const firsts = firstOfEachKey(sent)
  const inserted = await insertNew(tx, firsts)
  const repeats = sent.filter((one) => !(firsts.get(keyOf(one.row)) === one && inserted.has(keyOf(one.row))))
  const conflicts = await findConflicts(tx, repeats)

  const rejected = [
    ...judged.flatMap((refused, index) => (refused instanceof Problem ? [{ index, refused }] : [])),
    ...conflicts,
  ]
  return {
    accepted: inserted.size,
    duplicates: repeats.length - conflicts.length,
    rejected: rejected
      .toSorted((a, b) => a.index - b.index)
      .map(({ index, refused }) => ({
        index,
        id: read[index]?.id ?? null,
        code: refused.code,
        detail: refused.message,
      })),
  }
}

function firstOfEachKey(sent: readonly Sent[]): Map<string, Sent> {
  const firsts = new Map<string, Sent>()
  for (const one of sent) {
    const key = keyOf(one.row)
    if (!firsts.has(key)) firsts.set(key, one)
  }
  return firsts
}

/** Returns the keys of those that were new. In the order of the key, so that two batches never wait for each other. */
async function insertNew(tx: ContextTx<'metering'>, firsts: ReadonlyMap<string, Sent>): Promise<Set<string>> {
  if (firsts.size === 0) return new Set()
  const { rows } = await sql<Pick<UsageEventRow, 'tenant_id' | 'source' | 'event_id'>>`
    insert into metering.usage_event
    select * from ${rowset(
      'metering.usage_event',
      [...firsts.values()].map(({ row }) => row),
    )}
    order by tenant_id, source, event_id
    on conflict do nothing
    returning tenant_id, source, event_id`.execute(tx)
  return new Set(rows.map(keyOf))
}

async function findConflicts(
  tx: ContextTx<'metering'>,
  repeats: readonly Sent[],
): Promise<{ index: number; refused: Problem }[]> {
  const stored = await readStored(
    tx,
    repeats.map(({ row }) => row),
  )
  const hashes = new Map(stored.map((row) => [keyOf(row), row.content_hash]))
  return repeats
    .filter(({ row }) => hashes.get(keyOf(row)) !== row.content_hash)
    .map(({ index, row }) => ({
      index,
      refused: conflict(
        `Event ${row.event_id} of ${row.source} is known with other content; send a new event under a new id.`,
      ),
    }))
}

function keyOf({ tenant_id, source, event_id }: Pick<UsageEventRow, 'tenant_id' | 'source' | 'event_id'>): string {
  return JSON.stringify([tenant_id, source, event_id])
}
