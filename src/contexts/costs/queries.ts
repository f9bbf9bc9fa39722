import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { present } from '../../kernel/invariant.ts'
import { instantsOf, type Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { type ChargeCategory, type ServiceCategory, UNCLASSIFIED } from '../../providers/bill-line.ts'
import type { InvoiceSummary } from '../../providers/digitalocean/index.ts'
import type { KnownInvoice } from './announce.ts'
import type { Share } from './allocation.ts'
import type { ProductTotal } from './control-totals.ts'
import type { DifferingLines } from './difference.ts'

export type CostLineFilter = {
  readonly period?: Period
  readonly kind?: string
  readonly match_status?: string
  readonly deployment_id?: string
  readonly provider_invoice_id?: string
}

type PageAfter = { readonly limit: number; readonly after: readonly string[] | undefined }

export type CostLineRow = Omit<Selectable<DB['costs.cost_line']>, 'external_resource_id' | 'external_resource_uuid'> & {
  shares: { tenant_id: string; deployment_id: string; amount: string; weight: string | null }[]
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
    l.charge_category, l.service_category, l.service_name, trim_scale(l.amount) as amount, l.currency, l.charge_start, l.charge_end,
    trim_scale(l.quantity) as quantity, l.unit, l.project, l.region, l.extra, l.resource_id, l.resource_name, l.tenant_id,
    l.deployment_id, l.match_status, l.match_method, l.match_reason,
    coalesce((
      select json_agg(json_build_object(
        'tenant_id', s.tenant_id, 'deployment_id', s.deployment_id, 'amount', trim_scale(s.amount)::text,
        'weight', trim_scale(s.weight)::text
      ) order by s.tenant_id, s.deployment_id)
      from costs.line_share s where s.cost_line_id = l.id
    ), '[]') as shares
  from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id`

export async function findLineForAssignment(reader: Reader, id: string) {
  return reader
    .selectFrom('costs.cost_line as l')
    .innerJoin('costs.provider_invoice as i', 'i.id', 'l.provider_invoice_id')
    .select(['l.provider', 'l.kind', 'l.resource_name', 'l.match_status', 'i.period_start'])
    .where('l.id', '=', id)
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
  unclassified_lines: number
  unclassified_amount: string
  coverage: string | null
  read_from: 'items' | 'csv' | 'upload' | null
  summary: InvoiceSummary | null
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
  const [invoice] = await findProviderInvoices(reader, [id])
  return invoice
}

export async function findProviderInvoices(reader: Reader, ids: readonly string[]): Promise<ProviderInvoiceRow[]> {
  const { rows } = await sql<ProviderInvoiceRow>`${SELECT_PROVIDER_INVOICE} where i.id = ${anyOf(ids)}`.execute(reader)
  return rows
}

export type DifferenceRow = {
  id: string
  lines_amount: string | null
  tax_amount: string | null
  line_count: number | null
  /** What was received; an announcement of another amount tells only that. */
  difference: {
    seen_at: string
    read_from?: 'items' | 'csv' | 'upload'
    amount?: string
    lines_amount?: string
    tax_amount?: string
    line_count?: number
  }
  differing_lines: DifferingLines | null
}

/** Undefined where there is no such invoice, or nothing that differs from it. */
export async function findDifference(reader: Reader, id: string): Promise<DifferenceRow | undefined> {
  const { rows } = await sql<DifferenceRow>`
    select id, trim_scale(lines_amount) as lines_amount, trim_scale(tax_amount) as tax_amount, line_count, difference,
      differing_lines
    from costs.provider_invoice where id = ${id} and difference is not null`.execute(reader)
  return rows[0]
}

/** Coverage is the part of the net usage whose deployment is known; unknown while there is no usage. */
const SELECT_PROVIDER_INVOICE = sql`
  select i.id, i.provider, i.external_id, i.invoice_number, i.status, i.period_start, i.period_end, i.currency,
    trim_scale(i.amount) as amount, trim_scale(i.lines_amount) as lines_amount, trim_scale(i.gap) as gap,
    trim_scale(i.tax_amount) as tax_amount, i.line_count, i.read_from, i.summary, i.difference, i.announced_at,
    i.ingested_at, i.last_error, c.matched_lines, c.allocated_lines, c.unmatched_lines, trim_scale(c.credit_amount) as credit_amount,
    c.unclassified_lines, trim_scale(c.unclassified_amount) as unclassified_amount,
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
      coalesce(sum(l.amount) filter (where l.charge_category = 'Credit'), 0) as credit_amount,
      (count(*) filter (where l.kind = ${UNCLASSIFIED}))::integer as unclassified_lines,
      coalesce(sum(l.amount) filter (where l.kind = ${UNCLASSIFIED}), 0) as unclassified_amount
    from costs.cost_line l where l.provider_invoice_id = i.id
  ) c`

/** By invoice: what its lines of each product add up to. */
export async function loadProductTotals(
  reader: Reader,
  provider_invoice_ids: readonly string[],
): Promise<Map<string, ProductTotal[]>> {
  const { rows } = await sql<ProductTotal & { provider_invoice_id: string }>`
    select provider_invoice_id, product, kind, charge_category, trim_scale(sum(amount)) as amount
    from costs.cost_line where provider_invoice_id = ${anyOf(provider_invoice_ids)}
    group by provider_invoice_id, product, kind, charge_category`.execute(reader)
  return Map.groupBy(rows, ({ provider_invoice_id }) => provider_invoice_id)
}

export type ProductFilter = { readonly period?: Period; readonly classified?: boolean }

export type ProductRow = {
  provider: string
  product: string
  kind: string
  classified: boolean
  service_category: ServiceCategory
  service_name: string
  charge_category: ChargeCategory
  currency: string
  lines: number
  amount: string
  first_period_start: Temporal.PlainDate
  first_period_end: Temporal.PlainDate
  last_period_start: Temporal.PlainDate
  last_period_end: Temporal.PlainDate
}

/** What identifies a product in the list, in the order of its columns after `classified`. */
export const PRODUCT_KEY = [
  'provider',
  'product',
  'kind',
  'service_category',
  'service_name',
  'charge_category',
  'currency',
] as const

/** The unclassified first, `limit` + 1 rows strictly after `after` (classified as text, then the key). */
export async function listProducts(
  reader: Reader,
  { period, classified }: ProductFilter,
  { limit, after }: PageAfter,
): Promise<ProductRow[]> {
  const inPeriod = period ? sql`where i.period_start >= ${period.start} and i.period_start < ${period.end}` : sql``
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (classified !== undefined) conditions.push(sql`classified = ${classified}`)
  const key = sql.join(PRODUCT_KEY.map((column) => sql.ref(column)))
  if (after) conditions.push(sql`(classified::text, ${key}) > (${sql.join(after)})`)
  const { rows } = await sql<ProductRow>`
    with line as (
      select l.provider, l.product, l.kind, l.kind <> ${UNCLASSIFIED} as classified, l.charge_category, l.currency,
        l.service_category, l.service_name, l.amount, i.period_start, i.period_end
      from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id ${inPeriod}
    )
    select classified, ${key}, count(*)::integer as lines, trim_scale(sum(amount)) as amount,
      min(period_start) as first_period_start, min(period_end) as first_period_end,
      max(period_start) as last_period_start, max(period_end) as last_period_end
    from line where ${sql.join(conditions, sql` and `)}
    group by classified, ${key} order by classified::text, ${key} limit ${limit + 1}`.execute(reader)
  return rows
}

/** Over every bill that is stored. */
export async function countUnclassified(reader: Reader): Promise<{ lines: number; products: number }> {
  const { rows } = await sql<{ lines: number; products: number }>`
    select count(*)::integer as lines, count(distinct (provider, product))::integer as products
    from costs.cost_line where kind = ${UNCLASSIFIED}`.execute(reader)
  return present(rows[0], 'a count has a row')
}

export async function loadKnownInvoices(reader: Reader, provider: string): Promise<KnownInvoice[]> {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'status', 'provider_uuid', 'invoice_number', 'period_start', 'amount', 'difference'])
    .select(['read_from', 'compared_at'])
    .where('provider', '=', provider)
    .where('status', '<>', 'preview')
    .execute()
}

export type InvoiceToStore = {
  readonly id: string
  readonly provider: string
  readonly status: 'announced' | 'preview' | 'issued'
  readonly period: Period
  readonly currency: string
  readonly amount: string
  readonly content_hash: string | null
}

export async function loadInvoiceToStore(reader: Reader, id: string): Promise<InvoiceToStore> {
  const { period_start, period_end, ...invoice } = await reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'provider', 'status', 'period_start', 'period_end', 'currency', 'amount', 'content_hash'])
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
 * The invoice that an uploaded bill is about: the one with its printed number; else the one of its month, where
 * either side does not know the number. None of those that other bills of the upload are about.
 */
export async function findUploadedInvoice(
  reader: Reader,
  {
    provider,
    invoice_number,
    period,
    currency,
  }: { provider: string; invoice_number: string | null; period: Period; currency: string },
  others: ReadonlySet<string>,
): Promise<string | undefined> {
  const invoice = await reader
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where('provider', '=', provider)
    .where('currency', '=', currency)
    .where('status', '<>', 'preview')
    .where('id', '<>', sql<string>`all(${[...others]})`)
    .where((row) => {
      const ofMonth = row('period_start', '=', period.start)
      if (invoice_number === null) return ofMonth
      return row.or([row('invoice_number', '=', invoice_number), row.and([ofMonth, row('invoice_number', 'is', null)])])
    })
    .orderBy('invoice_number')
    .limit(1)
    .executeTakeFirst()
  return invoice?.id
}

export type BalanceRow = {
  provider: string
  generated_at: Temporal.Instant
  month_to_date_balance: string
  account_balance: string
  month_to_date_usage: string
  currency: string
  taken_at: Temporal.Instant
  entries_amount: string | null
}

export async function latestBalance(reader: Reader): Promise<BalanceRow | undefined> {
  const [latest] = await listBalances(reader, { limit: 0, after: undefined })
  return latest
}

/**
 * Newest first, `limit` + 1 rows strictly before `after` (generated_at, provider). `entries_amount` is the sum of the
 * billing history up to then; null where the history was not read since.
 */
export async function listBalances(reader: Reader, { limit, after }: PageAfter): Promise<BalanceRow[]> {
  const condition = after ? sql`where (b.generated_at, b.provider) < (${after[0]}::timestamptz, ${after[1]})` : sql``
  const { rows } = await sql<BalanceRow>`
    select b.provider, b.generated_at, trim_scale(b.month_to_date_balance) as month_to_date_balance,
      trim_scale(b.account_balance) as account_balance, trim_scale(b.month_to_date_usage) as month_to_date_usage,
      b.currency, b.taken_at,
      case when exists (
        select from costs.billing_history_reading r where r.provider = b.provider and r.read_at >= b.generated_at
      ) then (
        select trim_scale(coalesce(sum(e.amount), 0)) from costs.billing_entry e
        where e.provider = b.provider and e.currency = b.currency and e.occurred_at <= b.generated_at
          and e.missing_since is null
      ) end as entries_amount
    from costs.balance b ${condition}
    order by b.generated_at desc, b.provider desc limit ${limit + 1}`.execute(reader)
  return rows
}

export type BillingEntryFilter = { readonly period?: Period; readonly type?: string }

export type BillingEntryRow = Omit<Selectable<DB['costs.billing_entry']>, 'occurrence'>

/** Newest first, `limit` + 1 rows strictly before `after` (occurred_at, id). */
export async function listBillingEntries(
  reader: Reader,
  { period, type }: BillingEntryFilter,
  { limit, after }: PageAfter,
): Promise<BillingEntryRow[]> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (period) {
    const { start, end } = instantsOf(period, 'UTC')
    conditions.push(sql`occurred_at >= ${start} and occurred_at < ${end}`)
  }
  if (type !== undefined) conditions.push(sql`type = ${type}`)
  if (after) conditions.push(sql`(occurred_at, id) < (${after[0]}::timestamptz, ${after[1]}::uuid)`)
  const { rows } = await sql<BillingEntryRow>`
    select id, provider, occurred_at, type, trim_scale(amount) as amount, currency, description, invoice_number,
      invoice_uuid, first_seen_at, missing_since
    from costs.billing_entry where ${sql.join(conditions, sql` and `)}
    order by occurred_at desc, id desc limit ${limit + 1}`.execute(reader)
  return rows
}

export type AllocationRuleRow = Omit<Selectable<DB['costs.allocation_rule']>, 'shares'> & { shares: Share[] }

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

export type ExchangeRateRow = Selectable<DB['costs.exchange_rate']>

/** Of both sides of the pair, if a currency is named: newest day first, `limit` + 1 rows strictly after `after` (date, from, to). */
export async function listExchangeRates(
  reader: Reader,
  { currency }: { readonly currency?: string },
  { limit, after }: PageAfter,
): Promise<ExchangeRateRow[]> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (currency !== undefined) conditions.push(sql`${currency} in (from_currency, to_currency)`)
  if (after) conditions.push(sql`(date, from_currency, to_currency) < (${after[0]}::date, ${after[1]}, ${after[2]})`)
  const { rows } = await sql<ExchangeRateRow>`
    ${SELECT_EXCHANGE_RATE} where ${sql.join(conditions, sql` and `)}
    order by date desc, from_currency desc, to_currency desc limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findExchangeRate(
  reader: Reader,
  { from_currency, to_currency, date }: Pick<ExchangeRateRow, 'from_currency' | 'to_currency' | 'date'>,
): Promise<ExchangeRateRow | undefined> {
  const { rows } = await sql<ExchangeRateRow>`
    ${SELECT_EXCHANGE_RATE}
    where from_currency = ${from_currency} and to_currency = ${to_currency} and date = ${date}`.execute(reader)
  return rows[0]
}

const SELECT_EXCHANGE_RATE = sql`
  select from_currency, to_currency, date, trim_scale(rate) as rate, source, recorded_at, recorded_by
  from costs.exchange_rate`

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

/** The bills of a month are those that are issued; of a provider that has issued none yet, its preview. */
const SELECT_BILLING_PERIOD = sql`
  with bill as (
    select i.id, i.currency, i.amount, date_trunc('month', i.period_start::timestamp)::date as month
    from costs.provider_invoice i
    where i.status = 'issued' or i.status = 'preview' and not exists (
      select from costs.provider_invoice issued
      where issued.provider = i.provider and issued.status = 'issued'
        and date_trunc('month', issued.period_start::timestamp) = date_trunc('month', i.period_start::timestamp)
    )
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
    select distinct on (period_start) * from costs.period_close order by period_start, closed_at desc, id
  )
  select coalesce(m.month, c.period_start) as period_start, c.closed_at, c.closed_by, c.reopened_at, c.reopened_by,
    c.reopen_reason, m.totals
  from month m full join last_close c on c.period_start = m.month`
