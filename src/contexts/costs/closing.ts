import { type RawBuilder, sql } from 'kysely'
import { instantsOf, monthLabel, type Period } from '../../kernel/period.ts'
import type { ContextTx, Reader } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { lockBills } from './lock.ts'
import { periodClosed, periodNotOver, periodOpen } from './problems.ts'

/** Providers bill by the month in UTC. */
const PROVIDER_ZONE = 'UTC'

type Act = { readonly now: Temporal.Instant; readonly actor: string }

/**
 * From now on nothing changes whose cost the month's lines are. A bill that comes later is matched once, as it comes.
 * Throws `costs/period-not-over` and, when it is closed already, `costs/period-closed`.
 */
export async function closePeriod(
  tx: ContextTx<'costs'>,
  period: Period,
  { now, actor, ids }: Act & { readonly ids: Ids },
): Promise<void> {
  const { end } = instantsOf(period, PROVIDER_ZONE)
  if (Temporal.Instant.compare(now, end) < 0) {
    throw periodNotOver(`${monthLabel(period)} runs until ${end}. Close it after that.`)
  }
  await lockBills(tx)
  await requireOpenMonth(tx, period.start)
  await tx
    .insertInto('costs.period_close')
    .values({ id: ids.uuid(), period_start: period.start, closed_at: now, closed_by: actor })
    .execute()
}

/** Lets the month's lines be matched again; the closing is kept with the reason. Throws `costs/period-open`. */
export async function reopenPeriod(
  tx: ContextTx<'costs'>,
  { period, reason }: { period: Period; reason: string },
  { now, actor }: Act,
): Promise<void> {
  await lockBills(tx)
  const { numUpdatedRows } = await tx
    .updateTable('costs.period_close')
    .set({ reopened_at: now, reopened_by: actor, reopen_reason: reason })
    .where('period_start', '=', period.start)
    .where('reopened_at', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw periodOpen(`${monthLabel(period)} is not closed.`)
}

/** Throws `costs/period-closed` when the month that the date lies in is closed. */
export async function requireOpenMonth(reader: Reader, date: Temporal.PlainDate): Promise<void> {
  const period_start = date.with({ day: 1 })
  const close = await reader
    .selectFrom('costs.period_close')
    .select(['closed_at', 'closed_by'])
    .where('period_start', '=', period_start)
    .where('reopened_at', 'is', null)
    .executeTakeFirst()
  if (close === undefined) return
  const month = period_start.toPlainYearMonth()
  throw periodClosed(
    `${month} was closed by ${close.closed_by} at ${close.closed_at}. POST /billing/periods/${month}/reopen with a reason first.`,
  )
}

/** Whether the month of the provider invoice under this alias is open: a condition in SQL. */
export function isOpenMonth(invoice: string): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from costs.period_close c
    where c.period_start = date_trunc('month', ${sql.ref(`${invoice}.period_start`)}::timestamp)::date
      and c.reopened_at is null
  )`
}
