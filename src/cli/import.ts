import { constants, openAsBlob } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { monthLabel } from '../kernel/period.ts'
import { invalidInput } from '../kernel/problem.ts'
import { fileReason } from '../platform/files.ts'
import { spoolStream } from '../platform/spool.ts'
import { readPeriodText } from '../platform/wire.ts'
import { type Client, withQuery } from './client.ts'
import { watched, withApi } from './connect.ts'
import { type Column, print, printJson, printText, table } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'

type Options = {
  provider?: string
  currency?: string
  serviceCategory?: string
  period?: string
  invoiceNumber?: string
  amount?: string
  preview?: boolean
  json?: true
}
type LocalFile = { readonly path: string; readonly name: string }

/** What the report says of each bill that `POST /billing/provider-invoices/import` answers. */
type Bill = {
  id: string
  outcome: 'created' | 'unchanged'
  external_id: string
  invoice_number: string | null
  period: { start: string; end: string }
  status: string
  currency: string
  amount: string
  gap: string | null
  line_count: number
  matched_lines: number
  allocated_lines: number
  unmatched_lines: number
}

/** The files are the parts of one input: all of it is stored, or nothing. */
export async function runImport(paths: readonly string[], options: Options): Promise<void> {
  const spooled = paths.includes('-') ? await spoolStream(process.stdin) : null
  try {
    const files = await Promise.all(paths.map((path) => findFile(path, path === '-' ? spooled : null)))
    const { bills, note } = await withApi(
      async (api) => ({ bills: await importFiles(api, files, options), note: await unclassifiedNote(api) }),
      { makes_books: true },
    )
    if (options.json) printJson({ ...bills[0], bills })
    else {
      print(table(COLUMNS, bills))
      if (note !== null) printText(note)
    }
  } finally {
    await spooled?.remove()
  }
}

type BillReport = ReturnType<typeof describeBill>

function describeBill(bill: Bill) {
  const { id: provider_invoice_id, outcome, external_id, invoice_number, status, currency, amount, gap } = bill
  const { line_count, matched_lines, allocated_lines, unmatched_lines } = bill
  const month = monthLabel(readPeriodText(bill.period.start))
  const counts = { line_count, matched_lines, allocated_lines, unmatched_lines }
  return { provider_invoice_id, outcome, external_id, invoice_number, month, status, currency, amount, gap, ...counts }
}

const COLUMNS: readonly Column<BillReport>[] = [
  { title: 'bill', value: (bill) => bill.invoice_number ?? bill.external_id },
  { title: 'month', value: (bill) => bill.month },
  { title: 'status', value: (bill) => (bill.outcome === 'created' ? bill.status : `${bill.status}, unchanged`) },
  { title: 'amount', align: 'right', value: (bill) => `${bill.amount} ${bill.currency}` },
  { title: 'lines', align: 'right', value: (bill) => String(bill.line_count) },
  { title: 'matched', align: 'right', value: (bill) => String(bill.matched_lines) },
  { title: 'allocated', align: 'right', value: (bill) => String(bill.allocated_lines) },
  { title: 'unmatched', align: 'right', value: (bill) => String(bill.unmatched_lines) },
  { title: 'check', value: (bill) => (bill.gap === '0' ? 'balanced' : `gap ${bill.gap}`) },
  { title: 'id', value: (bill) => bill.provider_invoice_id },
]

async function findFile(path: string, spooled: { readonly path: string } | null): Promise<LocalFile> {
  const local_path = spooled?.path ?? path
  try {
    await access(local_path, constants.R_OK)
  } catch (error) {
    throw invalidInput(`${path} cannot be read: ${fileReason(error)}.`)
  }
  if ((await stat(local_path)).isDirectory()) throw invalidInput(`${path} is a directory. Name the files in it.`)
  return { path: local_path, name: spooled ? PIPE_NAME : basename(path) }
}

/** A form has no file without a name; this one says neither month nor number. */
const PIPE_NAME = 'standard input'

async function importFiles(api: Client, files: readonly LocalFile[], options: Options): Promise<BillReport[]> {
  const { invoiceNumber: invoice_number, serviceCategory: service_category, preview, json: _json, ...stated } = options
  const query = { ...stated, invoice_number, service_category, preview: preview?.toString() }
  const form = new FormData()
  for (const { path, name } of files) form.append('file', await openAsBlob(path), name)
  const path = withQuery('/billing/provider-invoices/import', query)
  const send = (headers: Record<string, string>) => api.send<{ bills: Bill[] }>(path, form, headers)
  const { bills } = await watched(api, 'Importing', send, { figures: '{percentage} %' })
  return bills.map(describeBill)
}
