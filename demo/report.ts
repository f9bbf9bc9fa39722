import type { Application } from '../src/app.ts'
import { heading, mark, print, printText, table } from '../src/cli/output.ts'
import { decimal, plain } from '../src/kernel/decimal.ts'
import { formatMinor } from '../src/kernel/money.ts'
import { runAudit } from '../src/platform/audit.ts'
import type { Client } from '../src/cli/client.ts'
import { PERIOD } from './company.ts'

export type Report = {
  provider_invoices: ProviderInvoiceRow[]
  invoices: InvoiceRow[]
  margin: MarginRow[]
  finance_pushes: { document: string; action: 'created' | 'updated' }[]
  checks: { name: string; ok: boolean }[]
}

type ProviderInvoiceRow = {
  external_id: string
  period: { start: string; end: string }
  lines: number
  matched_lines: number
  amount_cents: number
  tax_cents: number
}
type InvoiceRow = { tenant_id: string; period: string; subtotal_cents: number; tax_cents: number; total_cents: number }
type MarginRow = {
  tenant_id: string
  deployment: string
  revenue_cents: number
  cost_cents: number | null
  margin_cents: number | null
  coverage: string | null
}

/** What the demo reads of the API's answers. */
type Bill = {
  id: string
  external_id: string
  status: string
  period: { start: string; end: string }
  amount: string
  tax_amount: string
  line_count: number
  matched_lines: number
  balanced: boolean
}
type CostLine = {
  kind: string
  description: string
  amount: string
  match_status: string
  match_reason: string
  tenant_id: string | null
  deployment_id: string | null
}
type InvoiceLine = {
  kind: string
  description: string
  amount_cents: number
  quantity: string | null
  unit_price: string | null
}
type Margin = {
  rows: (Omit<MarginRow, 'tenant_id' | 'deployment'> & { tenant_id: string; deployment: string | null })[]
  totals: Record<
    | 'revenue_cents'
    | 'draft_revenue_cents'
    | 'attributed_cost_cents'
    | 'unmatched_cost_cents'
    | 'tax_cents'
    | 'credit_cents'
    | 'bill_total_cents'
    | 'margin_cents',
    number
  > & { coverage: string }
}
type Finance = {
  documents(): {
    type: string
    actions: { created: number; updated: number }
    payload: { source: string; external_id: string }
  }[]
}

const CURRENCY = 'USD'
const BILL = { lines: 33, amount_cents: 8692, tax_cents: 790 }
/** The worked example: three droplets through April on Studio with 50 GB of storage. */
const WORKED_EXAMPLE = { tenant_id: 'boab', subtotal_cents: 6422, tax_cents: 642, total_cents: 7064 }

