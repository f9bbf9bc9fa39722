import { decimal, isDecimalText, plain, sum, ZERO } from '../../kernel/decimal.ts'
import { isCurrency, toMinor } from '../../kernel/money.ts'
import { instantsOf, monthLabel, type Period } from '../../kernel/period.ts'
import { present } from '../../kernel/invariant.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { readPeriodText } from '../../platform/wire.ts'
import { readBillFile } from '../../providers/bill-file.ts'
import { SERVICE_CATEGORIES } from '../../providers/bill-line.ts'
import type { BillDefaults, BillKey, BillRow, CsvFault } from '../../providers/bill-reader.ts'
import { MAX_CSV_FAULTS, NotText } from '../../providers/csv.ts'
import { parseInvoiceFilename } from '../../providers/digitalocean/index.ts'
import { providerOf, serviceCategoryOf } from '../../providers/focus/index.ts'
import { BILL_CURRENCY, type BillHeader } from './bill.ts'
import { compareLines, type DifferingLines, type DifferingSide } from './difference.ts'
import { lockBills } from './lock.ts'
import { invoiceDiffers, invoiceUnreadable, notText, periodDiffers, totalsDiffer } from './problems.ts'
import { findUploadedInvoice, type InvoiceToStore, loadInvoiceToStore } from './bill-queries.ts'
import { isMonthOpen } from './open-month.ts'
import { type ReceivedBill, receiveLines, storeReceived } from './receive-lines.ts'
import { announcedColumns, finishPreview, issueBill, startPreview, type StoreContext } from './store-bill.ts'
import { PROVIDER } from './sync.ts'
import { withdrawBill } from './withdraw-bill.ts'

export type UploadedFile = {
  /** As the provider names its files: may say month and number. */
  readonly name?: string | undefined
  /** The file from its beginning, as often as it is asked for: CSV text in UTF-8, packed with gzip or not. */
  readonly open: () => AsyncIterable<Uint8Array>
}

export type Upload = {
  /** The parts of one input, each with its own header. */
  readonly files: readonly UploadedFile[]
  /** Of the whole upload, where its rows do not say it. What they say must agree. */
  readonly provider?: string | undefined
  /** ISO 4217; as `provider`. */
  readonly currency?: string | undefined
  /** One of FOCUS, for the rows that do not say theirs. */
  readonly service_category?: string | undefined
  /** A month, or a day in it. Where it is missing the file says it, or its name does. */
  readonly period?: string | undefined
  readonly invoice_number?: string | undefined
  /** What all lines together come to, an exact decimal in major units: a row that comes twice shows in it. */
  readonly amount?: string | undefined
  /** Whether the bills are final; without it, those are previews that are not known and whose period is not over. */
  readonly preview?: boolean | undefined
}

export type ImportedBill = { readonly provider_invoice_id: string; readonly outcome: 'created' | 'unchanged' }

/** `actor` sends the files: what they replace is withdrawn in that name. */
export type ImportContext = StoreContext & { readonly actor: string }

/**
 * Stores bills that were downloaded by hand, all of an upload or nothing: one in the provider's own format, or any
 * number in FOCUS. A bill is the same under its printed number however it came; without a number, it is the one of its
 * month. One that is not final is a preview, in place of those of its provider, account and month. Throws `costs/not-text`,
 * `costs/invoice-unreadable` with a fault per cell, `costs/period-differs`, `costs/invoice-differs` when it is issued with
 * other content, with the first lines that differ, `costs/totals-differ` when the provider announced another amount, or
 * another was stated, and `costs/content-stored-already` when another bill of the month has the same lines.
 */
export async function importBills(
  tx: ContextTx<'costs'>,
  upload: Upload,
  context: ImportContext,
): Promise<ImportedBill[]> {
  const stated = readStatement(upload)
  await lockBills(tx)
  const opened = new Map<string, Target>()
  const open = async (key: BillKey | null): Promise<InvoiceToStore> => {
    const header = headerOf(key, stated, opened.size)
    const wanted = { header, preview: upload.preview, others: [...opened.keys()], is_whole_month: key !== null }
    const target = await findTarget(tx, wanted, context)
    opened.set(target.invoice.id, target)
    return target.invoice
  }
  const received = await receiveLines(tx, readFiles(upload.files, stated), { open, ids: context.ids })
  if (received.length === 0) throw unreadable([{ row: 2, column: '*', message: 'expected at least one line' }])
  if (upload.amount !== undefined) requireAmount(upload.amount, received)
  const imported: ImportedBill[] = []
  for (const bill of received) {
    const target = present(opened.get(bill.invoice.id), 'only what was opened is received')
    imported.push(await settleBill(tx, { bill, target }, context))
  }
  return imported
}

/** What is said of an upload beside its lines. */
type Statement = BillDefaults & { readonly invoice_number: string | undefined }

