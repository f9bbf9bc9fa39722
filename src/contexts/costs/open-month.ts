import { type RawBuilder, sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'
import { periodClosed } from './problems.ts'

/** Throws `costs/period-closed` when the month that the date lies in is closed. */
export async function requireOpenMonth(reader: Reader, date: Temporal.PlainDate): Promise<void> {
  const close = await findClosing(reader, date)
  if (close === undefined) return
  const month = date.toPlainYearMonth()
  throw periodClosed(
    `${month} was closed by ${close.closed_by} at ${close.closed_at}. POST /billing/periods/${month}/reopen with a reason first.`,
  )
}

export async function isMonthOpen(reader: Reader, date: Temporal.PlainDate): Promise<boolean> {
  return (await findClosing(reader, date)) === undefined
}

/** That of the month that the date lies in. */
function findClosing(reader: Reader, date: Temporal.PlainDate) {
  return reader
    .selectFrom('costs.period_close')
    .select(['closed_at', 'closed_by'])
    .where('period_start', '=', date.with({ day: 1 }))
    .where('reopened_at', 'is', null)
    .executeTakeFirst()
}

/** Whether the month of the provider invoice under this alias is open: a condition in SQL. */
export function isOpenMonth(invoice: string): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from costs.period_close c
    where c.period_start = date_trunc('month', ${sql.ref(`${invoice}.period_start`)}::timestamp)::date
      and c.reopened_at is null
  )`
}
