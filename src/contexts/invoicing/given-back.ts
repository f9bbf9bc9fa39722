import { decimal } from '../../kernel/decimal.ts'
import { fromMinor, splitByLargestRemainder, toMinor } from '../../kernel/money.ts'
import type { Invoice } from './invoice.ts'

// What was billed is given back by credit notes and by adjustments. Both together never give back more than was billed:
// an adjustment leaves out what was credited already, and a credit note stops at what adjustments have left.

/**
 * How much of what the parts of a month give back now was credited before, part by part. `differences` are what each
 * part comes to now less what is billed for it; `rated_cents` is what the whole month comes to now, and `credited_cents`
 * the net of its credit notes. A credit counts as goodwill, on top of what the month comes to, as long as there is enough
 * billed for both: 100.00 billed, 10.00 credited and 50.00 rated gives back 50.00; with 90.00 credited it gives back 10.00.
 */
export function creditedBefore(
  differences: readonly bigint[],
  { rated_cents, credited_cents }: { rated_cents: bigint; credited_cents: bigint },
): bigint[] {
  const falls = differences.map((difference) => larger(0n, -difference))
  const fall = falls.reduce((total, each) => total + each, 0n)
  // A month may come to less than nothing, as when a yearly price is given back in it: that is no month's own bill.
  const overlap = larger(0n, credited_cents - larger(0n, rated_cents))
  const before = smaller(fall, overlap)
  if (before === 0n) return falls.map(() => 0n)
  return splitByLargestRemainder(
    before,
    falls.map((cents) => decimal(cents)),
  )
}

/** A month that an invoice bills: its own, or one that it adjusts. `left_cents` is what is not given back yet, net. */
export type BilledMonth = { period_start: Temporal.PlainDate; left_cents: bigint }

/** What credit notes have given back of an invoice: gross, and the tax within it. */
export type Credited = { credited_cents: bigint; credited_tax_cents: bigint }

type Totals = Pick<Invoice, 'subtotal_cents' | 'tax_cents' | 'total_cents' | 'currency'>

/** What of an invoice can still be credited, net and tax: what neither credit notes nor adjustments have given back. */
export function creditableCents(
  invoice: Totals,
  { credited_cents, credited_tax_cents }: Credited,
  months: readonly BilledMonth[],
): { net_cents: bigint; tax_cents: bigint } {
  const uncredited_cents = invoice.subtotal_cents - (credited_cents - credited_tax_cents)
  const left_cents = months.reduce((total, month) => total + month.left_cents, 0n)
  const net_cents = larger(0n, smaller(uncredited_cents, left_cents))
  const adjusted_cents = larger(0n, uncredited_cents - net_cents)
  const tax_left_cents = invoice.tax_cents - credited_tax_cents
  const tax_cents = tax_left_cents - part(adjusted_cents, invoice.tax_cents, { of: invoice.subtotal_cents, invoice })
  return { net_cents, tax_cents: larger(0n, tax_cents) }
}

/**
 * The tax within a credit of `amount_cents` (gross, at most what is creditable): its part by the invoice's ratio of tax
 * to total, rounded half up, so that equal credits carry equal tax. The credit that completes what can be credited takes
 * what rounding has left, and none takes more than there is.
 */
export function creditTaxCents(
  invoice: Totals,
  amount_cents: bigint,
  creditable: { net_cents: bigint; tax_cents: bigint },
): bigint {
  const rounded = part(amount_cents, invoice.tax_cents, { of: invoice.total_cents, invoice })
  return larger(0n, smaller(larger(rounded, amount_cents - creditable.net_cents), creditable.tax_cents))
}

/** The net of a credit, by the months that the invoice bills: each its part of what is left of them all. */
export function creditedMonths(net_cents: bigint, months: readonly BilledMonth[]) {
  if (net_cents === 0n) return []
  const parts = splitByLargestRemainder(
    net_cents,
    months.map((month) => decimal(month.left_cents)),
  )
  return months
    .map(({ period_start }, index) => ({ period_start, amount_cents: parts[index] ?? 0n }))
    .filter(({ amount_cents }) => amount_cents > 0n)
}

/** `amount × share ÷ of`, rounded half up; nothing of nothing. */
function part(amount: bigint, share: bigint, { of, invoice }: { of: bigint; invoice: Pick<Invoice, 'currency'> }) {
  if (of === 0n) return 0n
  return toMinor(fromMinor(amount, invoice.currency).times(decimal(share)).div(decimal(of)), invoice.currency)
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
