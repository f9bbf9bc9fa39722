import { type Period, parseMonth, previousMonth } from '../../kernel/period.ts'
import { present } from '../../kernel/invariant.ts'
import { decimal, plain } from '../../kernel/decimal.ts'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import { OutboundError } from '../../platform/outbound.ts'
import {
  type BillingEntry,
  type DigitalOcean,
  parseInvoiceCsv,
  PREVIEW,
  toBillLine,
} from '../../providers/digitalocean/index.ts'
import { askProvider } from '../inventory/index.ts'
import { type Announcement, announceInvoices } from './announce.ts'
import { recordBillingHistory } from './billing-history.ts'
import { type Bill, BILL_CURRENCY, sumOf } from './bill.ts'
import { recordBalance, recordIngestFailure } from './commands.ts'
import { invoiceIncomplete, invoiceUnreadable } from './problems.ts'
import { findInvoiceToIngest, type InvoiceToIngest } from './bill-queries.ts'
import { replacePreview, storeBill, type StoredBill } from './store-bill.ts'

export const PROVIDER = 'digitalocean'

const NOT_FOUND = 404
/**
 * A bill is read up to six times a day (the daily run and its retries). Lines that after four days still do not add up
 * to it are what the provider has to say: they are stored, with their gap.
 */
const INCOMPLETE_MAX_READINGS = 24

export type BillIssued = (tx: Tx, bill: { provider_invoice_id: string }) => Promise<void>

/** Each verb below calls the network first and then records in one transaction, which `transact` opens. */
export type Sync = {
  readonly edge: Edge
  readonly provider: DigitalOcean
  readonly transact: <T>(effect: (tx: Tx) => Promise<T>) => Promise<T>
}

export async function takeBalance({ edge, provider, transact }: Sync): Promise<void> {
  const balance = await askProvider(() => provider.balance())
  await transact((tx) => recordBalance(tx, { provider: PROVIDER, balance }, { now: edge.clock.now() }))
}

export type History = {
  new_count: number
  unchanged_count: number
  due: string[]
  /** Known invoices under whose number the provider lists another one, too: told once. */
  clashing: string[]
  new_entries: number
}

/**
 * Stores the provider's billing history and announces its invoices; `onDue` gets those whose lines are to be read, in
 * the same transaction.
 */
export async function readBillingHistory(
  { edge, provider, transact }: Sync,
  onDue: (tx: Tx, due: readonly string[]) => Promise<void>,
): Promise<History> {
  const read_at = edge.clock.now()
  const { entries, announcements } = await askProvider(() => fetchHistory(provider))
  return transact(async (tx) => {
    const listed = { provider: PROVIDER, announcements }
    const announced = await announceInvoices(tx, listed, { now: edge.clock.now(), ids: edge.ids })
    const history = { provider: PROVIDER, currency: BILL_CURRENCY, entries, read_at }
    const new_entries = await recordBillingHistory(tx, history, edge)
    await onDue(tx, announced.due)
    return { ...announced, new_entries }
  })
}

/** Returns the lines of the running month's bill; null while the provider has none. */
export async function readPreview({ edge, provider, transact }: Sync): Promise<number | null> {
  const read = await askProvider(async () => {
    const { preview } = await provider.invoices()
    return preview && { header: preview, bill: await fetchBill(provider, PREVIEW) }
  })
  if (read === null) return null
  const { header, bill } = read
  const preview = {
    header: {
      provider: PROVIDER,
      billing_account: null,
      invoice_number: header.invoice_id,
      number_is_stated: false,
      period: monthNamed(header.invoice_period),
      currency: BILL_CURRENCY,
      issuer_name: null,
    },
    external_id: PREVIEW,
  }
  // Remade while it is read, the preview is described best by what was read last.
  const amount = bill.summary?.amount ?? header.amount
  return transact((tx) => replacePreview(tx, { preview, bill, amount }, { now: edge.clock.now(), ids: edge.ids }))
}

/**
 * Reads the lines of one invoice and stores them. A failure is kept on the invoice and thrown. Null: there is nothing
 * to read, because the invoice is known only from an upload.
 */
