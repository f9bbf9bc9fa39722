import { decimal, plain } from '../../kernel/decimal.ts'
import { monthLabel, parseMonth, type Period } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { readBillFile } from '../../providers/bill-file.ts'
import type { BillKey, BillRow, CsvFault } from '../../providers/bill-reader.ts'
import { MAX_CSV_FAULTS, NotText } from '../../providers/csv.ts'
import { parseInvoiceFilename } from '../../providers/digitalocean/index.ts'
import { BILL_CURRENCY } from './bill.ts'
import { compareLines, type DifferingLines, type DifferingSide } from './difference.ts'
import { lockBills } from './lock.ts'
import { invoiceDiffers, invoiceUnreadable, notText, periodDiffers, totalsDiffer } from './problems.ts'
import { findUploadedInvoice, type InvoiceToStore, loadInvoiceToStore } from './queries.ts'
import { type ReceivedBill, receiveLines } from './receive-lines.ts'
import { announcedColumns, issueBill, type StoreContext } from './store-bill.ts'
import { PROVIDER } from './sync.ts'

export type UploadedFile = {
  /** As the provider names its files: may say month and number. */
  readonly name?: string | undefined
  /** The file from its beginning, as often as it is asked for: CSV text in UTF-8, packed with gzip or not. */
  readonly open: () => AsyncIterable<Uint8Array>
}

export type Upload = {
  /** The parts of one input, each with its own header. */
  readonly files: readonly UploadedFile[]
  readonly provider?: string | undefined
  /** A month, or a day in it. Where it is missing the file says it, or its name does. */
  readonly period?: string | undefined
  readonly invoice_number?: string | undefined
}

export type ImportedBill = { readonly provider_invoice_id: string; readonly outcome: 'created' | 'unchanged' }

/**
 * Stores bills that were downloaded by hand, all of an upload or nothing: one in the provider's own format, or any
 * number in FOCUS. A bill is the same under its printed number however it came; without a number, it is the one of its
 * month. Throws `costs/not-text`, `costs/invoice-unreadable` with a fault per cell, `costs/period-differs`,
 * `costs/invoice-differs` when it is issued with other content, with the first lines that differ, `costs/totals-differ`
 * when the provider announced another amount, and `costs/content-stored-already` when another bill has the same lines.
 */
export async function importBills(
  tx: ContextTx<'costs'>,
  upload: Upload,
  context: StoreContext,
): Promise<ImportedBill[]> {
  const stated = readStatement(upload)
  await lockBills(tx)
  const announced = new Set<string>()
  const opened = new Set<string>()
  const open = async (key: BillKey | null): Promise<InvoiceToStore> => {
    const header = headerOf(key, stated, opened.size)
    const known = await findUploadedInvoice(tx, header, opened)
    const id = known ?? (await announceUpload(tx, header, context))
    if (known === undefined) announced.add(id)
    opened.add(id)
    return loadInvoiceToStore(tx, id)
  }
  const received = await receiveLines(tx, readFiles(upload.files), { open, ids: context.ids })
  if (received.length === 0) throw unreadable([{ row: 2, column: '*', message: 'expected at least one line' }])
  const imported: ImportedBill[] = []
  for (const bill of received) {
    const is_announced_here = announced.has(bill.invoice.id)
    const outcome = await settleBill(tx, { bill, is_announced_here }, context)
    imported.push({ provider_invoice_id: bill.invoice.id, outcome })
  }
  return imported
}

/** What is said of an upload beside its lines. */
type Statement = {
  readonly provider: string | undefined
  readonly period: Period | undefined
  readonly invoice_number: string | undefined
}

function readStatement({ files, provider, period, invoice_number }: Upload): Statement {
  const names = files.flatMap(({ name }) => (name === undefined ? [] : (parseInvoiceFilename(name) ?? [])))
  const label = period ?? onlyOne('period', names)
  return {
    provider,
    period: label === undefined ? undefined : parseMonth(label),
    invoice_number: invoice_number ?? onlyOne('invoice_number', names),
  }
}

function onlyOne<K extends string>(key: K, names: readonly Record<K, string>[]): string | undefined {
  const [first, ...others] = new Set(names.map((name) => name[key]))
  if (others.length === 0) return first
  throw invalidInput(
    'The names of the files say that they are of several bills. Send the files of one bill at a time.',
    [{ path: key, message: `must be one of: ${[first, ...others].join(', ')}` }],
  )
}

type UploadHeader = Omit<Parameters<typeof announcedColumns>[0], 'amount'>

/** In FOCUS the rows say whose they are; what is stated must agree. The provider's own format says nothing. */
function headerOf(key: BillKey | null, stated: Statement, opened_count: number): UploadHeader {
  return key === null ? headerOfStatement(stated) : headerOfKey(key, stated, opened_count)
}

function headerOfStatement({ provider = PROVIDER, period, invoice_number }: Statement): UploadHeader {
  if (provider !== PROVIDER) {
    throw invalidInput(`The own bills of ${provider} cannot be read: send them in FOCUS.`, [
      { path: 'provider', message: `must be ${PROVIDER} for a file in this format` },
    ])
  }
  if (period === undefined) {
    throw invalidInput('The month of the bill is not known.', [
      { path: 'period', message: 'must be a month such as 2026-04, or the filename must be as the provider gave it' },
    ])
  }
  return { provider, period, invoice_number: invoice_number ?? null, currency: BILL_CURRENCY }
}