export async function readReport(
  operator: Client,
  { app, finance }: { app: Application; finance: Finance },
): Promise<Report> {
  const bills = (await operator.list<Bill>('/billing/provider-invoices')).filter((bill) => bill.status === 'issued')
  const invoices = await operator.list<InvoiceRow & { number: string }>(`/invoices?period=${PERIOD}`)
  const margin = await operator.get<Margin>(`/margin?period=${PERIOD}&group_by=deployment`)
  const lines = await operator.list<CostLine>(`/billing/cost-lines?period=${PERIOD}`)
  const documents = finance.documents()
  const report = {
    provider_invoices: bills.map(({ external_id, period, line_count, matched_lines, amount, tax_amount }) => ({
      external_id,
      period,
      lines: line_count,
      matched_lines,
      amount_cents: cents(amount),
      tax_cents: cents(tax_amount),
    })),
    invoices: byNumber(invoices).map(({ tenant_id, subtotal_cents, tax_cents, total_cents }) => ({
      tenant_id,
      period: PERIOD,
      subtotal_cents,
      tax_cents,
      total_cents,
    })),
    margin: margin.rows.map((row) => ({
      tenant_id: row.tenant_id,
      deployment: row.deployment ?? '',
      revenue_cents: row.revenue_cents,
      cost_cents: row.cost_cents,
      margin_cents: row.margin_cents,
      coverage: row.coverage,
    })),
    finance_pushes: documents.flatMap(({ payload, actions }) => {
      const document = `${payload.source}/${payload.external_id}`
      return [
        ...(actions.created > 0 ? [{ document, action: 'created' as const }] : []),
        ...(actions.updated > 0 ? [{ document, action: 'updated' as const }] : []),
      ]
    }),
  }
  const april = report.provider_invoices.find((bill) => bill.period.start === `${PERIOD}-01`)
  const worked = report.invoices.find((invoice) => invoice.tenant_id === WORKED_EXAMPLE.tenant_id)
  const { totals } = margin
  const findings = await runAudit(app.edge.db.read, app.invariants)
  return {
    ...report,
    checks: [
      { name: 'the April bill has 33 lines, 86.92 in total, 7.90 of it GST', ok: same(april, BILL) },
      { name: 'the worked example comes to 64.22 + 6.42 = 70.64', ok: same(worked, WORKED_EXAMPLE) },
      {
        name: 'every bill balances: its lines add up to its amount',
        ok: bills.length > 0 && bills.every((bill) => bill.balanced),
      },
      {
        name: 'every line of the April bill is matched, allocated, tax, credit, or unmatched with a reason',
        ok: lines.length === BILL.lines && lines.every((line) => line.match_reason !== ''),
      },
      {
        name: 'margin adds up to the provider’s bill',
        ok:
          totals.bill_total_cents === BILL.amount_cents &&
          totals.attributed_cost_cents + totals.unmatched_cost_cents + totals.tax_cents + totals.credit_cents ===
            totals.bill_total_cents,
      },
      {
        name: 'margin adds up to the invoices',
        ok:
          totals.revenue_cents === add(report.invoices.map((invoice) => invoice.subtotal_cents)) &&
          totals.revenue_cents === add(report.margin.map((row) => row.revenue_cents)),
      },
      { name: 'every bill and invoice is in the books once', ok: documents.length === bills.length + invoices.length },
      {
        name: 'the bill that was pushed again is the same document, updated',
        ok: report.finance_pushes.filter((push) => push.action === 'updated').length === 1,
      },
      ...findings.map(({ name, ok }) => ({ name, ok })),
    ],
  }
}

export async function printReport(operator: Client, report: Report): Promise<void> {
  await printBill(operator)
  await printInvoices(operator)
  await printMargin(operator)
  printPushes(report)
  print(heading('Checks'))
  print(
    table(
      [
        { title: '', value: (check) => mark(check.ok) },
        { title: 'promise', value: (check) => check.name },
      ],
      report.checks,
    ),
  )
}

async function printBill(operator: Client): Promise<void> {
  const lines = await operator.list<CostLine>(`/billing/cost-lines?period=${PERIOD}`)
  const slugs = await readSlugs(operator)
  print(heading(`Provider bill of ${PERIOD}: ${lines.length} lines`))
  print(
    table(
      [
        { title: 'kind', value: (line) => line.kind },
        { title: 'description', value: (line) => line.description },
        { title: CURRENCY, align: 'right', value: (line) => formatMinor(BigInt(cents(line.amount)), CURRENCY) },
        { title: 'deployment', value: (line) => slugs.get(line.deployment_id ?? '') ?? unowned(line) },
        { title: 'why', value: (line) => line.match_reason },
      ],
      lines,
    ),
  )
  print(`Total ${formatMinor(BigInt(add(lines.map((line) => cents(line.amount)))), CURRENCY)}`)
}

/** Credits and taxes have no owner to be missed. */
function unowned({ match_status }: CostLine): string {
  return match_status === 'unmatched' ? match_status : '–'
}