function readStatement({ files, period, invoice_number, provider, ...said }: Upload): Statement {
  const names = files.flatMap(({ name }) => (name === undefined ? [] : (parseInvoiceFilename(name) ?? [])))
  const label = period ?? onlyOne('period', names)
  return {
    provider: readStated('provider', provider, 'the name of a provider such as digitalocean', providerOf),
    currency: readStated('currency', said.currency, 'a currency of ISO 4217 such as AUD', currencyOf),
    service_category: readStated(
      'service_category',
      said.service_category,
      `one of ${SERVICE_CATEGORIES.join(', ')}`,
      serviceCategoryOf,
    ),
    period: label === undefined ? undefined : readPeriodText(label),
    invoice_number: invoice_number ?? onlyOne('invoice_number', names),
  }
}

function readStated<T>(
  path: string,
  text: string | undefined,
  expected: string,
  read: (text: string) => T | undefined,
): T | undefined {
  if (text === undefined) return undefined
  const value = read(text)
  if (value !== undefined) return value
  throw invalidInput('What is said of the file is not valid.', [
    { path, message: `must be ${expected}, found "${text}"` },
  ])
}

function currencyOf(code: string): string | undefined {
  return isCurrency(code) ? code : undefined
}

/** Compared in what can be posted: a bill is printed in whole minor units, and its rows are often finer. */
function requireAmount(stated: string, received: readonly ReceivedBill[]): void {
  if (!isDecimalText(stated)) {
    throw invalidInput('The amount is not valid.', [
      { path: 'amount', message: `must be an exact decimal such as 24.00, found "${stated}"` },
    ])
  }
  const [currency = '', ...others] = new Set(received.map(({ invoice }) => invoice.currency))
  if (others.length > 0) {
    throw invalidInput('The file holds bills in several currencies, which have no one amount.', [
      { path: 'amount', message: `must be left out: the file is in ${[currency, ...others].join(' and ')}` },
    ])
  }
  const total = sum(received.map(({ content }) => decimal(content.lines_amount)))
  if (toMinor(total, currency) === toMinor(decimal(stated), currency)) return
  const difference = total.minus(decimal(stated))
  throw totalsDiffer(
    `The file is said to come to ${stated} ${currency}, and its lines add up to ${plain(total)} ${currency}: ${plain(difference.abs())} too ${difference.gt(ZERO) ? 'much. Look for rows that come twice' : 'little. Look for rows that are missing'}.`,
  )
}

function onlyOne<K extends string>(key: K, names: readonly Record<K, string>[]): string | undefined {
  const [first, ...others] = new Set(names.map((name) => name[key]))
  if (others.length === 0) return first
  throw invalidInput(
    'The names of the files say that they are of several bills. Send the files of one bill at a time.',
    [{ path: key, message: `must be one of: ${[first, ...others].join(', ')}` }],
  )
}

/** In FOCUS the rows say whose they are; what is stated must agree. The provider's own format says nothing. */
function headerOf(key: BillKey | null, stated: Statement, opened_count: number): BillHeader {
  return key === null ? headerOfStatement(stated) : headerOfKey(key, stated, opened_count)
}

function headerOfStatement({
  provider = PROVIDER,
  currency = BILL_CURRENCY,
  service_category,
  period,
  invoice_number,
}: Statement): BillHeader {
  if (provider !== PROVIDER) {
    throw invalidInput(
      `The file is an invoice of ${PROVIDER} in its own format, and is said to be of ${provider}. The own bills of ${provider} cannot be read: send them in FOCUS.`,
      [{ path: 'provider', message: `must be ${PROVIDER} for a file in this format` }],
    )
  }
  if (currency !== BILL_CURRENCY) {
    throw invalidInput(`${PROVIDER} bills in ${BILL_CURRENCY}.`, [
      { path: 'currency', message: `must be ${BILL_CURRENCY} for a file in this format` },
    ])
  }
  if (service_category !== undefined) {
    throw invalidInput('The products of this file say their categories themselves.', [
      { path: 'service_category', message: 'must be left out for a file in this format' },
    ])
  }
  if (period === undefined) {
    throw invalidInput('The month of the bill is not known.', [
      { path: 'period', message: 'must be a month such as 2026-04, or the filename must be as the provider gave it' },
    ])
  }
  return {
    provider,
    billing_account: null,
    invoice_number: invoice_number ?? null,
    number_is_stated: false,
    period,
    currency,
    issuer_name: null,
  }
}

