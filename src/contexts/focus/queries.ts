import { sql } from 'kysely'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { COUNTS_IN_ITS_MONTH } from '../costs/index.ts'
import type { Bill, Line } from './bill-charges.ts'
import type { Invoice, InvoiceLine } from './invoice-charges.ts'

/**
 * The bills of the month, in the order of their providers: those that are issued, and of a provider's account without one
 * its preview.
 */
export async function listBills(reader: Reader, { start, end }: Period): Promise<Bill[]> {
  const { rows } = await sql<
    Omit<Bill, 'period'> & { period_start: Temporal.PlainDate; period_end: Temporal.PlainDate }
  >`
    select bill.id, bill.provider, bill.invoice_number, bill.status, bill.currency, bill.period_start,
      bill.period_end, trim_scale(bill.amount) as amount, trim_scale(bill.lines_amount) as lines_amount
    from costs.provider_invoice bill
    where bill.period_start >= ${start} and bill.period_start < ${end} and ${COUNTS_IN_ITS_MONTH}
    order by bill.provider, bill.period_start, bill.id`.execute(reader)
  return rows.map(({ period_start, period_end, ...bill }) => ({
    ...bill,
    period: { start: period_start, end: period_end },
  }))
}

/**
 * In the order of the bill, at most `limit` lines after the one at `after` (-1: from the first on). A backup that was
 * matched by the droplet that it is of has no id of its own.
 */
export async function readLines(
  reader: Reader,
  { bill_id, after, limit }: { bill_id: string; after: number; limit: number },
): Promise<Line[]> {
  const { rows } = await sql<Line>`
    select line.position, line.kind, line.description, line.charge_category,
      trim_scale(line.amount) as amount, line.charge_start, line.charge_end, trim_scale(line.quantity) as quantity,
      line.unit, line.project, line.resource_name, line.service_category, line.service_name, line.region, line.extra,
      case when resource.id is null then coalesce(line.external_resource_id, line.external_resource_uuid)
        when resource.kind = line.kind then resource.external_id end as external_resource_id,
      case when line.deployment_id is not null then jsonb_build_object(
        'tenant_id', line.tenant_id, 'deployment', deployment.slug
      ) end as owner,
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'tenant_id', share.tenant_id, 'deployment', owner.slug, 'amount', trim_scale(share.amount)::text,
          'weight', trim_scale(share.weight)::text
        ) order by share.tenant_id, share.deployment_id)
        from costs.line_share share
        join deployments.deployment owner on owner.tenant_id = share.tenant_id and owner.id = share.deployment_id
        where share.cost_line_id = line.id
      ), '[]') as shares
    from costs.cost_line line
    left join inventory.resource resource on resource.id = line.resource_id
    left join deployments.deployment deployment
      on deployment.tenant_id = line.tenant_id and deployment.id = line.deployment_id
    where line.provider_invoice_id = ${bill_id} and line.position > ${after}
    order by line.position limit ${limit}`.execute(reader)
  return rows
}

/** The tenant's invoices of the month from the issue on. */
export async function listInvoices(
  reader: Reader,
  { tenant_id, period }: { tenant_id: string; period: Period },
): Promise<Invoice[]> {
  const rows = await reader
    .selectFrom('invoicing.invoice as invoice')
    .innerJoin('tenants.tenant as tenant', 'tenant.id', 'invoice.tenant_id')
    .select(['invoice.id', 'invoice.tenant_id', 'invoice.number', 'invoice.currency', 'tenant.timezone'])
    .select(['invoice.period_start', 'invoice.period_end', 'invoice.seller', 'invoice.buyer'])
    .where('invoice.tenant_id', '=', tenant_id)
    .where('invoice.period_start', '>=', period.start)
    .where('invoice.period_start', '<', period.end)
    .where('invoice.status', 'in', ['issued', 'paid'])
    .orderBy('invoice.number')
    .execute()
  return rows.map(({ period_start, period_end, seller, buyer, ...row }) => ({
    ...row,
    number: present(row.number, 'an issued invoice has a number'),
    period: { start: period_start, end: period_end },
    seller_name: Value.Parse(Party, seller).legal_name,
    buyer_name: Value.Parse(Party, buyer).legal_name,
  }))
}

/** As an invoice keeps its seller and its buyer. */
const Party = Type.Object({ legal_name: Type.String() })

/** In the order of the invoice, at most `limit` lines after the one at `after` (-1: from the first on). */
export async function readInvoiceLines(
  reader: Reader,
  invoice: Pick<Invoice, 'id' | 'tenant_id'>,
  { after, limit }: { after: number; limit: number },
): Promise<InvoiceLine[]> {
  const rows = await reader
    .selectFrom('invoicing.invoice_line as line')
    .leftJoin('catalog.meter as meter', 'meter.code', 'line.meter')
    .leftJoin('deployments.deployment as deployment', (join) =>
      join.onRef('deployment.tenant_id', '=', 'line.tenant_id').onRef('deployment.id', '=', 'line.deployment_id'),
    )
    .select(['line.position', 'line.kind', 'line.description', 'line.amount_cents', 'meter.unit'])
    .select(['line.service_start', 'line.service_end', 'line.deployment_id', 'deployment.slug as deployment'])
    .select(sql<string | null>`trim_scale(line.quantity)`.as('quantity'))
    .where('line.tenant_id', '=', invoice.tenant_id)
    .where('line.invoice_id', '=', invoice.id)
    .where('line.position', '>', after)
    .orderBy('line.position')
    .limit(limit)
    .execute()
  return rows.map(({ service_start, service_end, ...line }) => ({
    ...line,
    service_period: { start: service_start, end: service_end },
  }))
}

export async function isTenant(reader: Reader, tenant_id: string): Promise<boolean> {
  const row = await reader.selectFrom('tenants.tenant').select('id').where('id', '=', tenant_id).executeTakeFirst()
  return row !== undefined
}
