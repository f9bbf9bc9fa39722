import { sql } from 'kysely'
import { decimal, plain } from '../../kernel/decimal.ts'
import { type ContextTx, insertRows, rowset } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { BillingEntry } from '../../providers/digitalocean/index.ts'

/** A provider's billing history, every page of it. */
type BillingHistory = {
  readonly provider: string
  readonly currency: string
  readonly entries: readonly BillingEntry[]
  /** Before the first page was asked for. */
  readonly read_at: Temporal.Instant
}

/**
 * Adds the entries that are new. What was stored stays: an entry that the provider does not list any more is marked as
 * missing, until it is listed again. A history read before the last one that was recorded is left out: it would mark
 * what it could not know yet. Returns how many entries are new.
 */
export async function recordBillingHistory(
  tx: ContextTx<'costs'>,
  { provider, currency, entries, read_at }: BillingHistory,
  { ids }: { ids: Ids },
): Promise<number> {
  const { numAffectedRows } = await sql`
    insert into costs.billing_history_reading as stored (provider, read_at) values (${provider}, ${read_at})
    on conflict (provider) do update set read_at = excluded.read_at where stored.read_at <= excluded.read_at`.execute(
    tx,
  )
  if (numAffectedRows === 0n) return 0
  const rows = numberOccurrences(entries).map((entry) => ({
    id: ids.uuid(),
    provider,
    currency,
    ...entry,
    first_seen_at: read_at,
  }))
  const new_count = await insertRows(tx, 'costs.billing_entry', rows, { on_conflict: 'do nothing' })
  await sql`
    with listed as (
      select e.id from costs.billing_entry e
      join ${rowset('costs.billing_entry', rows)} n
        on (n.provider, n.occurred_at, n.type, n.amount, n.currency, n.description, n.occurrence)
          = (e.provider, e.occurred_at, e.type, e.amount, e.currency, e.description, e.occurrence)
        and n.invoice_number is not distinct from e.invoice_number and n.invoice_uuid is not distinct from e.invoice_uuid
    )
    update costs.billing_entry e
    set missing_since = case when e.missing_since is null then ${read_at}::timestamptz end
    where e.provider = ${provider} and (e.missing_since is null) = (e.id not in (select id from listed))`.execute(tx)
  return new_count
}

type NumberedEntry = {
  readonly occurred_at: Temporal.Instant
  readonly type: string
  readonly amount: string
  readonly description: string
  readonly invoice_number: string | null
  readonly invoice_uuid: string | null
  /** From 1 on, among entries that are equal in everything else. */
  readonly occurrence: number
}

/** Two payments of one second over one amount are two entries: equal ones are told apart by counting them. */
export function numberOccurrences(entries: readonly BillingEntry[]): NumberedEntry[] {
  const counts = new Map<string, number>()
  return entries.map(({ date, type, amount, description, invoice_id, invoice_uuid }) => {
    const row = {
      occurred_at: date,
      type,
      amount: plain(decimal(amount)),
      description,
      invoice_number: invoice_id,
      invoice_uuid,
    }
    const key = JSON.stringify(row)
    const occurrence = (counts.get(key) ?? 0) + 1
    counts.set(key, occurrence)
    return { ...row, occurrence }
  })
}
