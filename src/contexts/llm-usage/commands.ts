import { sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import { Problem } from '../../kernel/problem.ts'
import { type ContextTx, rowset } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import {
  admitAll,
  compare,
  conflict,
  isHeld,
  type LlmEvent,
  type LlmEventRow,
  ownerKey,
  requestKey,
  rowOf,
  type StoredEvent,
} from './event.ts'
import { lockReferences, lockStored } from './queries.ts'

/** `held`: the event has no charge yet. */
export type Recorded = { status: 'created' | 'duplicate'; id: string; held: boolean }

/**
 * Records events, each for itself, and answers in their order: the same number of statements whatever their number.
 * An event that could not be read comes as the Problem that says why. `tenant_id` null may send for every tenant; who
 * `sees_all` is told whose a deployment is that was sent as another's.
 */
export async function recordLlmUsage(
  tx: ContextTx<'llm_usage'>,
  read: readonly (LlmEvent | Problem)[],
  { now, ids, tenant_id, sees_all }: { now: Temporal.Instant; ids: Ids; tenant_id: string | null; sees_all: boolean },
): Promise<(Recorded | Problem)[]> {
  const references = await lockReferences(
    tx,
    read.flatMap((event) => (event instanceof Problem ? [] : [event])),
    { tenant_id, sees_all },
  )
  const sent = admitAll(read, references, now).map((event) =>
    event instanceof Problem
      ? event
      : rowOf(event, { id: ids.uuid(), byok: references.byok.has(ownerKey(event)), now }),
  )
  const rows = sent.flatMap((row) => (row instanceof Problem ? [] : [row]))
  const inserted = await insertNew(tx, rows)
  const stored = await lockStored(
    tx,
    rows.filter((row) => !inserted.has(row.id)),
  )
  const { outcomes, released } = settle(sent, inserted, stored)
  await release(tx, released)
  return outcomes
}

/** Returns the ids of the rows that were new. In the order of the key, so that two batches never wait for each other. */
async function insertNew(tx: ContextTx<'llm_usage'>, rows: readonly LlmEventRow[]): Promise<Set<string>> {
  const firsts = new Map(rows.toReversed().map((row) => [requestKey(row), row]))
  if (firsts.size === 0) return new Set()
  const inserted = await sql<{ id: string }>`
    insert into llm_usage.event
    select * from ${rowset('llm_usage.event', [...firsts.values()])}
    order by gateway_id, gateway_request_id
    on conflict (gateway_id, gateway_request_id) do nothing
    returning id`.execute(tx)
  return new Set(inserted.rows.map(({ id }) => id))
}

/** In the order sent, so that a held event and its charge may come in one batch. */
function settle(sent: readonly (LlmEventRow | Problem)[], inserted: ReadonlySet<string>, rows: readonly StoredEvent[]) {
  const stored = new Map(rows.map((row) => [requestKey(row), row]))
  const released: LlmEventRow[] = []
  const outcomes = sent.map((row): Recorded | Problem => {
    if (row instanceof Problem) return row
    if (inserted.has(row.id)) return { status: 'created', id: row.id, held: isHeld(row) }
    const known = present(stored.get(requestKey(row)), 'an event that was not inserted is stored')
    switch (compare(known, row)) {
      case 'duplicate':
        return { status: 'duplicate', id: known.id, held: isHeld(known) }
      case 'release': {
        const release = { ...row, id: known.id, byok: known.byok }
        released.push(release)
        stored.set(requestKey(row), release)
        return { status: 'created', id: known.id, held: isHeld(release) }
      }
      case 'conflict':
        return conflict(
          `Request ${row.gateway_request_id} of ${row.gateway_id} is known with other content; correct it by a new one that adjusts it.`,
        )
    }
  })
  return { outcomes, released }
}

/** The charge came late, so the time of receipt moves: that is what shows a billed period that it has changed. */
async function release(tx: ContextTx<'llm_usage'>, rows: readonly LlmEventRow[]): Promise<void> {
  if (rows.length === 0) return
  await sql`
    update llm_usage.event e
    set charge = r.charge, upstream_cost = r.upstream_cost, price_version = r.price_version, received_at = r.received_at
    from ${rowset('llm_usage.event', rows)} r
    where e.id = r.id`.execute(tx)
}
