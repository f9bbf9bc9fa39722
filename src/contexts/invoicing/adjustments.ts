import { sql } from 'kysely'
import { jsonInteger } from '../../kernel/money.ts'
import { instantsOf, monthLabel, type Period } from '../../kernel/period.ts'
import { present } from '../../kernel/invariant.ts'
import { anyOf, type Reader, toJson } from '../../platform/db.ts'
import { changedLlmWindows } from '../llm-usage/index.ts'
import { changedWindows, isNews } from '../metering/index.ts'
import { quote, type QuoteFacts, type TaxTerms } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { type Attempt, attempt, valueOf } from './attempt.ts'
import type { BillFacts, TaxedAdjustment } from './bill.ts'
import { readBillableFacts } from './facts.ts'
import { creditedBefore } from './given-back.ts'
import { BILLED_LINES, monthKey, type TenantMonth } from './queries.ts'

/** What comes later than this many months after its own is listed as unbilled (`readTooLate`). */
export const LATE_USAGE_LOOKBACK_MONTHS = 12

type AdjustmentScope = {
  period: Period
  tenants: readonly Tenant[]
  as_of: Temporal.Instant
  /** The tenants' own facts of the period, without adjustments. */
  own: ReadonlyMap<string, Attempt<QuoteFacts>>
}

/**
 * What the invoice for `period` must add for what was billed before, wherever a deployment's month comes to something
 * else now than is billed for it: earlier, issued months whose facts have changed; and the period itself, where an invoice
 * that was made void has left adjustments of it on others. By tenant id; tenants without an entry have none.
 */
export async function readAdjustments(
  reader: Reader,
  scope: AdjustmentScope,
): Promise<Map<string, Attempt<TaxedAdjustment[]>>> {
  const changed = await readChangedInvoices(reader, scope)
  const billed = await readBilled(reader, changed, scope)
  const elsewhere = await readBilledElsewhere(reader, scope)
  const credited = await readCredited(reader, [
    ...changed,
    ...elsewhere.keys().map((tenant_id) => ({ tenant_id, period_start: scope.period.start })),
  ])
  const adjustments = new Map<string, Attempt<TaxedAdjustment[]>>()
  const add = (tenant_id: string, facts: Attempt<QuoteFacts> | undefined, differencesOf: DifferencesOf): void => {
    const before = adjustments.get(tenant_id) ?? { ok: true, value: [] }
    adjustments.set(
      tenant_id,
      append(before, present(facts, 'the facts of every tenant asked for are read'), differencesOf),
    )
  }
  for (const invoices of Map.groupBy(changed, (invoice) => invoice.period_start.toString()).values()) {
    const rated = await readRated(reader, invoices, scope)
    for (const invoice of invoices) {
      add(invoice.tenant_id, rated.get(invoice.tenant_id), (facts) =>
        adjustmentsOf(differences(invoice, facts, billed), { facts, credited_cents: creditedOf(credited, invoice) }),
      )
    }
  }
  for (const [tenant_id, lines] of elsewhere) {
    add(tenant_id, scope.own.get(tenant_id), (facts) =>
      adjustmentsOf(takenOff(lines, facts), {
        facts,
        credited_cents: creditedOf(credited, { tenant_id, period_start: scope.period.start }),
      }),
    )
  }
  return adjustments
}

/** The facts of a bill with what it adjusts. */
export function withAdjustments(
  facts: Attempt<QuoteFacts>,
  adjustments: Attempt<TaxedAdjustment[]> | undefined,
): BillFacts {
  return { ...valueOf(facts), adjustments: adjustments === undefined ? [] : valueOf(adjustments) }
}

/** The first month that the invoice of a month adjusts; both are first days. */
export function firstAdjusted(month: Temporal.PlainDate): Temporal.PlainDate {
  return month.subtract({ months: LATE_USAGE_LOOKBACK_MONTHS })
}

type EarlierInvoice = {
  tenant_id: string
  id: string
  number: string | null
  period_start: Temporal.PlainDate
  period_end: Temporal.PlainDate
  tax: TaxTerms
}

/** Per tenant and month (see `monthKey`), in minor units. */
type Billed = ReadonlyMap<string, { deployment_id: string | null; billed_cents: bigint }[]>

