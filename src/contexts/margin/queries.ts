import { sql } from 'kysely'
import type { Currency } from '../../kernel/money.ts'
import { instantsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { PROVIDER_ZONE } from '../../providers/bill-line.ts'
import { COUNTS_IN_ITS_MONTH } from '../costs/index.ts'
import type { Books } from './margin.ts'

/**
 * In one statement, so that no bill or invoice changes between one book and the other. The rates are those between the
 * currencies of the books, and `currency`.
 */
export async function readBooks(
  reader: Reader,
  { period, currency }: { period: Period; currency: Currency | null },
): Promise<Books> {
  const { rows } = await sql<StoredBooks>`
    with revenue as (${revenueOf(period)}),
      bills as (${billsOf(period)}),
      costs as (${COSTS_OF_BILLS}),
      resources as (${resourcesOf(period)}),
      currencies as (select currency from revenue union select currency from bills union select ${currency}::text),
      rates as (${ratesUntil(period.end)})
    select (select coalesce(jsonb_agg(revenue), '[]') from revenue) as revenue,
      (select coalesce(jsonb_agg(bills order by bills.id), '[]') from bills) as bills,
      (select coalesce(jsonb_agg(costs), '[]') from costs) as costs,
      (select coalesce(jsonb_agg(resources), '[]') from resources) as resources,
      (select coalesce(jsonb_agg(rates), '[]') from rates) as rates`.execute(reader)
  const { revenue = [], bills = [], costs = [], resources = [], rates = [] } = rows[0] ?? {}
  return {
    period,
    revenue: revenue.map(({ revenue_cents, draft_cents, ...cell }) => ({
      ...cell,
      revenue_cents: BigInt(revenue_cents),
      draft_cents: BigInt(draft_cents),
    })),
    bills,
    costs,
    resources,
    rates: rates.map((rate) => ({ ...rate, date: Temporal.PlainDate.from(rate.date) })),
  }
}

/** Amounts are texts in JSON, so that none passes through a float. */
type StoredBooks = Omit<Books, 'period' | 'revenue' | 'rates'> & {
  revenue: (Omit<Books['revenue'][number], 'revenue_cents' | 'draft_cents'> & {
    revenue_cents: string
    draft_cents: string
  })[]
  rates: (Omit<Books['rates'][number], 'date'> & { date: string })[]
}

/**
 * The lines of the month's live invoices, drafts too, less the net part of what was credited of them. Adjustments of
 * earlier months are revenue of this one. A credit note is of no deployment.
 */
function revenueOf(period: Period) {
  return sql`
    select line.tenant_id, line.deployment_id, deployment.slug as deployment, line.kind, invoice.currency,
      sum(line.amount_cents)::text as revenue_cents,
      coalesce(sum(line.amount_cents) filter (where invoice.status = 'draft'), 0)::text as draft_cents
    from invoicing.invoice invoice
    join (
      select tenant_id, invoice_id, deployment_id, kind, amount_cents from invoicing.invoice_line where kind <> 'tax'
      union all
      select tenant_id, invoice_id, null, 'credit', tax_cents - amount_cents from invoicing.credit_note
    ) line on line.tenant_id = invoice.tenant_id and line.invoice_id = invoice.id
    left join deployments.deployment deployment
      on deployment.tenant_id = line.tenant_id and deployment.id = line.deployment_id
    where invoice.period_start = ${period.start} and invoice.status <> 'void'
    group by line.tenant_id, line.deployment_id, deployment.slug, line.kind, invoice.currency`
}

function billsOf({ start, end }: Period) {
  return sql`
    select bill.id, bill.status, bill.currency, bill.amount::text as amount, line.tax_amount, line.credit_amount
    from costs.provider_invoice bill
    cross join lateral (
      select coalesce(sum(amount) filter (where charge_category = 'Tax'), 0)::text as tax_amount,
        coalesce(sum(amount) filter (where charge_category = 'Credit'), 0)::text as credit_amount
      from costs.cost_line where provider_invoice_id = bill.id
    ) line
    where bill.period_start >= ${start} and bill.period_start < ${end} and ${COUNTS_IN_ITS_MONTH}`
}

/** Matched lines, and the shares of allocated ones. */
const COSTS_OF_BILLS = sql`
    select cost.tenant_id, cost.deployment_id, deployment.slug as deployment, cost.kind, bills.currency,
      sum(cost.amount)::text as amount
    from (
      select provider_invoice_id, tenant_id, deployment_id, kind, amount from costs.cost_line
      where provider_invoice_id in (select id from bills) and match_status = 'matched'
      union all
      select line.provider_invoice_id, share.tenant_id, share.deployment_id, line.kind, share.amount
      from costs.cost_line line join costs.line_share share on share.cost_line_id = line.id
      where line.provider_invoice_id in (select id from bills) and line.match_status = 'allocated'
    ) cost
    join bills on bills.id = cost.provider_invoice_id
    join deployments.deployment deployment on deployment.tenant_id = cost.tenant_id and deployment.id = cost.deployment_id
    group by cost.tenant_id, cost.deployment_id, deployment.slug, cost.kind, bills.currency`

/**
 * A resource counts once for each deployment that it was alive for. No bill has a line for a project or for an address
 * that is assigned, and nodes are billed with their cluster.
 */
function resourcesOf(period: Period) {
  const { start, end } = instantsOf(period, PROVIDER_ZONE)
  return sql`
    select alive.tenant_id, alive.deployment_id, deployment.slug as deployment, alive.kind,
      count(*)::int as alive, count(billed.resource_id)::int as covered
    from (
      select distinct span.tenant_id, span.deployment_id, resource.kind, resource.id
      from inventory.span span join inventory.resource resource on resource.id = span.resource_id
      where span.deployment_id is not null
        and resource.kind not in ('project', 'kubernetes_node')
        and (resource.kind <> 'reserved_ip' or span.size <> 'assigned')
        and span.starts_at < ${end} and coalesce(span.ends_at, 'infinity') > ${start}
    ) alive
    join deployments.deployment deployment
      on deployment.tenant_id = alive.tenant_id and deployment.id = alive.deployment_id
    left join (
      select distinct resource_id from costs.cost_line
      where provider_invoice_id in (select id from bills) and match_status in ('matched', 'allocated')
    ) billed on billed.resource_id = alive.id
    group by alive.tenant_id, alive.deployment_id, deployment.slug, alive.kind`
}

function ratesUntil(end: Temporal.PlainDate) {
  return sql`
    select distinct on (from_currency, to_currency) from_currency as "from", to_currency as "to", date,
      trim_scale(rate)::text as rate, source
    from costs.exchange_rate
    where from_currency in (select currency from currencies) and to_currency in (select currency from currencies)
      and date < ${end} and withdrawn_at is null
    order by from_currency, to_currency, date desc`
}
