import { decimal, plain } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { monthLabel, parseMonth } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { parseInvoiceCsv, parseInvoiceFilename } from '../../providers/digitalocean/index.ts'
import { type Bill, contentHash, sumOf } from './bill.ts'
import { lockBills } from './lock.ts'
import { invoiceDiffers, invoiceUnreadable, notText, totalsDiffer } from './problems.ts'
import { findUploadedInvoice } from './queries.ts'
import { PROVIDER } from './sync.ts'
import { announcedColumns, storeBill, type StoreContext } from './store-bill.ts'

export type Upload = {
  /** The file as it is: text in UTF-8. */
  readonly csv: Uint8Array
  readonly provider: string
  /** A month, or a day in it. Where it is missing the file's name says it. */
  readonly period?: string | undefined
  readonly invoice_number?: string | undefined
  /** As the provider names its files. */
  readonly filename?: string | undefined
}

export type ImportedBill = { readonly provider_invoice_id: string; readonly outcome: 'created' | 'unchanged' }

/**
 * Stores a bill that was downloaded by hand, whole or not at all. A bill is the same under its printed number however
 * it came; without a number, it is the one of its month. Throws `costs/not-text`, `costs/invoice-unreadable` with a
 * fault per cell, `costs/invoice-differs` when it is issued with other content, `costs/totals-differ` when the provider
 * announced another amount, and `costs/content-stored-already` when another bill has the same lines.
 */
export async function importCsv(tx: ContextTx<'costs'>, upload: Upload, context: StoreContext): Promise<ImportedBill> {
  const { bill, header } = readUpload(upload)
  await lockBills(tx)
  const invoice = (await findUploadedInvoice(tx, header)) ?? (await announceUpload(tx, header, context))
  const provider_invoice_id = invoice.id
  if (invoice.status === 'issued') {
    if (invoice.content_hash === contentHash(bill.items)) return { provider_invoice_id, outcome: 'unchanged' }
    throw invoiceDiffers(
      `The bill of ${monthLabel(header.period)} is issued over ${plain(decimal(invoice.amount))} and the file holds ${header.amount}. Nothing was stored: compare it with GET /billing/provider-invoices/${invoice.id}.`,
    )
  }
  if (!decimal(invoice.amount).eq(decimal(header.amount))) {
    throw totalsDiffer(
      `The provider announced ${plain(decimal(invoice.amount))}, the lines of the file add up to ${header.amount}. Check that it is the file of this invoice, and whole.`,
    )
  }
  await storeBill(tx, { provider_invoice_id, bill }, context)
  return { provider_invoice_id, outcome: 'created' }
}

type UploadHeader = Parameters<typeof announcedColumns>[0]

async function announceUpload(tx: ContextTx<'costs'>, header: UploadHeader, { now, ids }: StoreContext) {
  const external_id = header.invoice_number ?? monthLabel(header.period)
  const row = { ...announcedColumns(header, now), id: ids.uuid(), external_id }
  await insertRows(tx, 'costs.provider_invoice', [row])
  return present(await findUploadedInvoice(tx, header), 'an invoice that was announced can be found')
}

function readUpload(upload: Upload): { bill: Bill; header: UploadHeader } {
  if (upload.provider !== PROVIDER) {
    throw invalidInput(`Bills of ${upload.provider} cannot be read.`, [
      { path: 'provider', message: `must be one of: ${PROVIDER}` },
    ])
  }
  const named = upload.filename === undefined ? undefined : parseInvoiceFilename(upload.filename)
  const label = upload.period ?? named?.period
  const period = label === undefined ? undefined : parseMonth(label)
  if (period === undefined) {
    throw invalidInput('The month of the bill is not known.', [
      { path: 'period', message: 'must be a month such as 2026-04, or the filename must be as the provider gave it' },
    ])
  }
  const { items, faults } = parseInvoiceCsv(decode(upload.csv))
  if (faults.length > 0) throw unreadable(faults)
  if (items.length === 0) throw unreadable([{ row: 2, column: '*', message: 'expected at least one line' }])
  const invoice_number = upload.invoice_number ?? named?.invoice_number ?? null
  return {
    bill: { items, summary: null, read_from: 'upload' },
    header: { provider: upload.provider, invoice_number, period, amount: plain(sumOf(items)) },
  }
}

/** Strictly: a character that was replaced would be in an issued bill for good. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw notText('Save the file as CSV in UTF-8, as the provider gives it.')
  }
}

function unreadable(faults: readonly Fault[]) {
  return invoiceUnreadable('Mend the rows that are named and send the file again. Nothing of it was stored.', faults)
}
