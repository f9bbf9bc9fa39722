import { createHash } from 'node:crypto'
import { type Decimal, decimal, plain, sum } from '../../kernel/decimal.ts'
import { instantsOf, laterInstant, type Period } from '../../kernel/period.ts'
import {
  type ChargeCategory,
  type InvoiceItem,
  type InvoiceSummary,
  readDescription,
} from '../../providers/digitalocean/index.ts'

/** DigitalOcean bills in nothing else. */
export const BILL_CURRENCY = 'USD'

/** A provider's bill as it was read, before it is stored. */
export type Bill = {
  readonly items: readonly InvoiceItem[]
  readonly summary: InvoiceSummary | null
  readonly read_from: 'items' | 'csv' | 'upload'
}

/** What a bill says of itself, in exact major units. */
export type BillTotals = { readonly lines_amount: string; readonly tax_amount: string; readonly line_count: number }

export type CostLine = {
  readonly provider_invoice_id: string
  readonly position: number
  readonly id: string
  readonly provider: string
  readonly kind: string
  readonly product: string
  readonly group_description: string | null
  readonly description: string
  readonly charge_category: ChargeCategory
  readonly amount: string
  readonly currency: string
  readonly charge_start: Temporal.Instant
  readonly charge_end: Temporal.Instant
  readonly quantity: string | null
  readonly unit: string | null
  readonly project: string | null
  readonly external_resource_id: string | null
  readonly external_resource_uuid: string | null
  readonly resource_name: string | null
  readonly match_status: 'unmatched' | 'not_applicable'
  readonly match_reason: string
}

/** The items as lines in the order of the bill, classified and not matched yet. */
export function costLines(
  items: readonly InvoiceItem[],
  invoice: { readonly id: string; readonly provider: string; readonly period: Period },
  newId: () => string,
): CostLine[] {
  // An item without a time is charged for the period of the bill.
  const window = instantsOf(invoice.period, 'UTC')
  return items.map((item, position) => {
    const { kind, charge_category, resource_name } = readDescription(
      item.product,
      item.description,
      item.group_description,
    )
    const charge_start = item.start ?? window.start
    const matchable = isMatchable(charge_category)
    return {
      provider_invoice_id: invoice.id,
      position,
      id: newId(),
      provider: invoice.provider,
      kind,
      product: item.product,
      group_description: item.group_description,
      description: item.description,
      charge_category,
      amount: item.amount,
      currency: BILL_CURRENCY,
      charge_start,
      charge_end: laterInstant(charge_start, item.end ?? window.end),
      quantity: item.duration,
      unit: item.duration_unit,
      project: item.project_name,
      external_resource_id: item.resource_id,
      external_resource_uuid: item.resource_uuid,
      resource_name,
      match_status: matchable ? 'unmatched' : 'not_applicable',
      match_reason: matchable ? 'not matched yet' : `a ${charge_category.toLowerCase()} line belongs to the whole bill`,
    }
  })
}

/** Tax and credits belong to the bill as a whole, and to no deployment. */
function isMatchable(category: ChargeCategory): boolean {
  return category !== 'Tax' && category !== 'Credit'
}

export function totalsOf(lines: readonly Pick<CostLine, 'amount' | 'charge_category'>[]): BillTotals {
  return {
    lines_amount: plain(sumOf(lines)),
    tax_amount: plain(sumOf(lines.filter(({ charge_category }) => charge_category === 'Tax'))),
    line_count: lines.length,
  }
}

/** In major units, exact. */
export function sumOf(items: readonly { readonly amount: string }[]): Decimal {
  return sum(items.map(({ amount }) => decimal(amount)))
}

/**
 * The same for the items and for the CSV of one bill, in any order of rows: it leaves out what only one of the two
 * forms carries (resource ids, units, categories).
 */
export function contentHash(items: readonly InvoiceItem[]): string {
  const rows = items.map((item) => JSON.stringify(contentOf(item))).toSorted()
  return createHash('sha256').update(rows.join('\n')).digest('hex')
}

function contentOf(item: InvoiceItem): string[] {
  const { product, group_description, description, amount, duration, start, end, project_name } = item
  const texts = [product, group_description ?? '', description, project_name ?? ''].map((text) => text.trim())
  return [...texts, amount, duration ?? '', start?.toString() ?? '', end?.toString() ?? '']
}

/** Where the provider's summary disagrees with the bill, in words; empty when every total is confirmed. */
export function summaryFaults(
  summary: InvoiceSummary,
  bill: {
    readonly amount: string
    readonly lines: readonly Pick<CostLine, 'product' | 'amount' | 'charge_category'>[]
  },
): string[] {
  const { product_charges, overages, taxes, credits_and_adjustments } = summary
  const parts = [product_charges.amount, overages, taxes, credits_and_adjustments].map((part) => decimal(part))
  const byProduct = Map.groupBy(bill.lines, ({ product }) => product)
  const tax = totalsOf(bill.lines).tax_amount
  return [
    differs('the total of the summary', decimal(summary.amount), 'the invoice', decimal(bill.amount)),
    differs('the total of the summary', decimal(summary.amount), 'its parts', sum(parts)),
    differs('taxes in the summary', decimal(taxes), 'the tax lines', decimal(tax)),
    ...product_charges.items.map(({ name, amount }) =>
      differs(`${name} in the summary`, decimal(amount), 'the lines', sumOf(byProduct.get(name) ?? [])),
    ),
  ].flatMap((fault) => fault ?? [])
}

function differs(name: string, value: Decimal, otherName: string, other: Decimal): string | null {
  return value.eq(other) ? null : `${name}: ${plain(value)}, ${otherName}: ${plain(other)}`
}