async function printInvoices(operator: Client): Promise<void> {
  const invoices = await operator.list<{
    id: string
    number: string
    tenant_id: string
    subtotal_cents: number
    tax_cents: number
    total_cents: number
  }>(`/invoices?period=${PERIOD}`)
  for (const { id, number, tenant_id, subtotal_cents, tax_cents, total_cents } of byNumber(invoices)) {
    const { lines } = await operator.get<{ lines: InvoiceLine[] }>(`/invoices/${id}`)
    print(heading(`Invoice ${number} to ${tenant_id}`))
    print(
      table(
        [
          { title: 'kind', value: (line) => line.kind },
          { title: 'description', value: (line) => line.description },
          { title: 'quantity', align: 'right', value: (line) => line.quantity ?? '' },
          { title: 'unit price', align: 'right', value: (line) => line.unit_price ?? '' },
          { title: CURRENCY, align: 'right', value: (line) => formatMinor(BigInt(line.amount_cents), CURRENCY) },
        ],
        lines,
      ),
    )
    const [subtotal, tax, total] = [subtotal_cents, tax_cents, total_cents].map((amount) =>
      formatMinor(BigInt(amount), CURRENCY),
    )
    print(`Subtotal ${subtotal} + tax ${tax} = ${total}`)
  }
}

async function printMargin(operator: Client): Promise<void> {
  const { rows, totals } = await operator.get<Margin>(`/margin?period=${PERIOD}&group_by=deployment`)
  const money = (amount: number | null) => (amount === null ? 'unknown' : formatMinor(BigInt(amount), CURRENCY))
  print(heading(`Margin of ${PERIOD} in ${CURRENCY}`))
  print(
    table(
      [
        { title: 'tenant', value: (row) => row.tenant_id },
        { title: 'deployment', value: (row) => row.deployment ?? '' },
        { title: 'revenue', align: 'right', value: (row) => money(row.revenue_cents) },
        { title: 'cost', align: 'right', value: (row) => money(row.cost_cents) },
        { title: 'margin', align: 'right', value: (row) => money(row.margin_cents) },
        { title: 'coverage', align: 'right', value: (row) => percent(row.coverage) },
      ],
      rows,
    ),
  )
  const drafts = totals.draft_revenue_cents === 0 ? '' : ` (drafts: ${money(totals.draft_revenue_cents)})`
  printText(
    `Revenue ${money(totals.revenue_cents)}${drafts} − attributed ${money(totals.attributed_cost_cents)} − unmatched ${money(totals.unmatched_cost_cents)}` +
      ` − tax ${money(totals.tax_cents)} − credits ${money(totals.credit_cents)} = margin ${money(totals.margin_cents)}` +
      ` (${percent(totals.coverage)} of the net cost is attributed)`,
  )
}

/** The month's bill, created and then updated, and the invoices; the bills of earlier months are only counted. */
function printPushes({ finance_pushes, provider_invoices }: Report): void {
  const bill = provider_invoices.find((row) => row.period.start === `${PERIOD}-01`)
  const shown = finance_pushes.filter(
    (push) => !push.document.startsWith('digitalocean/') || push.document.endsWith(bill?.external_id ?? ''),
  )
  print(heading('Finance service'))
  print(
    table(
      [
        { title: 'document', value: (row) => row.document },
        { title: 'action', value: (row) => row.action },
      ],
      shown,
    ),
  )
  print(`… and ${finance_pushes.length - shown.length} bills of earlier months, created.`)
}

async function readSlugs(operator: Client): Promise<Map<string, string>> {
  const deployments = await operator.list<{ id: string; tenant_id: string; slug: string }>('/deployments')
  return new Map(deployments.map(({ id, tenant_id, slug }) => [id, `${tenant_id}/${slug}`]))
}

function byNumber<T extends { number: string }>(invoices: readonly T[]): T[] {
  return invoices.toSorted((a, b) => a.number.localeCompare(b.number))
}

function percent(share: string | null): string {
  return share === null ? '' : `${plain(decimal(share).times(decimal('100')).round(1))} %`
}

/** Amounts of the demo have whole cents. */
function cents(amount: string): number {
  return Number(plain(decimal(amount).times(decimal('100'))))
}

function add(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}

function same<T extends object>(found: T | undefined, expected: Partial<Record<keyof T, unknown>>): boolean {
  return found !== undefined && Object.entries(expected).every(([name, value]) => found[name as keyof T] === value)
}