function headerOfKey(key: BillKey, stated: Statement, opened_count: number): BillHeader {
  const { provider, billing_account, billing_period, currency, issuer_name } = key
  if (stated.provider !== undefined && stated.provider !== provider) {
    throw invalidInput(`The file holds a bill of ${provider}.`, [{ path: 'provider', message: `must be ${provider}` }])
  }
  if (stated.period !== undefined && !stated.period.start.equals(billing_period.start)) {
    throw periodDiffers(
      `The file holds a bill of ${monthLabel(billing_period)}. Leave the month out: the file says it.`,
    )
  }
  if (stated.currency !== undefined && stated.currency !== currency) {
    throw invalidInput(`The file holds a bill in ${currency}.`, [{ path: 'currency', message: `must be ${currency}` }])
  }
  const invoice_number = key.invoice_number ?? stated.invoice_number ?? null
  if (stated.invoice_number !== undefined && (invoice_number !== stated.invoice_number || opened_count > 0)) {
    throw invalidInput('The number is not that of all lines of the file.', [
      { path: 'invoice_number', message: 'must be left out: the file holds other bills, too' },
    ])
  }
  const number_is_stated = key.invoice_number !== null
  return { provider, billing_account, invoice_number, number_is_stated, period: billing_period, currency, issuer_name }
}

/**
 * What the lines of a bill go into. `provisional`: they are compared with the bill that is issued, and stand in its place
 * where they differ.
 */
type Target = {
  readonly header: BillHeader
  readonly invoice: InvoiceToStore
  readonly is: 'known' | 'new' | 'preview' | 'provisional'
}

type Wanted = {
  readonly header: BillHeader
  readonly preview: boolean | undefined
  /** Bills of the same upload. */
  readonly others: readonly string[]
  /** The file says of each of its months what it is in all. */
  readonly is_whole_month: boolean
}

/**
 * A bill that is final is only compared, whatever is said of it; one that is not is replaced as soon as its final form
 * comes. Throws `costs/period-differs`.
 */
async function findTarget(
  tx: ContextTx<'costs'>,
  { header, preview, others, is_whole_month }: Wanted,
  context: ImportContext,
): Promise<Target> {
  const known_id = await findUploadedInvoice(tx, header, others)
  const known = known_id === undefined ? undefined : await loadInvoiceToStore(tx, known_id)
  if (known && !known.period.start.equals(header.period.start)) {
    throw periodDiffers(
      `The bill ${header.invoice_number} is stored as that of ${monthLabel(known.period)}, and said to be of ${monthLabel(header.period)}. Check month and number.`,
    )
  }
  const is_replaceable =
    known?.is_provisional === true && is_whole_month && preview !== true && (await isMonthOpen(tx, known.period.start))
  if (known && is_replaceable) {
    if (header.invoice_number === null) return { header, invoice: known, is: 'provisional' }
    return { header, invoice: await replaceBill(tx, { known, header }, context), is: 'new' }
  }
  if (known?.status === 'issued') return { header, invoice: known, is: 'known' }
  if (preview ?? (known === undefined && isRunning(header.period, context.now))) {
    const external_id = joined(['preview', ...partsOf(header)])
    const id = await startPreview(tx, { preview: { header, external_id }, others }, context)
    return { header, invoice: await loadInvoiceToStore(tx, id), is: 'preview' }
  }
  if (known) return { header, invoice: known, is: 'known' }
  return { header, invoice: await announceUpload(tx, { id: context.ids.uuid(), header }, context), is: 'new' }
}

/** A bill without lines in the place of one that was not final. */
async function replaceBill(
  tx: ContextTx<'costs'>,
  { known, header }: { known: InvoiceToStore; header: BillHeader },
  context: ImportContext,
): Promise<InvoiceToStore> {
  const id = context.ids.uuid()
  const final = header.invoice_number === null ? 'a later version of its month' : `the bill ${header.invoice_number}`
  const withdrawal = { provider_invoice_id: known.id, reason: `replaced by ${final}`, replaced_by: id }
  await withdrawBill(tx, withdrawal, context)
  return announceUpload(tx, { id, header }, context)
}

function isRunning(period: Period, now: Temporal.Instant): boolean {
  return Temporal.Instant.compare(now, instantsOf(period, 'UTC').end) < 0
}

async function announceUpload(
  tx: ContextTx<'costs'>,
  { id, header }: { id: string; header: BillHeader },
  { now }: ImportContext,
): Promise<InvoiceToStore> {
  const external_id = await freeExternalId(tx, header)
  // The amount is known when all lines are.
  const row = { ...announcedColumns(header, { amount: '0', now }), id, external_id }
  await insertRows(tx, 'costs.provider_invoice', [row])
  return loadInvoiceToStore(tx, id)
}

/**
 * The printed number stands in for the id that a file does not carry, or the month and the account. Of bills that share
 * it, all but the first are called by everything that tells them apart.
 */
