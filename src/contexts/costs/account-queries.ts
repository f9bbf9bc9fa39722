import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { instantsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { PageAfter } from './wire.ts'

export type BalanceRow = {
  provider: string
  generated_at: Temporal.Instant
  month_to_date_balance: string
  account_balance: string
  month_to_date_usage: string
  currency: string
  taken_at: Temporal.Instant
  entries_amount: string | null
}

export async function latestBalance(reader: Reader): Promise<BalanceRow | undefined> {
  const [latest] = await listBalances(reader, { limit: 0, after: undefined })
  return latest
}

/**
 * Newest first, `limit` + 1 rows strictly before `after` (generated_at, provider). `entries_amount` is the sum of the
 * billing history up to then; null where the history was not read since.
 */
export async function listBalances(reader: Reader, { limit, after }: PageAfter): Promise<BalanceRow[]> {
  const condition = after ? sql`where (b.generated_at, b.provider) < (${after[0]}::timestamptz, ${after[1]})` : sql``
  const { rows } = await sql<BalanceRow>`
    select b.provider, b.generated_at, trim_scale(b.month_to_date_balance) as month_to_date_balance,
      trim_scale(b.account_balance) as account_balance, trim_scale(b.month_to_date_usage) as month_to_date_usage,
      b.currency, b.taken_at,
      case when exists (
        select from costs.billing_history_reading r where r.provider = b.provider and r.read_at >= b.generated_at
      ) then (
        select trim_scale(coalesce(sum(e.amount), 0)) from costs.billing_entry e
        where e.provider = b.provider and e.currency = b.currency and e.occurred_at <= b.generated_at
          and e.missing_since is null
      ) end as entries_amount
    from costs.balance b ${condition}
    order by b.generated_at desc, b.provider desc limit ${limit + 1}`.execute(reader)
  return rows
}

export type BillingEntryFilter = { readonly period?: Period; readonly type?: string }

export type BillingEntryRow = Omit<Selectable<DB['costs.billing_entry']>, 'occurrence'>

/** Newest first, `limit` + 1 rows strictly before `after` (occurred_at, id). */
export async function listBillingEntries(
  reader: Reader,
  { period, type }: BillingEntryFilter,
  { limit, after }: PageAfter,
): Promise<BillingEntryRow[]> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (period) {
    const { start, end } = instantsOf(period, 'UTC')
    conditions.push(sql`occurred_at >= ${start} and occurred_at < ${end}`)
  }
  if (type !== undefined) conditions.push(sql`type = ${type}`)
  if (after) conditions.push(sql`(occurred_at, id) < (${after[0]}::timestamptz, ${after[1]}::uuid)`)
  const { rows } = await sql<BillingEntryRow>`
    select id, provider, occurred_at, type, trim_scale(amount) as amount, currency, description, invoice_number,
      invoice_uuid, first_seen_at, missing_since
    from costs.billing_entry where ${sql.join(conditions, sql` and `)}
    order by occurred_at desc, id desc limit ${limit + 1}`.execute(reader)
  return rows
}
