import { sql } from 'kysely'
import { jsonInteger } from '../../kernel/money.ts'
import { instantsOf, monthLabel, type Period } from '../../kernel/period.ts'
import { present } from '../../kernel/invariant.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { changedLlmWindows } from '../llm-usage/index.ts'
import { changedWindows } from '../metering/index.ts'
import { quote, type QuoteFacts, type TaxTerms } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { type Attempt, attempt, valueOf } from './attempt.ts'
import type { BillFacts, TaxedAdjustment } from './bill.ts'
import { readBillableFacts } from './facts.ts'

/** What comes later than this many months after its own is billed by hand. */
const LATE_USAGE_LOOKBACK_MONTHS = 12
/**
 * An event is stamped before its transaction commits, so one that was on its way while an invoice was made carries a
 * somewhat earlier time. Looking back further than needed costs a rating that changes nothing.
 */
const SETTLING_TIME = Temporal.Duration.from({ minutes: 10 })

type AdjustmentScope = { period: Period; tenants: readonly Tenant[]; as_of: Temporal.Instant }

/**
 * What the invoice for `period` must add for earlier, issued periods: per deployment, what the earlier period comes to
 * now less what is billed for it already, wherever it differs. By tenant id; tenants without an entry have none.
 */
export async function readAdjustments(
  reader: Reader,
  scope: AdjustmentScope,
): Promise<Map<string, Attempt<TaxedAdjustment[]>>> {
  const changed = await readChangedInvoices(reader, scope)
  const billed = await readBilled(reader, changed, scope)
  const adjustments = new Map<string, Attempt<TaxedAdjustment[]>>()
  for (const invoices of Map.groupBy(changed, (invoice) => invoice.period_start.toString()).values()) {
    const rated = await readRated(reader, invoices, scope)
    for (const invoice of invoices) {
      const facts = present(rated.get(invoice.tenant_id), 'the facts of every tenant asked for are read')
      const before = adjustments.get(invoice.tenant_id) ?? { ok: true, value: [] }
      adjustments.set(
        invoice.tenant_id,
        append(before, facts, (value) => differences(invoice, value, billed)),
      )
    }
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

/** Per tenant, month and deployment (see `billedKey`), in minor units. */
type Billed = ReadonlyMap<string, { deployment_id: string | null; billed_cents: bigint }[]>

/** Issued invoices whose facts have changed since they were made, and those that were adjusted before. */
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
        and subscription.changed_at >= invoice.created_at
    )`.as('must_be_rated'),
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
    since: invoice.created_at.subtract(SETTLING_TIME),
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
    select tenant_id, period_start, deployment_id, sum(amount_cents)::bigint as billed_cents
    from (
      select line.tenant_id, line.deployment_id, line.amount_cents,
        case when line.kind = 'adjustment' then line.service_start else invoice.period_start end as period_start
      from invoicing.invoice_line line
      join invoicing.invoice invoice on invoice.tenant_id = line.tenant_id and invoice.id = line.invoice_id
      where line.tenant_id = ${anyOf(invoices.map((invoice) => invoice.tenant_id))}
        and line.kind <> 'tax' and invoice.status <> 'void'
        and invoice.period_start >= ${firstAdjusted(period.start)} and invoice.period_start <> ${period.start}
    ) line
    group by tenant_id, period_start, deployment_id
    order by tenant_id, period_start, deployment_id`.execute(reader)
  return Map.groupBy(rows, billedKey)
}

function billedKey(of: { tenant_id: string; period_start: Temporal.PlainDate }): string {
  return `${of.tenant_id}/${of.period_start}`
}

function append(
  before: Attempt<TaxedAdjustment[]>,
  facts: Attempt<QuoteFacts>,
  differencesOf: (facts: QuoteFacts) => TaxedAdjustment[],
): Attempt<TaxedAdjustment[]> {
  if (!before.ok) return before
  if (!facts.ok) return facts
  return attempt(() => [...before.value, ...differencesOf(facts.value)])
}

function differences(invoice: EarlierInvoice, facts: QuoteFacts, billed: Billed): TaxedAdjustment[] {
  const already = new Map((billed.get(billedKey(invoice)) ?? []).map((row) => [row.deployment_id, row.billed_cents]))
  const rated = ratedByDeployment(facts)
  return [...new Set([...already.keys(), ...rated.keys()])].flatMap((deployment_id) => {
    const rated_cents = rated.get(deployment_id) ?? 0n
    const billed_cents = already.get(deployment_id) ?? 0n
    if (rated_cents === billed_cents) return []
    return [
      {
        deployment_id,
        subscription_id: null,
        description: `Adjustment of ${monthLabel(facts.period)} (${invoice.number})`,
        amount_cents: rated_cents - billed_cents,
        service_period: facts.period,
        tax: invoice.tax,
        details: {
          invoice_id: invoice.id,
          invoice_number: invoice.number,
          rated_cents: jsonInteger(rated_cents),
          billed_cents: jsonInteger(billed_cents),
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