async function freeExternalId(tx: ContextTx<'costs'>, header: BillHeader): Promise<string> {
  const { provider, invoice_number, period, billing_account } = header
  const external_id = invoice_number ?? joined([monthLabel(period), billing_account])
  const taken = await tx
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where('provider', '=', provider)
    .where('external_id', '=', external_id)
    .where('status', '<>', 'withdrawn')
    .executeTakeFirst()
  return taken === undefined ? external_id : joined(partsOf(header))
}

function partsOf({ invoice_number, period, billing_account, currency, issuer_name }: BillHeader): (string | null)[] {
  return [invoice_number, period.start.toString(), billing_account, currency, issuer_name]
}

function joined(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null).join('/')
}

/** Rows until the first fault; then the other faults are looked for, and nothing is stored. */
async function* readFiles(files: readonly UploadedFile[], defaults: BillDefaults): AsyncGenerator<readonly BillRow[]> {
  const faults: CsvFault[] = []
  for (const file of files) {
    for await (const part of readText(file, defaults)) {
      const place = files.length > 1 && file.name !== undefined ? `${file.name}: ` : ''
      faults.push(...part.faults.map((fault) => ({ ...fault, message: `${place}${fault.message}` })))
      if (faults.length >= MAX_CSV_FAULTS) throw unreadable(faults.slice(0, MAX_CSV_FAULTS))
      if (faults.length === 0) yield part.rows
    }
  }
  if (faults.length > 0) throw unreadable(faults)
}

/** Strictly: a character that was replaced would be in an issued bill for good. */
async function* readText(file: UploadedFile, defaults: BillDefaults): ReturnType<typeof readBillFile> {
  try {
    yield* readBillFile(file.open(), defaults)
  } catch (error) {
    if (!(error instanceof NotText)) throw error
    throw notText(
      `${file.name ?? 'The file'} ${error.message}. Save it as CSV in UTF-8: in FOCUS, or as DigitalOcean gives its invoices.`,
    )
  }
}

async function settleBill(
  tx: ContextTx<'costs'>,
  { bill, target }: { bill: ReceivedBill; target: Target },
  context: ImportContext,
): Promise<ImportedBill> {
  const { invoice, content, other_months } = bill
  if (other_months.length > 0) {
    throw periodDiffers(
      `No line is charged for ${monthLabel(invoice.period)}; they are of ${other_months.join(', ')}. State the month of the bill.`,
    )
  }
  if (invoice.status === 'issued') return settleIssued(tx, { bill, target }, context)
  const reading = { summary: null, read_from: 'upload' as const }
  const amount = content.lines_amount
  const created = { provider_invoice_id: invoice.id, outcome: 'created' as const }
  if (target.is === 'preview') {
    await finishPreview(tx, { id: invoice.id, content, bill: reading, amount }, context)
    return created
  }
  if (target.is === 'known' && !decimal(invoice.amount).eq(decimal(amount))) {
    throw totalsDiffer(
      `The provider announced ${plain(decimal(invoice.amount))}, the lines of the file add up to ${amount}. Check that it is the file of this invoice, and whole.`,
    )
  }
  await issueBill(tx, { received: bill, bill: reading, amount }, context)
  return created
}

/** What was received is what is issued, or stands in its place, or is refused. */
async function settleIssued(
  tx: ContextTx<'costs'>,
  { bill: { invoice, content, other_months }, target: { header, is } }: { bill: ReceivedBill; target: Target },
  context: ImportContext,
): Promise<ImportedBill> {
  const unchanged = { provider_invoice_id: invoice.id, outcome: 'unchanged' as const }
  if (invoice.content_hash === content.content_hash) return unchanged
  const lines = await compareLines(tx, invoice.id)
  if (lines.stored.count + lines.received.count === 0) return unchanged
  if (is !== 'provisional') throw differs({ invoice, content, lines })
  const replacement = await replaceBill(tx, { known: invoice, header }, context)
  await storeReceived(tx, { from: invoice.id, to: replacement.id, line_count: content.line_count })
  const received = { invoice: replacement, content, other_months }
  await issueBill(tx, { received, bill: { summary: null, read_from: 'upload' }, amount: content.lines_amount }, context)
  return { provider_invoice_id: replacement.id, outcome: 'created' }
}

function differs({ invoice, content, lines }: Pick<ReceivedBill, 'invoice' | 'content'> & { lines: DifferingLines }) {
  const { id, period, amount } = invoice
  return invoiceDiffers(
    `The bill of ${monthLabel(period)} is issued over ${plain(decimal(amount))} and the file holds ${content.lines_amount}: ${lines.stored.count} lines are only in the books, ${lines.received.count} only in the file. Nothing was stored, and no alarm is kept of an upload: \`errors\` names the first ${NAMED_MAX_LINES} lines of each side. Where the books are wrong and the bill was uploaded, POST /billing/provider-invoices/${id}/withdraw with a reason, and send the file again.`,
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
