import { type RawBuilder, sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { type ChargeCategory, type ServiceCategory, UNCLASSIFIED } from '../../providers/bill-line.ts'
import type { InvoiceSummary } from '../../providers/digitalocean/index.ts'
import type { KnownInvoice } from './announce.ts'
import type { BillHeader } from './bill.ts'
import type { ProductTotal } from './control-totals.ts'
import type { DifferingLines } from './difference.ts'
import type { PageAfter } from './wire.ts'

/**
 * Of a `costs.provider_invoice bill`, whether it counts in its month: those do that are issued, and of a provider and
 * billing account for which none is issued in the month, the preview. Where either does not say the account or who invoices,
 * it is the same.
 */
export const COUNTS_IN_ITS_MONTH = sql<boolean>`(
  bill.status = 'issued' or bill.status = 'preview' and not exists (
    select from costs.provider_invoice issued
    where issued.provider = bill.provider and issued.status = 'issued'
      and coalesce(issued.billing_account = bill.billing_account, true)
      and coalesce(issued.issuer_name = bill.issuer_name, true)
      and date_trunc('month', issued.period_start::timestamp) = date_trunc('month', bill.period_start::timestamp)
  )
)`

export type ProviderInvoiceFilter = { readonly period?: Period; readonly status?: string }

export type ProviderInvoiceRow = {
  id: string
  provider: string
  external_id: string
  invoice_number: string | null
  billing_account: string | null
  issuer_name: string | null
  status: 'announced' | 'preview' | 'issued' | 'withdrawn'
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
  settled_differences: SettledDifference[]
  /** Of a withdrawn bill. */
  withdrawal: { withdrawn_at: string; withdrawn_by: string; reason: string; replaced_by: string | null } | null
  /** The withdrawn bills in whose place this one stands. */
  replaces: string[]
  announced_at: Temporal.Instant
  ingested_at: Temporal.Instant | null
  last_error: string | null
}

/** A version that differed, and what was found about it. */
export type SettledDifference = {
  readonly difference: Record<string, unknown>
  readonly settled_at: string
  readonly settled_by: string
  readonly reason: string
}

/**
 * Newest month first, `limit` + 1 rows strictly after `after` (period start, id). Withdrawn ones only where they are asked
 * for: they count nowhere.
 */
export async function listProviderInvoices(
  reader: Reader,
  { period, status }: ProviderInvoiceFilter,
  { limit, after }: PageAfter,
): Promise<ProviderInvoiceRow[]> {
  const conditions: RawBuilder<unknown>[] = []
  if (period) conditions.push(sql`i.period_start >= ${period.start} and i.period_start < ${period.end}`)
  conditions.push(status === undefined ? sql`i.status <> 'withdrawn'` : sql`i.status = ${status}`)
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
    from costs.provider_invoice where id = ${id} and difference is not null and status <> 'withdrawn'`.execute(reader)
  return rows[0]
}

/** Coverage is the part of the net usage whose deployment is known; unknown while there is no usage. */
const SELECT_PROVIDER_INVOICE = sql`
  select i.id, i.provider, i.external_id, i.invoice_number, i.billing_account, i.issuer_name, i.status, i.period_start, i.period_end, i.currency,
    trim_scale(i.amount) as amount, trim_scale(i.lines_amount) as lines_amount, trim_scale(i.gap) as gap,
    trim_scale(i.tax_amount) as tax_amount, i.line_count, i.read_from, i.summary, i.difference, i.announced_at,
    array(
      select jsonb_build_object('difference', s.difference, 'reason', s.reason, 'settled_at',
        to_char(s.settled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'settled_by', s.settled_by)
      from costs.settled_difference s where s.provider_invoice_id = i.id order by s.settled_at, s.id
    ) as settled_differences,
    case when i.status = 'withdrawn' then jsonb_build_object('withdrawn_at',
      to_char(i.withdrawn_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'withdrawn_by', i.withdrawn_by,
      'reason', i.withdrawn_reason, 'replaced_by', i.replaced_by) end as withdrawal,
    array(
      select r.id::text from costs.provider_invoice r where r.replaced_by = i.id order by r.withdrawn_at, r.id
    ) as replaces,
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
    .select(['id', 'status', 'provider_uuid', 'invoice_number', 'period_start', 'amount', 'read_from'])
    .select(['ingested_at', 'compared_at'])
    .select(LISTED_AMOUNT.as('listed_amount'))
    .select(IS_DIFFERENCE_READ.as('is_difference_read'))
    .where('provider', '=', provider)
    .where('status', 'in', ['announced', 'issued'])
    .$narrowType<{ status: KnownInvoice['status'] }>()
    .execute()
}

/** Issued bills of which the provider has sent another version, newest first. */
export async function listDifferingBills(reader: Reader): Promise<{ provider: string; external_id: string }[]> {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['provider', 'external_id'])
    .where('difference', 'is not', null)
    .where('status', '<>', 'withdrawn')
    .orderBy('period_start', 'desc')
    .orderBy('id')
    .execute()
}

export type InvoiceToStore = {
  readonly id: string
  readonly provider: string
  readonly billing_account: string | null
  readonly issuer_name: string | null
  readonly status: 'announced' | 'preview' | 'issued' | 'withdrawn'
  readonly period: Period
  readonly currency: string
  readonly amount: string
  readonly content_hash: string | null
  /** It is issued and not final: it was uploaded, the provider gives it no number and does not list it. */
  readonly is_provisional: boolean
  /** The provider tells it apart from its other bills: by its own id, or by the number in the rows. */
  readonly is_told_apart: boolean
  /** What is known of the version that differs from it; null when there is none. */
  readonly difference: { readonly content_hash?: string } | null
  readonly is_difference_read: boolean
  /** Of the versions that differed and were settled. */
  readonly settled_hashes: readonly string[]
}

export async function loadInvoiceToStore(reader: Reader, id: string): Promise<InvoiceToStore> {
  const { period_start, period_end, ...invoice } = await reader
    .selectFrom('costs.provider_invoice')
    .select([
      'id',
      'provider',
      'billing_account',
      'issuer_name',
      'status',
      'period_start',
      'period_end',
      'currency',
      'amount',
    ])
    .select(['content_hash', IS_TOLD_APART.as('is_told_apart'), IS_PROVISIONAL.as('is_provisional')])
    .select([
      sql<InvoiceToStore['difference']>`difference`.as('difference'),
      IS_DIFFERENCE_READ.as('is_difference_read'),
      SETTLED_HASHES.as('settled_hashes'),
    ])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { ...invoice, period: { start: period_start, end: period_end } }
}

/** The lines of the version that differs were compared with what is stored. */
const IS_DIFFERENCE_READ = sql<boolean>`(difference is null or differing_lines is not null)`
const SETTLED_HASHES = sql<string[]>`array(
  select s.difference ->> 'content_hash' from costs.settled_difference s
  where s.provider_invoice_id = provider_invoice.id and s.difference ? 'content_hash'
)`
/** Of an issued bill: another amount that the provider lists, or listed when that was settled. */
const LISTED_AMOUNT = sql<string | null>`coalesce(difference ->> 'amount', (
  select s.difference ->> 'amount' from costs.settled_difference s
  where s.provider_invoice_id = provider_invoice.id and s.difference ? 'amount' order by s.settled_at desc, s.id desc limit 1
))`
const IS_PROVISIONAL = sql<boolean>`(
  status = 'issued' and read_from = 'upload' and provider_uuid is null and invoice_number is null
)`
const IS_TOLD_APART = sql<boolean>`(provider_uuid is not null or number_is_stated)`

/**
 * The other issued bill of the month that has the same lines, if there is one. Not one that the provider tells apart from
 * this one: two invoices of a month may be alike.
 */
export async function findBillWithContent(
  reader: Reader,
  { id, provider, billing_account, issuer_name, currency, period, is_told_apart }: InvoiceToStore,
  content_hash: string,
) {
  return reader
    .selectFrom('costs.provider_invoice')
    .select(['id', 'external_id', 'period_start'])
    .where('provider', '=', provider)
    .where('currency', '=', currency)
    .where('period_start', '=', period.start)
    .where(maybeOf({ billing_account, issuer_name }))
    .where('content_hash', '=', content_hash)
    .where('status', '=', 'issued')
    .where('line_count', '>', 0)
    .where('id', '<>', id)
    .where(sql<boolean>`not (${IS_TOLD_APART} and ${is_told_apart})`)
    .executeTakeFirst()
}

/** Where either side does not say whose bill it is, or who invoices, it may be the same. */
export function maybeOf({
  billing_account,
  issuer_name,
}: Pick<BillHeader, 'billing_account' | 'issuer_name'>): RawBuilder<boolean> {
  return sql<boolean>`(coalesce(billing_account = ${billing_account}, true) and coalesce(issuer_name = ${issuer_name}, true))`
}

export type InvoiceToIngest = {
  readonly status: 'announced' | 'preview' | 'issued' | 'withdrawn'
  readonly provider_uuid: string
  readonly amount: string
  /** Of an issued bill, where the provider lists it with another amount. */
  readonly listed_amount: string | null
  readonly incomplete_readings: number
}

/** Undefined when there is no such invoice, it is withdrawn, or the provider cannot be asked for it. */
export async function findInvoiceToIngest(reader: Reader, id: string): Promise<InvoiceToIngest | undefined> {
  const invoice = await reader
    .selectFrom('costs.provider_invoice')
    .select(['status', 'provider_uuid', 'amount', 'incomplete_readings'])
    .select(sql<string | null>`case when status = 'issued' then ${LISTED_AMOUNT} end`.as('listed_amount'))
    .where('id', '=', id)
    .where('status', '<>', 'withdrawn')
    .executeTakeFirst()
  const provider_uuid = invoice?.provider_uuid ?? null
  return invoice && provider_uuid !== null ? { ...invoice, provider_uuid } : undefined
}

/**
 * The invoice that an uploaded bill is about: the one with its printed number (and of its month, where the rows say both);
 * else the one of its month, where either side does not know the number. None of those that other bills of the upload are
 * about.
 */
export async function findUploadedInvoice(
  reader: Reader,
  { provider, billing_account, issuer_name, invoice_number, number_is_stated, period, currency }: BillHeader,
  others: readonly string[],
): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select id from costs.provider_invoice
    where provider = ${provider} and currency = ${currency} and status in ('announced', 'issued')
      and ${maybeOf({ billing_account, issuer_name })} and id <> all(${[...others]}::uuid[])
      and case when ${invoice_number}::text is null or invoice_number is null then period_start = ${period.start}
        else invoice_number = ${invoice_number} and (not ${number_is_stated} or period_start = ${period.start}) end
    order by invoice_number is not distinct from ${invoice_number} desc,
      billing_account is not distinct from ${billing_account} desc, issuer_name is not distinct from ${issuer_name} desc,
      invoice_number, id
    limit 1`.execute(reader)
  return rows[0]?.id
}

export type WithdrawnLineRow = { position: number; line: unknown }

/** In the order of the bill, `limit` + 1 rows strictly after the position `after`. */
export async function listWithdrawnLines(
  reader: Reader,
  provider_invoice_id: string,
  { limit, after }: PageAfter,
): Promise<WithdrawnLineRow[]> {
  return reader
    .selectFrom('costs.withdrawn_line')
    .select(['position', 'line'])
    .where('provider_invoice_id', '=', provider_invoice_id)
    .$if(after !== undefined, (query) => query.where('position', '>', Number(after?.[0])))
    .orderBy('position')
    .limit(limit + 1)
    .execute()
}
