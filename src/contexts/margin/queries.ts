import { sql } from 'kysely'
import { instantsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { BillTotals, Books, CostCell, ResourceCell, RevenueCell } from './margin.ts'

/** Providers bill by the month in UTC. */
const PROVIDER_ZONE = 'UTC'

export async function readBooks(reader: Reader, period: Period): Promise<Books> {
  const bills = await readBills(reader, period)
  const bill_ids = bills.map((bill) => bill.id)
  return {
    revenue: await readRevenue(reader, period),
    bills,
    costs: await readCosts(reader, bill_ids),
    resources: await readResources(reader, { period, bill_ids }),
  }
}

/** The lines of the month's live invoices, drafts too. Adjustments of earlier months are revenue of this one. */
async function readRevenue(reader: Reader, period: Period): Promise<RevenueCell[]> {
  const { rows } = await sql<RevenueCell>`
    select line.tenant_id, line.deployment_id, deployment.slug as deployment, line.kind, invoice.currency,
      sum(line.amount_cents)::bigint as revenue_cents
    from invoicing.invoice invoice
    join invoicing.invoice_line line on line.tenant_id = invoice.tenant_id and line.invoice_id = invoice.id
    left join deployments.deployment deployment
      on deployment.tenant_id = line.tenant_id and deployment.id = line.deployment_id
    where invoice.period_start = ${period.start} and invoice.status <> 'void' and line.kind <> 'tax'
    group by line.tenant_id, line.deployment_id, deployment.slug, line.kind, invoice.currency`.execute(reader)
  return rows
}

async function readBills(reader: Reader, { start, end }: Period): Promise<(BillTotals & { id: string })[]> {
  const { rows } = await sql<BillTotals & { id: string }>`
    select bill.id, bill.status, bill.currency, bill.amount, line.tax_amount, line.credit_amount
    from costs.provider_invoice bill
    cross join lateral (
      select coalesce(sum(amount) filter (where charge_category = 'Tax'), 0) as tax_amount,
        coalesce(sum(amount) filter (where charge_category = 'Credit'), 0) as credit_amount
      from costs.cost_line where provider_invoice_id = bill.id
    ) line
    where bill.period_start >= ${start} and bill.period_start < ${end} and (
      bill.status = 'issued' or bill.status = 'preview' and not exists (
        select from costs.provider_invoice issued
        where issued.provider = bill.provider and issued.status = 'issued'
          and issued.period_start >= ${start} and issued.period_start < ${end}
      )
    )
    order by bill.id`.execute(reader)
  return rows
}

/** Matched lines, and the shares of allocated ones. */
async function readCosts(reader: Reader, bill_ids: readonly string[]): Promise<CostCell[]> {
  const { rows } = await sql<CostCell>`
    select cost.tenant_id, cost.deployment_id, deployment.slug as deployment, cost.kind, sum(cost.amount) as amount
    from (
      select tenant_id, deployment_id, kind, amount from costs.cost_line
      where provider_invoice_id = any(${bill_ids}::uuid[]) and match_status = 'matched'
      union all
      select share.tenant_id, share.deployment_id, line.kind, share.amount
      from costs.cost_line line join costs.line_share share on share.cost_line_id = line.id
      where line.provider_invoice_id = any(${bill_ids}::uuid[]) and line.match_status = 'allocated'
    ) cost
    join deployments.deployment deployment on deployment.tenant_id = cost.tenant_id and deployment.id = cost.deployment_id
    group by cost.tenant_id, cost.deployment_id, deployment.slug, cost.kind`.execute(reader)
  return rows
}

/** A resource counts once for each deployment that it was alive for. */
async function readResources(
  reader: Reader,
  { period, bill_ids }: { period: Period; bill_ids: readonly string[] },
): Promise<ResourceCell[]> {
  const { start, end } = instantsOf(period, PROVIDER_ZONE)
  const { rows } = await sql<ResourceCell>`
    select alive.tenant_id, alive.deployment_id, deployment.slug as deployment, alive.kind,
      count(*)::int as alive, count(billed.resource_id)::int as covered
    from (
      select distinct span.tenant_id, span.deployment_id, resource.kind, resource.id
      from inventory.span span join inventory.resource resource on resource.id = span.resource_id
      where span.deployment_id is not null
        and span.starts_at < ${end} and coalesce(span.ends_at, 'infinity') > ${start}
    ) alive
    join deployments.deployment deployment
      on deployment.tenant_id = alive.tenant_id and deployment.id = alive.deployment_id
    left join (
      select distinct resource_id from costs.cost_line
      where provider_invoice_id = any(${bill_ids}::uuid[]) and match_status in ('matched', 'allocated')
    ) billed on billed.resource_id = alive.id
    group by alive.tenant_id, alive.deployment_id, deployment.slug, alive.kind`.execute(reader)
  return rows
}
