import { decimal, sum, ZERO } from '../../kernel/decimal.ts'
import { invariant } from '../../kernel/invariant.ts'
import { monthLabel, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { type Bill, chargesOf, unexplainedCharge } from './bill-charges.ts'
import { type Charge, focusRow } from './charge.ts'
import { type Invoice, invoiceCharge } from './invoice-charges.ts'
import { onlyPreviews } from './problems.ts'
import { isTenant, listBills, listInvoices, readInvoiceLines, readLines } from './queries.ts'
import { CSV_HEADER, csvLine } from './row.ts'

/** Lines that are read, turned and written at a time. */
const PAGE_LINES = 1_000

/** A file in pieces, each of whole lines. */
export type FocusFile = { readonly name: string; readonly pieces: AsyncIterable<string> }

/**
 * The operator's cost of a month as FOCUS 1.2: the lines of its issued bills, an allocated line once for each share, so
 * that BilledCost adds up to the bills exactly. With `preview`, a provider that has issued none for an account comes in with its preview.
 * Throws `focus/only-previews` when there would be nothing but previews, which were not asked for.
 */
export async function exportCost(
  reader: Reader,
  { period, preview }: { period: Period; preview: boolean },
): Promise<FocusFile> {
  const bills = await listBills(reader, period)
  const chosen = preview ? bills : bills.filter(({ status }) => status === 'issued')
  if (chosen.length === 0 && bills.length > 0) {
    throw onlyPreviews(`${monthLabel(period)} is not billed yet. Ask for its previews (preview=true, or --preview).`)
  }
  return { name: `focus-${monthLabel(period)}.csv`, pieces: piecesOf(chosen, (bill) => billCharges(reader, bill)) }
}

/**
 * What a tenant is charged in a month as FOCUS 1.2: the lines of its issued invoices, tax too, in the invoice's currency
 * and under the operator's name. Throws `request/not-found` when there is no such tenant.
 */
export async function exportInvoices(
  reader: Reader,
  { period, tenant_id }: { period: Period; tenant_id: string },
): Promise<FocusFile> {
  found((await isTenant(reader, tenant_id)) || undefined, `tenant: ${tenant_id}`)
  const invoices = await listInvoices(reader, { tenant_id, period })
  return {
    name: `focus-${monthLabel(period)}-${tenant_id.replaceAll(/[^\w.-]/g, '_')}.csv`,
    pieces: piecesOf(invoices, (invoice) => invoiceCharges(reader, invoice)),
  }
}

async function* piecesOf<D>(
  documents: readonly D[],
  chargesOf: (document: D) => AsyncIterable<readonly Charge[]>,
): AsyncGenerator<string> {
  yield CSV_HEADER
  for (const document of documents) {
    for await (const charges of chargesOf(document)) yield charges.map((charge) => csvLine(focusRow(charge))).join('')
  }
}

async function* billCharges(reader: Reader, bill: Bill): AsyncGenerator<Charge[]> {
  let written = ZERO
  for (let after = -1; ;) {
    const lines = await readLines(reader, { bill_id: bill.id, after, limit: PAGE_LINES })
    const charges = lines.flatMap((line) => chargesOf(bill, line))
    written = written.plus(sum(charges.map(({ billed_cost }) => decimal(billed_cost))))
    yield charges
    const last = lines.at(-1)
    if (lines.length < PAGE_LINES || last === undefined) break
    after = last.position
  }
  // A preview may be replaced while it is read. Half of it must not be taken for the whole, so the file breaks off.
  invariant(written.eq(decimal(bill.lines_amount)), `the charges of bill ${bill.id} add up to its lines`)
  const unexplained = unexplainedCharge(bill)
  if (unexplained) yield [unexplained]
}

async function* invoiceCharges(reader: Reader, invoice: Invoice): AsyncGenerator<Charge[]> {
  for (let after = -1; ;) {
    const lines = await readInvoiceLines(reader, invoice, { after, limit: PAGE_LINES })
    yield lines.map((line) => invoiceCharge(invoice, line))
    const last = lines.at(-1)
    if (lines.length < PAGE_LINES || last === undefined) return
    after = last.position
  }
}
