import { sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'
import { COUNTS_IN_ITS_MONTH } from './bill-queries.ts'
import type { PageAfter } from './wire.ts'

export type BillingPeriodRow = {
  period_start: Temporal.PlainDate
  closed_at: Temporal.Instant | null
  closed_by: string | null
  reopened_at: Temporal.Instant | null
  reopened_by: string | null
  reopen_reason: string | null
  totals: {
    currency: string
    bills: number
    amount: string
    matched_amount: string
    allocated_amount: string
    unmatched_amount: string
    tax_amount: string
    credit_amount: string
  }[]
}

/** Months with bills whose lines are stored, newest first, `limit` + 1 rows strictly after `after` (period start). */
export async function listBillingPeriods(reader: Reader, { limit, after }: PageAfter): Promise<BillingPeriodRow[]> {
  const { rows } = await sql<BillingPeriodRow>`
    select m.* from (${SELECT_BILLING_PERIOD}) m
    where ${after ? sql`m.period_start < ${after[0]}::date` : sql`true`} and m.totals is not null
    order by m.period_start desc limit ${limit + 1}`.execute(reader)
  return rows
}

/** A month without bills has no totals. */
export async function findBillingPeriod(
  reader: Reader,
  period_start: Temporal.PlainDate,
): Promise<BillingPeriodRow | undefined> {
  const { rows } = await sql<BillingPeriodRow>`
    select m.*, coalesce(m.totals, '[]') as totals from (${SELECT_BILLING_PERIOD}) m
    where m.period_start = ${period_start}`.execute(reader)
  return rows[0]
}

const SELECT_BILLING_PERIOD = sql`
  with bill as (
    select bill.id, bill.currency, bill.amount, date_trunc('month', bill.period_start::timestamp)::date as month
    from costs.provider_invoice bill where ${COUNTS_IN_ITS_MONTH}
  ),
  total as (
    select bill.month, bill.currency, count(*)::integer as bills, sum(bill.amount) as amount,
      sum(line.matched) as matched, sum(line.allocated) as allocated, sum(line.unmatched) as unmatched,
      sum(line.tax) as tax, sum(line.credit) as credit
    from bill cross join lateral (
      select coalesce(sum(amount) filter (where match_status = 'matched'), 0) as matched,
        coalesce(sum(amount) filter (where match_status = 'allocated'), 0) as allocated,
        coalesce(sum(amount) filter (where match_status = 'unmatched'), 0) as unmatched,
        coalesce(sum(amount) filter (where charge_category = 'Tax'), 0) as tax,
        coalesce(sum(amount) filter (where charge_category = 'Credit'), 0) as credit
      from costs.cost_line where provider_invoice_id = bill.id
    ) line
    group by bill.month, bill.currency
  ),
  month as (
    select month, jsonb_agg(jsonb_build_object('currency', currency, 'bills', bills,
      'amount', trim_scale(amount)::text, 'matched_amount', trim_scale(matched)::text,
      'allocated_amount', trim_scale(allocated)::text, 'unmatched_amount', trim_scale(unmatched)::text,
      'tax_amount', trim_scale(tax)::text, 'credit_amount', trim_scale(credit)::text
    ) order by currency) as totals
    from total group by month
  ),
  last_close as (
    select distinct on (period_start) * from costs.period_close
    order by period_start, closed_at desc, reopened_at is not null, id
  )
  select coalesce(m.month, c.period_start) as period_start, c.closed_at, c.closed_by, c.reopened_at, c.reopened_by,
    c.reopen_reason, m.totals
  from month m full join last_close c on c.period_start = m.month`