/** Issued invoices with facts that they were made without, and those that were adjusted before. */
async function readChangedInvoices(reader: Reader, { period, tenants }: AdjustmentScope): Promise<EarlierInvoice[]> {
  const zones = new Map(tenants.map((tenant) => [tenant.id, tenant.timezone]))
  const earlier = await reader
    .selectFrom('invoicing.invoice as invoice')
    .select([
      'invoice.tenant_id',
      'invoice.id',
      'invoice.number',
      'invoice.period_start',
      'invoice.period_end',
      'invoice.created_at',
      'invoice.facts_seen',
      'invoice.tax',
    ])
    .select(
      sql<boolean>`exists (
      select 1 from invoicing.invoice_line line join invoicing.invoice other
        on other.tenant_id = line.tenant_id and other.id = line.invoice_id and other.status <> 'void'
      where line.tenant_id = invoice.tenant_id and line.kind = 'adjustment' and line.service_start = invoice.period_start
    ) or exists (
      select 1 from subscriptions.subscription subscription
      where subscription.tenant_id = invoice.tenant_id
        and ${isNews({
          changed_in: 'subscription.changed_in',
          stamped_at: 'subscription.changed_at',
          seen: 'invoice.facts_seen',
          since: 'invoice.created_at',
        })}
    ) or invoice.facts_seen is null`.as('must_be_rated'),
    )
    .where('invoice.tenant_id', '=', anyOf(tenants.map((tenant) => tenant.id)))
    .where('invoice.status', 'in', ['issued', 'paid'])
    .where('invoice.period_start', '<', period.start)
    .where('invoice.period_start', '>=', firstAdjusted(period.start))
    .orderBy('invoice.tenant_id')
    .orderBy('invoice.period_start')
    .$narrowType<{ tax: TaxTerms }>()
    .execute()
  const candidates = earlier.map((invoice) => ({
    key: invoice.id,
    tenant_id: invoice.tenant_id,
    ...instantsOf(monthOf(invoice), present(zones.get(invoice.tenant_id), 'invoices are read for given tenants')),
    since: invoice.created_at,
    seen: invoice.facts_seen,
  }))
  const metered = await changedWindows(reader, candidates)
  const llm = await changedLlmWindows(reader, candidates)
  return earlier.filter((invoice) => invoice.must_be_rated || metered.has(invoice.id) || llm.has(invoice.id))
}

/** What the month of these invoices comes to now. */
async function readRated(
  reader: Reader,
  invoices: readonly EarlierInvoice[],
  { tenants, as_of }: AdjustmentScope,
): Promise<Map<string, Attempt<QuoteFacts>>> {
  const first = present(invoices[0], 'a group has a member')
  const ids = new Set(invoices.map((invoice) => invoice.tenant_id))
  return readBillableFacts(reader, {
    period: monthOf(first),
    tenants: tenants.filter((tenant) => ids.has(tenant.id)),
    as_of,
  })
}

/**
 * What live invoices bill for the months of these invoices: their own lines, and adjustments of that month elsewhere.
 * The invoice for the period that is being rolled up is left out: it is replaced by what comes of this. An adjustment
 * is never on an invoice of a month before its own, so no invoice before the first of these months matters.
 */
async function readBilled(
  reader: Reader,
  invoices: readonly EarlierInvoice[],
  { period }: AdjustmentScope,
): Promise<Billed> {
  if (invoices.length === 0) return new Map()
  const { rows } = await sql<{
    tenant_id: string
    period_start: Temporal.PlainDate
    deployment_id: string | null
    billed_cents: bigint
  }>`
    select line.tenant_id, line.period_start, line.deployment_id, sum(line.amount_cents)::bigint as billed_cents
    from ${BILLED_LINES} line
    where line.tenant_id = ${anyOf(invoices.map((invoice) => invoice.tenant_id))}
      and line.invoice_start >= ${firstAdjusted(period.start)} and line.invoice_start <> ${period.start}
    group by line.tenant_id, line.period_start, line.deployment_id
    order by line.tenant_id, line.period_start, line.deployment_id`.execute(reader)
  return Map.groupBy(rows, monthKey)
}

/** Adjustments of a month on another live invoice (`id`), taxed as the invoice was that they adjusted. */
type BilledElsewhere = {
  tenant_id: string
  deployment_id: string | null
  billed_cents: bigint
  id: string
  number: string | null
  period_start: Temporal.PlainDate
  tax: TaxTerms | null
}

/** What other live invoices bill for the period, whatever their age, by tenant. */
async function readBilledElsewhere(
  reader: Reader,
  { period, tenants }: AdjustmentScope,
): Promise<Map<string, BilledElsewhere[]>> {
  const { rows } = await sql<BilledElsewhere>`
    select line.tenant_id, line.deployment_id, sum(line.amount_cents)::bigint as billed_cents,
      invoice.id, invoice.number, invoice.period_start, line.adjusted_tax as tax
    from ${BILLED_LINES} line
    join invoicing.invoice invoice on invoice.tenant_id = line.tenant_id and invoice.id = line.invoice_id
    where line.tenant_id = ${anyOf(tenants.map((tenant) => tenant.id))}
      and line.kind = 'adjustment' and line.service_start = ${period.start} and line.invoice_start <> ${period.start}
    group by line.tenant_id, line.deployment_id, invoice.id, invoice.number, invoice.period_start, line.adjusted_tax
    order by line.tenant_id, invoice.period_start, line.deployment_id`.execute(reader)
  return Map.groupBy(rows, (row) => row.tenant_id)
}

