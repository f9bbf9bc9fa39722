import { decimal, fixed } from '../../src/kernel/decimal.ts'
import { type Account, type AccountInvoice, totalOf, type WireItem } from './account.ts'

/** The documents that the provider makes of an account: each is derived from the same items, so they always agree. */

export function balanceOf(account: Account): Record<string, string> {
  const owed = totalOf(account.billing_history)
  const usage = totalOf(account.preview.items)
  return {
    month_to_date_balance: fixed(decimal(owed).plus(decimal(usage)), 2),
    account_balance: owed,
    month_to_date_usage: usage,
    generated_at: account.generated_at,
  }
}

export function headerOf(invoice: AccountInvoice): Record<string, string> {
  const { items, ...header } = invoice
  return { ...header, amount: totalOf(items) }
}

/** Its parts add up to its amount, and its product charges to theirs. */
export function summaryOf(invoice: AccountInvoice): Record<string, unknown> {
  const overages = invoice.items.filter((item) => item.product === 'Bandwidth')
  const taxes = invoice.items.filter((item) => item.product === 'Taxes')
  const credits = invoice.items.filter((item) => item.product === 'Credits')
  const apart = new Set([...overages, ...taxes, ...credits])
  const charges = invoice.items.filter((item) => !apart.has(item))
  return {
    invoice_uuid: invoice.invoice_uuid,
    invoice_id: invoice.invoice_id,
    billing_period: invoice.invoice_period,
    amount: totalOf(invoice.items),
    user_name: 'Platform Operator',
    user_billing_address: { address_line1: '1 Example Street', city: 'Sydney', region: 'NSW', country_iso2_code: 'AU' },
    user_company: 'Platform Operator',
    user_email: 'billing@operator.example',
    product_charges: { name: 'Product usage charges', amount: totalOf(charges), items: byProduct(charges) },
    overages: { name: 'Overages', amount: totalOf(overages) },
    taxes: { name: 'Taxes', amount: totalOf(taxes) },
    credits_and_adjustments: { name: 'Credits & adjustments', amount: totalOf(credits) },
  }
}

/** The nine columns since mid-2020; it has no resource ids. */
export function csvOf(invoice: AccountInvoice): string {
  const header = 'product,group_description,description,hours,start,end,USD,project_name,category'
  return `${[header, ...invoice.items.map(csvRow)].join('\n')}\n`
}

/** `DigitalOcean Invoice 2026 Apr (6173678-512000038).csv` */
export function csvFilename(account: Account, invoice: AccountInvoice): string {
  const month = Temporal.PlainYearMonth.from(invoice.invoice_period)
  const name = month.toLocaleString('en', { month: 'short', calendar: 'iso8601' })
  return `DigitalOcean Invoice ${month.year} ${name} (${account.account_number}-${invoice.invoice_id}).csv`
}

function byProduct(items: readonly WireItem[]): { name: string; amount: string; count: string }[] {
  return [...Map.groupBy(items, (item) => item.product)].map(([name, group]) => ({
    name,
    amount: totalOf(group),
    count: String(group.length),
  }))
}

function csvRow(item: WireItem): string {
  return [
    item.product,
    item.group_description,
    item.description,
    item.duration,
    csvTime(item.start_time),
    csvTime(item.end_time),
    csvMoney(item.amount),
    item.project_name,
    item.category,
  ]
    .map(quoted)
    .join(',')
}

function csvTime(time: string): string {
  return time.replace('T', ' ').replace('Z', ' +0000')
}

function csvMoney(amount: string): string {
  const grouped = amount.replace('-', '').replace(/\B(?=(\d{3})+\.)/g, ',')
  return amount.startsWith('-') ? `-$${grouped}` : `$${grouped}`
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