function headerOfKey(key: BillKey, stated: Statement, opened_count: number): UploadHeader {
  const { provider, billing_period, currency } = key
  if (stated.provider !== undefined && stated.provider !== provider) {
    throw invalidInput(`The file holds a bill of ${provider}.`, [{ path: 'provider', message: `must be ${provider}` }])
  }
  if (stated.period !== undefined && !stated.period.start.equals(billing_period.start)) {
    throw periodDiffers(
      `The file holds a bill of ${monthLabel(billing_period)}. Leave the month out: the file says it.`,
    )
  }
  const invoice_number = key.invoice_number ?? stated.invoice_number ?? null
  if (stated.invoice_number !== undefined && (invoice_number !== stated.invoice_number || opened_count > 0)) {
    throw invalidInput('The number is not that of all lines of the file.', [
      { path: 'invoice_number', message: 'must be left out: the file holds other bills, too' },
    ])
  }
  return { provider, period: billing_period, invoice_number, currency }
}

async function announceUpload(
  tx: ContextTx<'costs'>,
  header: UploadHeader,
  { now, ids }: StoreContext,
): Promise<string> {
  const id = ids.uuid()
  const external_id = await freeExternalId(tx, header)
  // The amount is known when all lines are.
  const row = { ...announcedColumns({ ...header, amount: '0' }, now), id, external_id }
  await insertRows(tx, 'costs.provider_invoice', [row])
  return id
}

/** The printed number stands in for the id that a file does not carry. Bills that share it differ in their currency. */
async function freeExternalId(
  tx: ContextTx<'costs'>,
  { provider, invoice_number, period, currency }: UploadHeader,
): Promise<string> {
  const external_id = invoice_number ?? monthLabel(period)
  const taken = await tx
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where('provider', '=', provider)
    .where('external_id', '=', external_id)
    .executeTakeFirst()
  return taken === undefined ? external_id : `${external_id}/${currency}`
}

/** Rows until the first fault; then the other faults are looked for, and nothing is stored. */
async function* readFiles(files: readonly UploadedFile[]): AsyncGenerator<readonly BillRow[]> {
  const faults: CsvFault[] = []
  for (const file of files) {
    for await (const part of readText(file)) {
      const place = files.length > 1 && file.name !== undefined ? `${file.name}: ` : ''
      faults.push(...part.faults.map((fault) => ({ ...fault, message: `${place}${fault.message}` })))
      if (faults.length >= MAX_CSV_FAULTS) throw unreadable(faults.slice(0, MAX_CSV_FAULTS))
      if (faults.length === 0) yield part.rows
    }
  }
  if (faults.length > 0) throw unreadable(faults)
}

/** Strictly: a character that was replaced would be in an issued bill for good. */
async function* readText(file: UploadedFile): ReturnType<typeof readBillFile> {
  try {
    yield* readBillFile(file.open())
  } catch (error) {
    if (!(error instanceof NotText)) throw error
    throw notText('Save the file as CSV in UTF-8, as the provider gives it.')
  }
}

async function settleBill(
  tx: ContextTx<'costs'>,
  { bill, is_announced_here }: { bill: ReceivedBill; is_announced_here: boolean },
  context: StoreContext,
): Promise<ImportedBill['outcome']> {
  const { invoice, content, other_months } = bill
  if (other_months.length > 0) {
    throw periodDiffers(
      `No line is charged for ${monthLabel(invoice.period)}; they are of ${other_months.join(', ')}. State the month of the bill.`,
    )
  }
  if (invoice.status === 'issued') {
    await requireSameContent(tx, bill)
    return 'unchanged'
  }
  if (!is_announced_here && !decimal(invoice.amount).eq(decimal(content.lines_amount))) {
    throw totalsDiffer(
      `The provider announced ${plain(decimal(invoice.amount))}, the lines of the file add up to ${content.lines_amount}. Check that it is the file of this invoice, and whole.`,
    )
  }
  const reading = { summary: null, read_from: 'upload' as const }
  await issueBill(tx, { received: bill, bill: reading, amount: content.lines_amount }, context)
  return 'created'
}

async function requireSameContent(tx: ContextTx<'costs'>, { invoice, content }: ReceivedBill): Promise<void> {
  if (invoice.content_hash === content.content_hash) return
  const lines = await compareLines(tx, invoice.id)
  if (lines.stored.count + lines.received.count === 0) return
  throw invoiceDiffers(
    `The bill of ${monthLabel(invoice.period)} is issued over ${plain(decimal(invoice.amount))} and the file holds ${content.lines_amount}: ${lines.stored.count} lines are only in the books, ${lines.received.count} only in the file. Nothing was stored: compare it with GET /billing/provider-invoices/${invoice.id}.`,
    faultsOf(lines),
  )
}

/** Named to the caller, of each side. */
const NAMED_MAX_LINES = 20

function faultsOf({ stored, received }: DifferingLines): Fault[] {
  return [...faultsOfSide(stored, ['stored', 'in the books']), ...faultsOfSide(received, ['received', 'in the file'])]
}

function faultsOfSide({ lines }: DifferingSide, [place, where]: readonly [string, string]): Fault[] {
  return lines.slice(0, NAMED_MAX_LINES).map(({ position, product, description, amount }) => ({
    path: `${place}/${position}`,
    message: `only ${where}: ${product}, ${description}, ${amount}`,
  }))
}

function unreadable(faults: readonly Fault[]) {
  return invoiceUnreadable('Mend the rows that are named and send the file again. Nothing of it was stored.', faults)
}
