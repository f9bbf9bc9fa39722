import { present } from '../../kernel/invariant.ts'
import { dateIn, laterDate, monthOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { Quote, QuoteLine } from '../pricing/index.ts'

/** What the tenant's invoices come to as the database is now, the transaction's own changes included. */
export type PreviewInvoices = (reader: Reader, of: PreviewScope) => Promise<InvoicesPreview>

/** `touched` are whole calendar months. Usage counts up to `as_of`. */
export type PreviewScope = {
  tenant_id: string
  deployment_id: string
  touched: Period
  as_of: Temporal.Instant
}

/** The touched months in order of time, but for those so far back that what changes in them is billed by hand. */
export type InvoicesPreview = { months: InvoicedMonth[]; billed_by_hand: Period | null }

/**
 * `quote` is what the month comes to, with all that the tenant is invoiced, so that the tax is rounded as on the invoice.
 * `invoice` is what its invoice would be if it were made now, with the adjustments of issued months; null where the month
 * has been issued.
 */
export type InvoicedMonth = { period: Period; quote: Quote; invoice: Quote | null }

/** What a change of a subscription has changed: no day before `from`. */
export type Touched = {
  id: string
  tenant_id: string
  deployment_id: string
  timezone: string
  from: Temporal.PlainDate
}

/** What lines of one kind, meter and description come to less or more; `amount_cents` is above 0. */
export type Difference = Pick<QuoteLine, 'kind' | 'meter' | 'description'> & { amount_cents: bigint }

/** `charged` less `credited` is `difference_cents`, which is the difference of the totals. */
export type Comparison = {
  period: Period
  before: Quote
  after: Quote
  credited: Difference[]
  charged: Difference[]
  difference_cents: bigint
}

/**
 * `months` are those that come to something else. What changes in issued ones is adjusted by `next_invoice`, the first of
 * the invoices to come that differs; null where none does. `difference_cents` is what all invoices to come differ by: the
 * next one, and the other months that are not issued.
 */
export type Preview = {
  months: (Comparison & { is_issued: boolean })[]
  next_invoice: Comparison | null
  billed_by_hand: Period | null
  difference_cents: bigint
}

/**
 * The months from that of the change to the running one, or to the first that it touches. The day before the change is
 * one of its days: a yearly plan that ends there gives the rest of its year back in that month.
 */
export function touchedMonths({ from, timezone }: Touched, now: Temporal.Instant): Period {
  const last = monthOf(laterDate(from, dateIn(now, timezone)))
  return { start: monthOf(from.subtract({ days: 1 })).start, end: last.end }
}

/** What a change that changes nothing makes of them. */
export const NO_DIFFERENCE: Preview = { months: [], next_invoice: null, billed_by_hand: null, difference_cents: 0n }

/** What the change makes of the invoices; both are of the same months. */
export function comparePreviews({ before, after }: { before: InvoicesPreview; after: InvoicesPreview }): Preview {
  const compared = after.months.map((month, index) =>
    compareMonth({ before: present(before.months[index], 'both have the same months'), after: month }),
  )
  const issued = compared.findLastIndex(({ invoice }) => invoice === null)
  const next_invoice = compared
    .slice(issued + 1)
    .flatMap(({ invoice }) => invoice ?? [])
    .find(differs)
  const others = compared.filter(({ invoice, month }) => invoice !== null && month.period !== next_invoice?.period)
  return {
    months: compared
      .filter(({ month }) => differs(month))
      .map(({ month, invoice }) => ({ ...month, is_issued: invoice === null })),
    next_invoice: next_invoice ?? null,
    billed_by_hand: after.billed_by_hand,
    difference_cents: others.reduce(
      (total, { month }) => total + month.difference_cents,
      next_invoice?.difference_cents ?? 0n,
    ),
  }
}

function compareMonth({ before, after }: { before: InvoicedMonth; after: InvoicedMonth }): {
  month: Comparison
  invoice: Comparison | null
} {
  const { period } = after
  return {
    month: compareQuotes(period, { before: before.quote, after: after.quote }),
    invoice: before.invoice && after.invoice && compareQuotes(period, { before: before.invoice, after: after.invoice }),
  }
}

function differs({ credited, charged }: Comparison): boolean {
  return credited.length + charged.length > 0
}

function compareQuotes(period: Period, { before, after }: { before: Quote; after: Quote }): Comparison {
  const groups = Map.groupBy(
    [
      ...before.lines.map((line) => ({ line, amount_cents: -line.amount_cents })),
      ...after.lines.map((line) => ({ line, amount_cents: line.amount_cents })),
    ],
    ({ line }) => JSON.stringify([line.kind, line.meter, line.description, line.deployment_id]),
  )
  const differences = [...groups.values()].map((group): Difference => {
    const { kind, meter, description } = present(group[0], 'a group has a line').line
    return { kind, meter, description, amount_cents: group.reduce((total, one) => total + one.amount_cents, 0n) }
  })
  return {
    period,
    before,
    after,
    credited: differences
      .filter(({ amount_cents }) => amount_cents < 0n)
      .map((given) => ({ ...given, amount_cents: -given.amount_cents })),
    charged: differences.filter(({ amount_cents }) => amount_cents > 0n),
    difference_cents: after.total_cents - before.total_cents,
  }
}
