import { sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import type { FindByName } from '../../platform/naming.ts'
import { DateText, Id, type Page, readCursor } from '../../platform/wire.ts'
import type { TaxTerms } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import type { Credited } from './given-back.ts'
import type { Buyer, CreditNote, Invoice, InvoiceLine, InvoiceStatus, Payment, Seller, Settlement } from './invoice.ts'

/** The tenant whose issued invoices may be seen; null: every invoice of every tenant. */
export type Scope = string | null

export type InvoiceFilter = {
  period?: Period | undefined
  status?: InvoiceStatus | undefined
  tenant_id?: string | undefined
}

export type WholeInvoice = {
  invoice: Invoice
  /** The buyer's. It stays what it is once there is an invoice. */
  timezone: string
  lines: InvoiceLine[]
  payments: Payment[]
  credit_notes: CreditNote[]
}

/** The latest periods first. One row more than the page holds. */
export async function listInvoices(
  reader: Reader,
  scope: Scope,
  { period, status, tenant_id, limit, cursor }: InvoiceFilter & Page,
): Promise<Invoice[]> {
  const after = readCursor(cursor, [DateText, Id])
  return visible(reader, scope)
    .$if(period !== undefined, (query) => query.where('period_start', '=', period?.start ?? null))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? null))
    .$if(tenant_id !== undefined, (query) => query.where('tenant_id', '=', tenant_id ?? null))
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(period_start, id) < (${after?.[0]}::date, ${after?.[1]}::uuid)`),
    )
    .orderBy('period_start', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
}

export const findInvoiceByNumber: FindByName = async (reader, number, scope) =>
  (await visible(reader, scope).where('number', '=', number).executeTakeFirst())?.id

export function invoiceKey(invoice: Invoice): string[] {
  return [invoice.period_start.toString(), invoice.id]
}

export async function readInvoice(reader: Reader, scope: Scope, id: string): Promise<Invoice | undefined> {
  return visible(reader, scope).where('id', '=', id).executeTakeFirst()
}

export async function readWholeInvoice(reader: Reader, scope: Scope, id: string): Promise<WholeInvoice | undefined> {
  const invoice = await readInvoice(reader, scope, id)
  if (invoice === undefined) return undefined
  const { tenant_id } = invoice
  return {
    invoice,
    timezone: await readTimeZone(reader, tenant_id),
    lines: await linesOf(reader, { tenant_id, invoice_id: id }).execute(),
    payments: await reader
      .selectFrom('invoicing.payment')
      .selectAll()
      .where('tenant_id', '=', tenant_id)
      .where('invoice_id', '=', id)
      .orderBy('recorded_at')
      .orderBy('id')
      .execute(),
    credit_notes: await reader
      .selectFrom('invoicing.credit_note')
      .selectAll()
      .where('tenant_id', '=', tenant_id)
      .where('invoice_id', '=', id)
      .orderBy('number')
      .execute(),
  }
}

export async function readTimeZone(reader: Reader, tenant_id: string): Promise<string> {
  const { timezone } = await reader
    .selectFrom('tenants.tenant')
    .select('timezone')
    .where('id', '=', tenant_id)
    .executeTakeFirstOrThrow()
  return timezone
}

export async function readInvoiceLine(
  reader: Reader,
  invoice: Pick<Invoice, 'tenant_id' | 'id'>,
  line_id: string,
): Promise<InvoiceLine | undefined> {
  return linesOf(reader, { tenant_id: invoice.tenant_id, invoice_id: invoice.id })
    .where('id', '=', line_id)
    .executeTakeFirst()
}

export async function readPayment(reader: Reader, id: string): Promise<Payment | undefined> {
  return reader.selectFrom('invoicing.payment').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function readSettlement(
  reader: Reader,
  { tenant_id, id }: Pick<Invoice, 'tenant_id' | 'id'>,
): Promise<Settlement & Credited> {
  return reader
    .selectNoFrom([
      sql<bigint>`(select coalesce(sum(amount_cents), 0)::bigint from invoicing.payment
        where tenant_id = ${tenant_id} and invoice_id = ${id} and reversed_at is null)`.as('paid_cents'),
      sql<bigint>`(select coalesce(sum(amount_cents), 0)::bigint from invoicing.credit_note
        where tenant_id = ${tenant_id} and invoice_id = ${id})`.as('credited_cents'),
      sql<bigint>`(select coalesce(sum(tax_cents), 0)::bigint from invoicing.credit_note
        where tenant_id = ${tenant_id} and invoice_id = ${id})`.as('credited_tax_cents'),
    ])
    .executeTakeFirstOrThrow()
}

/**
 * The lines before tax of live invoices, with the month (`period_start`) that each bills: an adjustment bills the month
 * that it adjusts. What a draft adjusts holds only while the invoice that it tells of does: after that the draft has to be
 * made anew before it is issued.
 */
export const BILLED_LINES = sql`(
  select l.tenant_id, l.invoice_id, l.kind, l.deployment_id, l.service_start, l.amount_cents,
    i.status, i.period_start as invoice_start, a.tax as adjusted_tax,
    case when l.kind = 'adjustment' then (l.details ->> 'rated_cents')::numeric end as rated_cents,
    case when l.kind = 'adjustment' then l.service_start else i.period_start end as period_start
  from invoicing.invoice_line l
  join invoicing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id
  left join invoicing.invoice a
    on l.kind = 'adjustment' and a.tenant_id = l.tenant_id and a.id = (l.details ->> 'invoice_id')::uuid
  where l.kind <> 'tax' and i.status <> 'void' and (i.status <> 'draft' or a.status is distinct from 'void')
)`

/**
 * Months of which credit notes have given something back, net, and what is billed for each: what issued invoices bill, less
 * what drafts give back.
 */
export const CREDITED_MONTHS = sql`(
  select month.tenant_id, month.period_start, month.credited_cents, billed.billed_cents
  from (
    select tenant_id, period_start, sum(amount_cents)::bigint as credited_cents
    from invoicing.credit_note_month group by tenant_id, period_start
  ) month
  cross join lateral (
    select coalesce(sum(case when is_draft then least(cents, 0) else cents end), 0)::bigint as billed_cents
    from (
      select line.status = 'draft' as is_draft, sum(line.amount_cents) as cents
      from ${BILLED_LINES} line
      where line.tenant_id = month.tenant_id and line.period_start = month.period_start
      group by line.invoice_id, line.status
    ) invoice
  ) billed
)`

/**
 * What plan years give back on live invoices of later months than the one (`period_start`) that each year was billed in,
 * in minor units below 0.
 */
export const YEARS_GIVEN_BACK = sql`(
  select l.tenant_id, date_trunc('month', (l.details ->> 'year_start')::date)::date as period_start, l.amount_cents
  from invoicing.invoice_line l
  join invoicing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id
  where i.status <> 'void' and l.kind = 'credit' and l.details ->> 'interval' = 'year'
    and (l.details ->> 'year_start')::date < i.period_start
)`

export type TenantMonth = { tenant_id: string; period_start: Temporal.PlainDate }

export function monthKey({ tenant_id, period_start }: TenantMonth): string {
  return `${tenant_id}/${period_start}`
}

/** What credit notes have left of those of these months that they gave something back of, by `monthKey`. */
export async function readLeft(reader: Reader, months: readonly TenantMonth[]): Promise<Map<string, bigint>> {
  if (months.length === 0) return new Map()
  const { rows } = await sql<TenantMonth & { left_cents: bigint }>`
    select month.tenant_id, month.period_start, greatest(month.billed_cents - month.credited_cents, 0) as left_cents
    from ${CREDITED_MONTHS} month
    where month.tenant_id = ${anyOf([...new Set(months.map(({ tenant_id }) => tenant_id))])}
      and month.period_start = ${anyOf([...new Set(months.map(({ period_start }) => period_start.toString()))])}`.execute(
    reader,
  )
  return new Map(rows.map((row) => [monthKey(row), row.left_cents]))
}

/** The number of a void invoice that the draft tells of in an adjustment. */
export async function readVoidAdjusted(
  reader: Reader,
  { tenant_id, id }: Pick<Invoice, 'tenant_id' | 'id'>,
): Promise<string | undefined> {
  const { rows } = await sql<{ number: string }>`
    select coalesce(a.number, 'a draft') as number
    from invoicing.invoice_line l
    join invoicing.invoice a on a.tenant_id = l.tenant_id and a.id = (l.details ->> 'invoice_id')::uuid
    where l.tenant_id = ${tenant_id} and l.invoice_id = ${id} and l.kind = 'adjustment' and a.status = 'void'
    order by a.number limit 1`.execute(reader)
  return rows[0]?.number
}

/** What stands of a month that an invoice bills, in minor units before tax; `standing_cents` may be below 0. */
export type StandingMonth = {
  period_start: Temporal.PlainDate
  /** What the invoice itself bills, without what its credit notes have given back of it. */
  own_cents: bigint
  /** What issued invoices bill less what drafts, credit notes and, of a plan year, later months give back. */
  standing_cents: bigint
  credited_cents: bigint
}

/** The months that an invoice bills, its own and those it adjusts, in order of time. */
export async function readStandingMonths(
  reader: Reader,
  { tenant_id, id }: Pick<Invoice, 'tenant_id' | 'id'>,
): Promise<StandingMonth[]> {
  const { rows } = await sql<StandingMonth>`
    with own as (
      select period_start, sum(amount_cents) as cents
      from ${BILLED_LINES} line where tenant_id = ${tenant_id} and invoice_id = ${id}
      group by period_start
    ), billed as (
      select period_start, sum(case when is_draft then least(cents, 0) else cents end) as cents
      from (
        select period_start, status = 'draft' as is_draft, sum(amount_cents) as cents
        from ${BILLED_LINES} line where tenant_id = ${tenant_id} and period_start in (select period_start from own)
        group by period_start, invoice_id, status
      ) invoice
      group by period_start
    ), credited as (
      select m.period_start, sum(m.amount_cents) as cents,
        coalesce(sum(m.amount_cents) filter (where c.invoice_id = ${id}), 0) as own_cents
      from invoicing.credit_note_month m
      join invoicing.credit_note c on c.tenant_id = m.tenant_id and c.id = m.credit_note_id
      where m.tenant_id = ${tenant_id} and m.period_start in (select period_start from own)
      group by m.period_start
    ), given_back as (
      select period_start, sum(amount_cents) as cents
      from ${YEARS_GIVEN_BACK} year where tenant_id = ${tenant_id} and period_start in (select period_start from own)
      group by period_start
    )
    select own.period_start, (own.cents - coalesce(credited.own_cents, 0))::bigint as own_cents,
      (billed.cents + coalesce(given_back.cents, 0) - coalesce(credited.cents, 0))::bigint as standing_cents,
      coalesce(credited.cents, 0)::bigint as credited_cents
    from own join billed using (period_start) left join credited using (period_start)
    left join given_back using (period_start)
    order by own.period_start`.execute(reader)
  return rows
}

/** All tenants in order of id, or those named that exist. */
export async function readTenants(reader: Reader, tenant_ids?: readonly string[]): Promise<Tenant[]> {
  return reader
    .selectFrom('tenants.tenant')
    .selectAll()
    .$if(tenant_ids !== undefined, (query) => query.where('id', '=', anyOf(tenant_ids ?? [])))
    .orderBy('id')
    .execute()
}

/** These tenants in order of id, whose currency and zone stay what they are until the transaction ends. */
export async function lockTenants(reader: Reader, tenant_ids: readonly string[]): Promise<Tenant[]> {
  return reader
    .selectFrom('tenants.tenant')
    .selectAll()
    .where('id', '=', anyOf(tenant_ids))
    .orderBy('id')
    .forShare()
    .execute()
}

/** Whoever bills or gives back holds the tenant's row: what is left to give back stays what it is until then. */
export async function lockTenantOf(reader: Reader, invoice_id: string): Promise<void> {
  await sql`
    select from tenants.tenant t
    where t.id = (select i.tenant_id from invoicing.invoice i where i.id = ${invoice_id})
    for no key update`.execute(reader)
}

/** The tenant that owns the deployment, if the caller may see it. */
export async function readDeploymentTenant(reader: Reader, scope: Scope, id: string): Promise<Tenant | undefined> {
  return reader
    .selectFrom('tenants.tenant as tenant')
    .innerJoin('deployments.deployment as deployment', 'deployment.tenant_id', 'tenant.id')
    .selectAll('tenant')
    .where('deployment.id', '=', id)
    .$if(scope !== null, (query) => query.where('tenant.id', '=', scope))
    .executeTakeFirst()
}

export async function readDeploymentIds(
  reader: Reader,
  { tenant_ids, deployment_id }: { tenant_ids: readonly string[]; deployment_id?: string },
): Promise<Map<string, string[]>> {
  const rows = await reader
    .selectFrom('deployments.deployment')
    .select(['tenant_id', 'id'])
    .where('tenant_id', '=', anyOf(tenant_ids))
    .$if(deployment_id !== undefined, (query) => query.where('id', '=', deployment_id ?? null))
    .orderBy('tenant_id')
    .orderBy('slug')
    .execute()
  return new Map(
    [...Map.groupBy(rows, (row) => row.tenant_id)].map(([tenant_id, of]) => [tenant_id, of.map((row) => row.id)]),
  )
}

/** Tenants by month, the earliest month first. */
type TenantsOfMonths = { period_start: Temporal.PlainDate; tenant_ids: string[] }[]

/**
 * Who has no invoice, not even a void one, for the months from `first` to `last` (their first days), and is not parked.
 * A month before the last one counts only for tenants that were entered before it was over, in UTC.
 */
export async function readUninvoiced(
  reader: Reader,
  { first, last }: { first: Temporal.PlainDate; last: Temporal.PlainDate },
): Promise<TenantsOfMonths> {
  const { rows } = await sql<TenantsOfMonths[number]>`
    select month::date as period_start, array_agg(tenant.id order by tenant.id) as tenant_ids
    from generate_series(${first}::timestamp, ${last}::timestamp, interval '1 month') month
    join tenants.tenant tenant
      on month = ${last}::timestamp or tenant.created_at < (month + interval '1 month') at time zone 'UTC'
    where not exists (
      select from invoicing.invoice invoice where invoice.tenant_id = tenant.id and invoice.period_start = month::date
    ) and not exists (
      select from invoicing.parked parked where parked.tenant_id = tenant.id and parked.period_start = month::date
    )
    group by month
    order by month`.execute(reader)
  return rows
}

/** The months with parked tenants, the earliest first. */
export async function readParked(reader: Reader): Promise<TenantsOfMonths> {
  return reader
    .selectFrom('invoicing.parked')
    .select(['period_start', sql<string[]>`array_agg(tenant_id order by tenant_id)`.as('tenant_ids')])
    .groupBy('period_start')
    .orderBy('period_start')
    .execute()
}

/** Tenants see an invoice from its issue on. */
function visible(reader: Reader, scope: Scope) {
  return reader
    .selectFrom('invoicing.invoice')
    .selectAll()
    .$if(scope !== null, (query) => query.where('tenant_id', '=', scope).where('issued_at', 'is not', null))
    .$narrowType<{ seller: Seller; buyer: Buyer; tax: TaxTerms }>()
}

function linesOf(reader: Reader, { tenant_id, invoice_id }: { tenant_id: string; invoice_id: string }) {
  return reader
    .selectFrom('invoicing.invoice_line')
    .selectAll()
    .where('tenant_id', '=', tenant_id)
    .where('invoice_id', '=', invoice_id)
    .orderBy('position')
    .$narrowType<{ details: Record<string, string> }>()
}

/**
 * What the transactions have committed that the facts are made of. Taken before they are read, so that what is committed
 * in between counts as not seen, and is looked at again.
 */
export async function readSnapshot(reader: Reader): Promise<string> {
  const { rows } = await sql<{ seen: string }>`select pg_current_snapshot()::text as seen`.execute(reader)
  return present(rows[0], 'there is one snapshot').seen
}