/** What credit notes have given back of these months, net, by `monthKey`. */
async function readCredited(reader: Reader, months: readonly TenantMonth[]): Promise<Map<string, bigint>> {
  if (months.length === 0) return new Map()
  const { rows } = await sql<TenantMonth & { credited_cents: bigint }>`
    select c.tenant_id, c.period_start, sum(c.amount_cents)::bigint as credited_cents
    from jsonb_to_recordset(${toJson(months.map(({ tenant_id, period_start }) => ({ tenant_id, period_start })))}::jsonb)
      as m(tenant_id text, period_start date)
    join invoicing.credit_note_month c on c.tenant_id = m.tenant_id and c.period_start = m.period_start
    group by c.tenant_id, c.period_start`.execute(reader)
  return new Map(rows.map((row) => [monthKey(row), row.credited_cents]))
}

function creditedOf(credited: ReadonlyMap<string, bigint>, month: TenantMonth): bigint {
  return credited.get(monthKey(month)) ?? 0n
}

type DifferencesOf = (facts: QuoteFacts) => TaxedAdjustment[]

function append(
  before: Attempt<TaxedAdjustment[]>,
  facts: Attempt<QuoteFacts>,
  differencesOf: DifferencesOf,
): Attempt<TaxedAdjustment[]> {
  if (!before.ok) return before
  if (!facts.ok) return facts
  return attempt(() => [...before.value, ...differencesOf(facts.value)])
}

/** A part of a month that comes to something else now than is billed for it. `about` is the invoice that tells of it. */
type Difference = {
  deployment_id: string | null
  rated_cents: bigint
  billed_cents: bigint
  description: string
  tax: TaxTerms
  about: { id: string; number: string | null }
}

function differences(invoice: EarlierInvoice, facts: QuoteFacts, billed: Billed): Difference[] {
  const already = new Map((billed.get(monthKey(invoice)) ?? []).map((row) => [row.deployment_id, row.billed_cents]))
  const rated = ratedByDeployment(facts)
  return [...new Set([...already.keys(), ...rated.keys()])].map((deployment_id) => ({
    deployment_id,
    rated_cents: rated.get(deployment_id) ?? 0n,
    billed_cents: already.get(deployment_id) ?? 0n,
    description: `Adjustment of ${monthLabel(facts.period)} (${invoice.number})`,
    tax: invoice.tax,
    about: invoice,
  }))
}

/** What the month's own lines bill now although it is billed elsewhere already, with the tax that it has there. */
function takenOff(lines: readonly BilledElsewhere[], facts: QuoteFacts): Difference[] {
  return lines.map(({ deployment_id, billed_cents, tax, id, number, period_start }) => ({
    deployment_id,
    rated_cents: 0n,
    billed_cents,
    description: `Billed with ${period_start.toPlainYearMonth()} already (${number ?? 'draft'})`,
    tax: tax ?? facts.tax,
    about: { id, number },
  }))
}

/** The differences as lines, without what credit notes have given back of them before. */
function adjustmentsOf(
  parts: readonly Difference[],
  { facts, credited_cents }: { facts: QuoteFacts; credited_cents: bigint },
): TaxedAdjustment[] {
  const rated_cents = ratedByDeployment(facts)
    .values()
    .reduce((total, cents) => total + cents, 0n)
  const credited = creditedBefore(
    parts.map((part) => part.rated_cents - part.billed_cents),
    { rated_cents, credited_cents },
  )
  return parts.flatMap((part, index) => {
    const before_cents = credited[index] ?? 0n
    const amount_cents = part.rated_cents + before_cents - part.billed_cents
    if (amount_cents === 0n) return []
    return [
      {
        deployment_id: part.deployment_id,
        subscription_id: null,
        description: part.description,
        amount_cents,
        service_period: facts.period,
        tax: part.tax,
        details: {
          invoice_id: part.about.id,
          invoice_number: part.about.number,
          rated_cents: jsonInteger(part.rated_cents),
          billed_cents: jsonInteger(part.billed_cents),
          ...(before_cents > 0n && { credited_cents: jsonInteger(before_cents) }),
        },
      },
    ]
  })
}

function ratedByDeployment(facts: QuoteFacts): Map<string | null, bigint> {
  const totals = new Map<string | null, bigint>()
  for (const line of quote(facts).lines.filter((line) => line.kind !== 'tax')) {
    totals.set(line.deployment_id, (totals.get(line.deployment_id) ?? 0n) + line.amount_cents)
  }
  return totals
}

function monthOf(invoice: EarlierInvoice): Period {
  return { start: invoice.period_start, end: invoice.period_end }
}
