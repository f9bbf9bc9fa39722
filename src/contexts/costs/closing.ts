import { sql } from 'kysely'
import { instantsOf, monthLabel, type Period } from '../../kernel/period.ts'
import type { ContextTx } from '../../platform/db.ts'
import { PROVIDER_ZONE } from '../../providers/bill-line.ts'
import type { Act } from '../events/index.ts'
import { lockBills } from './lock.ts'
import { matchLines } from './match-lines.ts'
import { requireOpenMonth } from './open-month.ts'
import { periodNotOver, periodOpen } from './problems.ts'

/**
 * From now on nothing changes whose cost the month's lines are. A bill that comes later is matched once, as it comes.
 * Throws `costs/period-not-over` and, when it is closed already, `costs/period-closed`.
 */
export async function closePeriod(tx: ContextTx<'costs'>, period: Period, { now, actor, ids }: Act): Promise<void> {
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

/** Matches the month's lines again, and keeps the closing with the reason. Throws `costs/period-open`. */
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
  const bills = await tx
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where(sql<boolean>`date_trunc('month', period_start::timestamp)::date = ${period.start}`)
    .execute()
  await matchLines(tx, { provider_invoice_ids: bills.map(({ id }) => id) })
}
