import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { KnownInvoice } from './announce.ts'
import type { Share } from './allocation.ts'

export type CostLineFilter = {
  readonly period?: Period
  readonly kind?: string
  readonly match_status?: string
  readonly deployment_id?: string
  readonly provider_invoice_id?: string
}

type PageAfter = { readonly limit: number; readonly after: readonly string[] | undefined }

export type CostLineRow = Omit<Selectable<DB['costs.cost_line']>, 'external_resource_id' | 'external_resource_uuid'> & {
  shares: { tenant_id: string; deployment_id: string; amount: string }[]
}

/** In the order of the bills, `limit` + 1 lines strictly after `after` (invoice id, position). */
export async function listCostLines(
  reader: Reader,
  filter: CostLineFilter,
  { limit, after }: PageAfter,
): Promise<CostLineRow[]> {
  const { period, kind, match_status, deployment_id, provider_invoice_id } = filter
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (period) conditions.push(sql`i.period_start >= ${period.start} and i.period_start < ${period.end}`)
  if (kind !== undefined) conditions.push(sql`l.kind = ${kind}`)
  if (match_status !== undefined) conditions.push(sql`l.match_status = ${match_status}`)
  if (provider_invoice_id !== undefined) conditions.push(sql`l.provider_invoice_id = ${provider_invoice_id}`)
  if (deployment_id !== undefined)
    conditions.push(sql`(l.deployment_id = ${deployment_id} or exists (
    select from costs.line_share s where s.cost_line_id = l.id and s.deployment_id = ${deployment_id}))`)
  if (after) conditions.push(sql`(l.provider_invoice_id, l.position) > (${after[0]}::uuid, ${after[1]}::integer)`)
  const { rows } = await sql<CostLineRow>`
    ${SELECT_COST_LINE} where ${sql.join(conditions, sql` and `)}
    order by l.provider_invoice_id, l.position limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findCostLine(reader: Reader, id: string): Promise<CostLineRow | undefined> {
  const { rows } = await sql<CostLineRow>`${SELECT_COST_LINE} where l.id = ${id}`.execute(reader)
  return rows[0]
}

const SELECT_COST_LINE = sql`
  select l.id, l.provider, l.provider_invoice_id, l.position, l.kind, l.product, l.group_description, l.description,
    l.charge_category, trim_scale(l.amount) as amount, l.currency, l.charge_start, l.charge_end,
    trim_scale(l.quantity) as quantity, l.unit, l.project, l.resource_id, l.resource_name, l.tenant_id, l.deployment_id,
    l.match_status, l.match_method, l.match_reason,
    coalesce((
      select json_agg(json_build_object(
        'tenant_id', s.tenant_id, 'deployment_id', s.deployment_id, 'amount', trim_scale(s.amount)::text
      ) order by s.tenant_id, s.deployment_id)
      from costs.line_share s where s.cost_line_id = l.id
    ), '[]') as shares
  from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id`

export async function findLineForAssignment(reader: Reader, id: string) {
  return reader
    .selectFrom('costs.cost_line')
    .select(['provider', 'kind', 'resource_name', 'match_status'])
    .where('id', '=', id)
    .executeTakeFirst()
}

export type ProviderInvoiceFilter = { readonly period?: Period; readonly status?: string }

export type ProviderInvoiceRow = {
  id: string
  provider: string
  external_id: string
  invoice_number: string | null
  status: 'announced' | 'preview' | 'issued'
  period_start: Temporal.PlainDate
  period_end: Temporal.PlainDate
  currency: string
  amount: string
  lines_amount: string | null
  gap: string | null
  tax_amount: string | null
  credit_amount: string
  matched_amount: string
  allocated_amount: string
  unmatched_amount: string
  line_count: number | null
  matched_lines: number
  allocated_lines: number
  unmatched_lines: number
  coverage: string | null
  read_from: 'items' | 'csv' | 'upload' | null
  summary: { faults: string[] } | null
  difference: unknown
  announced_at: Temporal.Instant
  ingested_at: Temporal.Instant | null
  last_error: string | null
}

/** Newest month first, `limit` + 1 rows strictly after `after` (period start, id). */
export async function listProviderInvoices(
  reader: Reader,
  { period, status }: ProviderInvoiceFilter,
  { limit, after }: PageAfter,
): Promise<ProviderInvoiceRow[]> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (period) conditions.push(sql`i.period_start >= ${period.start} and i.period_start < ${period.end}`)
  if (status !== undefined) conditions.push(sql`i.status = ${status}`)
  if (after) conditions.push(sql`(i.period_start, i.id) < (${after[0]}::date, ${after[1]}::uuid)`)
  const { rows } = await sql<ProviderInvoiceRow>`
    ${SELECT_PROVIDER_INVOICE} where ${sql.join(conditions, sql` and `)}
    order by i.period_start desc, i.id desc limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findProviderInvoice(reader: Reader, id: string): Promise<ProviderInvoiceRow | undefined> {
  const { rows } = await sql<ProviderInvoiceRow>`${SELECT_PROVIDER_INVOICE} where i.id = ${id}`.execute(reader)
  return rows[0]
}

/** Coverage is the part of the net usage whose deployment is known; unknown while there is no usage. */
const SELECT_PROVIDER_INVOICE = sql`
  select i.id, i.provider, i.external_id, i.invoice_number, i.status, i.period_start, i.period_end, i.currency,
    trim_scale(i.amount) as amount, trim_scale(i.lines_amount) as lines_amount, trim_scale(i.gap) as gap,
    trim_scale(i.tax_amount) as tax_amount, i.line_count, i.read_from, i.summary, i.difference, i.announced_at,
    i.ingested_at, i.last_error, c.matched_lines, c.allocated_lines, c.unmatched_lines, trim_scale(c.credit_amount) as credit_amount,
    trim_scale(c.matched_amount) as matched_amount, trim_scale(c.allocated_amount) as allocated_amount,
    trim_scale(c.unmatched_amount) as unmatched_amount,
    trim_scale(round((c.matched_amount + c.allocated_amount)
      / nullif(c.matched_amount + c.allocated_amount + c.unmatched_amount, 0), 4)) as coverage
  from costs.provider_invoice i
  cross join lateral (
    select
      (count(*) filter (where l.match_status = 'matched'))::integer as matched_lines,
      (count(*) filter (where l.match_status = 'allocated'))::integer as allocated_lines,
      (count(*) filter (where l.match_status = 'unmatched'))::integer as unmatched_lines,
      coalesce(sum(l.amount) filter (where l.match_status = 'matched'), 0) as matched_amount,
      coalesce(sum(l.amount) filter (where l.match_status = 'allocated'), 0) as allocated_amount,
      coalesce(sum(l.amount) filter (where l.match_status = 'unmatched'), 0) as unmatched_amount,
      coalesce(sum(l.amount) filter (where l.charge_category = 'Credit'), 0) as credit_amount
    from costs.cost_line l where l.provider_invoice_id = i.id
  ) c`

export async function loadKnownInvoices(reader: Reader, provider: string): Promise<KnownInvoice[]> {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'status', 'provider_uuid', 'invoice_number', 'period_start', 'amount', 'difference'])
    .select(['read_from', 'compared_at'])
    .where('provider', '=', provider)
    .where('status', '<>', 'preview')
    .execute()
}

