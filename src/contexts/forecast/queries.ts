import { sql } from 'kysely'
import { instantsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { Billed } from './comparison.ts'
import { PROVIDER_ZONE, type RentedSpan, subjectOf } from './expected.ts'

/** Its inventory and its price book are known; what others bill cannot be expected. */
const PROVIDER = 'digitalocean'

export type BillFacts = {
  readonly provider_invoice_id: string
  readonly status: 'preview' | 'issued'
  readonly invoice_number: string | null
  readonly amount: string
  readonly tax_amount: string
  readonly credit_amount: string
  /** What is left: the charges, which alone can be expected. */
  readonly charges_amount: string
  readonly read_at: Temporal.Instant
}

export type BalanceFacts = { readonly generated_at: Temporal.Instant; readonly month_to_date_usage: string }

/** What was rented in the month. Projects cost nothing. */
export async function loadSpans(reader: Reader, month: Period): Promise<RentedSpan[]> {
  const { start, end } = instantsOf(month, PROVIDER_ZONE)
  const { rows } = await sql<RentedSpan>`
    select s.resource_id, r.kind, s.name, s.size, trim_scale(s.size_gb) as size_gb,
      trim_scale(s.price_monthly) as price_monthly, p.id as parent_id, p.name as parent_name, s.starts_at, s.ends_at
    from inventory.span s
    join inventory.resource r on r.id = s.resource_id
    left join inventory.resource p
      on (p.provider, p.kind, p.external_id) = (r.provider, r.parent_kind, r.parent_external_id)
    where r.provider = ${PROVIDER} and r.kind <> 'project'
      and s.starts_at < ${end} and coalesce(s.ends_at > ${start}, true)
    union all ${subscriptionsOf(month)}`.execute(reader)
  return rows
}

/** What the account as a whole subscribes to is in no list: it is expected to go on as the bill before says. */
function subscriptionsOf(month: Period) {
  const since = instantsOf(month, PROVIDER_ZONE).start
  return sql`
    select distinct null::uuid, l.kind, l.description, '', 0::numeric, null::numeric, null::uuid, null::text,
      ${since}::timestamptz, null::timestamptz
    from costs.cost_line l
    where l.charge_category = 'Purchase' and l.resource_id is null and l.resource_name is null
      and not exists (select from inventory.resource r where r.provider = l.provider and r.kind = l.kind)
      and l.provider_invoice_id = (
        select i.id from costs.provider_invoice i
        where i.provider = ${PROVIDER} and i.status = 'issued' and i.period_end = ${month.start}
        order by i.amount desc, i.id limit 1
      )`
}

/** The issued bill of the month, else its preview. */
export async function findBill(reader: Reader, month: Period): Promise<BillFacts | undefined> {
  const { rows } = await sql<BillFacts>`
    select i.id as provider_invoice_id, i.status, i.invoice_number, trim_scale(i.amount) as amount,
      i.ingested_at as read_at, trim_scale(c.tax_amount) as tax_amount, trim_scale(c.credit_amount) as credit_amount,
      trim_scale(c.charges_amount) as charges_amount
    from costs.provider_invoice i
    cross join lateral (
      select coalesce(sum(l.amount) filter (where l.charge_category = 'Tax'), 0) as tax_amount,
        coalesce(sum(l.amount) filter (where l.charge_category in ('Credit', 'Adjustment')), 0) as credit_amount,
        coalesce(sum(l.amount) filter (where l.charge_category in ('Usage', 'Purchase')), 0) as charges_amount
      from costs.cost_line l where l.provider_invoice_id = i.id
    ) c
    where i.provider = ${PROVIDER} and i.period_start = ${month.start} and i.status in ('issued', 'preview')
    order by i.status = 'issued' desc, i.amount desc, i.id limit 1`.execute(reader)
  return rows[0]
}

/** The charges of a bill, by what they are for. */
export async function loadBilled(reader: Reader, provider_invoice_id: string): Promise<Billed[]> {
  const { rows } = await sql<BilledRow>`
    select l.kind, coalesce(r.kind, l.kind) as resource_kind, r.id as resource_id,
      coalesce(r.name, l.resource_name, l.description) as name, p.id as parent_id, p.name as parent_name,
      trim_scale(sum(l.amount)) as amount
    from costs.cost_line l
    left join inventory.resource r on r.id = l.resource_id
    left join inventory.resource p
      on (p.provider, p.kind, p.external_id) = (r.provider, r.parent_kind, r.parent_external_id)
    where l.provider_invoice_id = ${provider_invoice_id} and l.charge_category in ('Usage', 'Purchase')
    group by l.kind, r.id, r.kind, p.id, coalesce(r.name, l.resource_name, l.description)`.execute(reader)
  return rows.map((row) => ({ ...subjectOf(row), amount: row.amount }))
}

type BilledRow = Parameters<typeof subjectOf>[0] & { readonly amount: string }

/** The latest balance that was taken in the month. */
export async function findBalance(reader: Reader, month: Period): Promise<BalanceFacts | undefined> {
  const { start, end } = instantsOf(month, PROVIDER_ZONE)
  const { rows } = await sql<BalanceFacts>`
    select generated_at, trim_scale(month_to_date_usage) as month_to_date_usage from costs.balance
    where provider = ${PROVIDER} and generated_at >= ${start} and generated_at < ${end}
    order by generated_at desc limit 1`.execute(reader)
  return rows[0]
}
