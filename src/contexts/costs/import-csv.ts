import { decimal } from '../../kernel/decimal.ts'
import { monthLabel, parseMonth, type Period } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import type { ContextTx } from '../../platform/db.ts'
import { parseInvoiceCsv, parseInvoiceFilename } from '../../providers/digitalocean/index.ts'
import { type Bill, contentHash, costLines, totalsOf } from './bill.ts'
import { invoiceDiffers, invoiceUnreadable, totalsDiffer } from './problems.ts'
import { findUploadedInvoice } from './queries.ts'
import { announcedColumns, storeBill, type StoreContext } from './store-bill.ts'

export type Upload = {
  readonly csv: string
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
 * it came; without a number, it is the one of its month. Throws `costs/invoice-unreadable` with a fault per cell,
 * `costs/invoice-differs` when it is issued with other content, `costs/totals-differ` when the provider announced
 * another amount.
 */
export async function importCsv(tx: ContextTx<'costs'>, upload: Upload, context: StoreContext): Promise<ImportedBill> {
  const { bill, period, invoice_number } = readUpload(upload)
  const { provider } = upload
  const known = await findUploadedInvoice(tx, { provider, invoice_number, period_start: period.start })
  const { lines_amount } = totalsOf(costLines(bill.items, { id: '', provider, period }, () => ''))
  if (known?.status === 'issued') {
    if (known.content_hash === contentHash(bill.items)) return { provider_invoice_id: known.id, outcome: 'unchanged' }
    throw invoiceDiffers(
      `The bill ${invoice_number ?? monthLabel(period)} is issued over ${known.amount} and the file holds ${lines_amount}. Nothing was stored: compare the file with GET /billing/provider-invoices/${known.id}.`,
    )
  }
  if (known && !decimal(known.amount).eq(decimal(lines_amount))) {
    throw totalsDiffer(
      `The provider announced ${known.amount}, the lines of the file add up to ${lines_amount}. Check that it is the file of this invoice, and whole.`,
    )
  }
  const provider_invoice_id = known?.id ?? context.ids.uuid()
  if (known === undefined) {
    await tx
      .insertInto('costs.provider_invoice')
      .values({
        ...announcedColumns({ provider, invoice_number, period, amount: lines_amount }, context.now),
        id: provider_invoice_id,
        external_id: invoice_number ?? monthLabel(period),
      })
      .execute()
  }
  await storeBill(tx, { provider_invoice_id, bill }, context)
  return { provider_invoice_id, outcome: 'created' }
}

function readUpload(upload: Upload): { bill: Bill; period: Period; invoice_number: string | null } {
  const named = upload.filename === undefined ? undefined : parseInvoiceFilename(upload.filename)
  const label = upload.period ?? named?.period
  const period = label === undefined ? undefined : parseMonth(label)
  if (period === undefined) {
    throw invalidInput('The month of the bill is not known.', [
      { path: 'period', message: 'must be a month such as 2026-04, or the filename must be as the provider gave it' },
    ])
  }
  const { items, faults } = parseInvoiceCsv(upload.csv)
  if (faults.length > 0) throw unreadable(faults)
  if (items.length === 0) throw unreadable([{ row: 2, column: '*', message: 'expected at least one line' }])
  const bill: Bill = { items, summary: null, read_from: 'upload' }
  return { bill, period, invoice_number: upload.invoice_number ?? named?.invoice_number ?? null }
}

function unreadable(faults: readonly Fault[]) {
  return invoiceUnreadable('Mend the rows that are named and send the file again. Nothing of it was stored.', faults)
}