export async function loadInvoiceToStore(reader: Reader, id: string) {
  const { period_start, period_end, ...invoice } = await reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'provider', 'status', 'period_start', 'period_end', 'amount', 'content_hash'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { ...invoice, period: { start: period_start, end: period_end } }
}

/** The other issued bill that has the same lines, if there is one. */
export async function findBillWithContent(
  reader: Reader,
  { provider, content_hash, other_than }: { provider: string; content_hash: string; other_than: string },
) {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'external_id', 'period_start'])
    .where('provider', '=', provider)
    .where('content_hash', '=', content_hash)
    .where('status', '=', 'issued')
    .where('line_count', '>', 0)
    .where('id', '<>', other_than)
    .executeTakeFirst()
}

export type InvoiceToIngest = {
  readonly status: 'announced' | 'preview' | 'issued'
  readonly provider_uuid: string
  readonly amount: string
  readonly incomplete_readings: number
}

/** Undefined when there is no such invoice, or when the provider cannot be asked for it. */
export async function findInvoiceToIngest(reader: Reader, id: string): Promise<InvoiceToIngest | undefined> {
  const invoice = await reader
    .selectFrom('costs.provider_invoice')
    .select(['status', 'provider_uuid', 'amount', 'incomplete_readings'])
    .where('id', '=', id)
    .executeTakeFirst()
  const provider_uuid = invoice?.provider_uuid ?? null
  return invoice && provider_uuid !== null ? { ...invoice, provider_uuid } : undefined
}

/**
 * The invoice that an uploaded file is about: the one with its printed number; else the one of its month, where
 * either side does not know the number.
 */
export async function findUploadedInvoice(
  reader: Reader,
  { provider, invoice_number, period }: { provider: string; invoice_number: string | null; period: Period },
) {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'status', 'amount', 'content_hash'])
    .where('provider', '=', provider)
    .where('status', '<>', 'preview')
    .where((row) => {
      const ofMonth = row('period_start', '=', period.start)
      if (invoice_number === null) return ofMonth
      return row.or([row('invoice_number', '=', invoice_number), row.and([ofMonth, row('invoice_number', 'is', null)])])
    })
    .orderBy('invoice_number')
    .limit(1)
    .executeTakeFirst()
}

export type BalanceRow = {
  provider: string
  generated_at: Temporal.Instant
  month_to_date_balance: string
  account_balance: string
  month_to_date_usage: string
  currency: string
  taken_at: Temporal.Instant
}

export async function latestBalance(reader: Reader): Promise<BalanceRow | undefined> {
  const { rows } = await sql<BalanceRow>`
    select provider, generated_at, trim_scale(month_to_date_balance) as month_to_date_balance,
      trim_scale(account_balance) as account_balance, trim_scale(month_to_date_usage) as month_to_date_usage, currency, taken_at
    from costs.balance order by generated_at desc limit 1`.execute(reader)
  return rows[0]
}

export type AllocationRuleRow = {
  id: string
  provider: string
  product: string | null
  project: string | null
  description: string | null
  shares: Share[]
  created_at: Temporal.Instant
  created_by: string
}

/** Oldest first, `limit` + 1 rows strictly after `after` (created_at, id). */
export async function listAllocationRules(reader: Reader, { limit, after }: PageAfter): Promise<AllocationRuleRow[]> {
  const condition = after ? sql`where (created_at, id) > (${after[0]}::timestamptz, ${after[1]}::uuid)` : sql``
  const { rows } = await sql<AllocationRuleRow>`
    select * from costs.allocation_rule ${condition} order by created_at, id limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findAllocationRule(reader: Reader, id: string): Promise<AllocationRuleRow | undefined> {
  const { rows } = await sql<AllocationRuleRow>`select * from costs.allocation_rule where id = ${id}`.execute(reader)
  return rows[0]
}