export async function ingestInvoice(
  { edge, provider, transact }: Sync,
  { provider_invoice_id, onBillIssued }: { provider_invoice_id: string; onBillIssued: BillIssued },
): Promise<StoredBill | null> {
  const invoice = await findInvoiceToIngest(edge.db.read, provider_invoice_id)
  if (invoice === undefined) return null
  try {
    const bill = await askProvider(() => fetchBill(provider, invoice.provider_uuid))
    requireWhole(bill, invoice)
    return await transact((tx) =>
      storeBill(
        tx,
        { provider_invoice_id, bill },
        { now: edge.clock.now(), ids: edge.ids, onBillIssued: (issued) => onBillIssued(tx, issued) },
      ),
    )
  } catch (error) {
    await edge.db.transaction((tx) => recordIngestFailure(tx, { provider_invoice_id, error }))
    throw error
  }
}

/** Announced are the invoices that are listed, and those that only the billing history names. */
async function fetchHistory(
  provider: DigitalOcean,
): Promise<{ entries: BillingEntry[]; announcements: Announcement[] }> {
  const { invoices } = await provider.invoices()
  const entries = await provider.billingHistory()
  const listed = invoices.map(({ invoice_uuid, invoice_id, invoice_period, amount }) => ({
    invoice_uuid,
    invoice_number: invoice_id,
    period: monthNamed(invoice_period),
    amount,
  }))
  const known = new Set(listed.map(({ invoice_uuid }) => invoice_uuid))
  const others = entries.flatMap(({ invoice_uuid, invoice_id, date, amount }) =>
    invoice_uuid === null || invoice_id === null || known.has(invoice_uuid)
      ? []
      : // An invoice is dated in the month after the one that it bills.
        { invoice_uuid, invoice_number: invoice_id, period: previousMonth(date, 'UTC'), amount },
  )
  return { entries, announcements: [...listed, ...others] }
}

/** The items, because only they name resources by id; the CSV where the items cannot be read. */
async function fetchBill(provider: DigitalOcean, invoice_uuid: string): Promise<Bill> {
  const items = await ifReadable(provider.invoiceItems(invoice_uuid))
  const summary = await ifReadable(provider.invoiceSummary(invoice_uuid))
  if (items !== null) return { lines: items.map(toBillLine), summary, read_from: 'items' }
  const csv = parseInvoiceCsv(await provider.invoiceCsv(invoice_uuid))
  const [fault] = csv.faults
  if (fault) {
    const at = `row ${fault.row}, column ${fault.column}: ${fault.message}`
    throw invoiceUnreadable(`The provider's CSV of ${invoice_uuid} cannot be read at ${at}.`, csv.faults)
  }
  return { lines: csv.items.map(toBillLine), summary, read_from: 'csv' }
}

async function ifReadable<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call
  } catch (error) {
    const isUnreadable =
      error instanceof OutboundError && (error.reason === 'invalid_response' || error.status === NOT_FOUND)
    if (isUnreadable) return null
    throw error
  }
}

/**
 * An issued bill never changes, so what may be a part of one must not become one: a bill that is still being made or is
 * listed in part, or a CSV that was cut between two rows, which nothing in it would tell. What is issued already is
 * only compared.
 */
function requireWhole(
  { lines, read_from }: Bill,
  { status, amount, listed_amount, incomplete_readings }: InvoiceToIngest,
): void {
  const total = sumOf(lines)
  if (listed_amount !== null && total.eq(decimal(listed_amount))) return
  const isFinal = status === 'issued' || incomplete_readings >= INCOMPLETE_MAX_READINGS
  if (total.eq(decimal(amount)) || (isFinal && read_from === 'items' && lines.length > 0)) return
  throw invoiceIncomplete(
    `The invoice is over ${amount}, and its ${lines.length} lines add up to ${plain(total)}. The next run tries again.`,
  )
}

function monthNamed(label: string): Period {
  return present(parseMonth(label), 'the client lets only months through')
}
