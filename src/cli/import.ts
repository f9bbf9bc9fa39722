import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Application } from '../app.ts'
import {
  findProviderInvoices,
  type ImportedBill,
  importBills,
  type ProviderInvoiceRow,
  type Upload,
} from '../contexts/costs/index.ts'
import { present } from '../kernel/invariant.ts'
import { monthLabel } from '../kernel/period.ts'
import { invalidInput } from '../kernel/problem.ts'
import { fileReason } from '../platform/files.ts'
import { READ_CHUNK_BYTES, spoolStream } from '../platform/spool.ts'
import { type Column, print, printJson, type Progress, progress, table } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'
import { withApp } from './with-app.ts'

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
type LocalFile = { readonly path: string; readonly name: string | undefined; readonly size_bytes: number }

/** Who a command acts for: nobody signs in to it. */
const ACTOR = 'arcadia-cli'

const MEBIBYTE_BYTES = 1024 * 1024

/** The files are the parts of one input: all of it is stored, or nothing. */
export async function runImport(paths: readonly string[], options: Options): Promise<void> {
  const spooled = paths.includes('-') ? await spoolStream(process.stdin) : null
  try {
    const files = await Promise.all(paths.map((path) => findFile(path, path === '-' ? spooled : null)))
    const { bills, note } = await withApp(async (app) => ({
      bills: await describeBills(app, await importFiles(app, files, options)),
      note: await unclassifiedNote(app),
    }))
    if (options.json) printJson({ ...bills[0], bills })
    else {
      print(table(COLUMNS, bills))
      if (note !== null) print(note)
    }
  } finally {
    await spooled?.remove()
  }
}

type BillReport = ReturnType<typeof describeBill>

async function describeBills({ edge }: Application, imported: readonly ImportedBill[]): Promise<BillReport[]> {
  const ids = imported.map(({ provider_invoice_id }) => provider_invoice_id)
  const rows = await findProviderInvoices(edge.db.read, ids)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return imported.map((bill) => describeBill(bill, present(byId.get(bill.provider_invoice_id), 'it was just stored')))
}

function describeBill(bill: ImportedBill, row: ProviderInvoiceRow) {
  const { external_id, invoice_number, status, currency, amount, gap, line_count } = row
  const { matched_lines, allocated_lines, unmatched_lines } = row
  const month = monthLabel({ start: row.period_start, end: row.period_end })
  const matches = { matched_lines, allocated_lines, unmatched_lines }
  return { ...bill, external_id, invoice_number, month, status, currency, amount, gap, line_count, ...matches }
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
  const found = await stat(local_path)
  if (found.isDirectory()) throw invalidInput(`${path} is a directory. Name the files in it.`)
  return { path: local_path, name: spooled ? undefined : basename(path), size_bytes: found.size }
}

async function importFiles(
  { edge, costs }: Application,
  files: readonly LocalFile[],
  { invoiceNumber, serviceCategory, json: _json, ...stated }: Options,
): Promise<ImportedBill[]> {
  const bar = progress('MiB')
  try {
    return await edge.db.transaction((tx) => {
      const spelled = { invoice_number: invoiceNumber, service_category: serviceCategory }
      const upload: Upload = { ...stated, ...spelled, files: openFiles(files, bar) }
      const onBillIssued = (bill: { provider_invoice_id: string }) => costs.onBillIssued(tx, bill)
      return importBills(tx, upload, { now: edge.clock.now(), ids: edge.ids, actor: ACTOR, onBillIssued })
    })
  } finally {
    bar.done()
  }
}

function openFiles(files: readonly LocalFile[], bar: Progress): Upload['files'] {
  const total_bytes = files.reduce((total, { size_bytes }) => total + size_bytes, 0)
  let read_bytes = 0
  return files.map(({ path, name }) => ({
    name,
    open: async function* () {
      for await (const chunk of createReadStream(path, { highWaterMark: READ_CHUNK_BYTES })) {
        read_bytes += chunk.length
        bar.update(Math.floor(read_bytes / MEBIBYTE_BYTES), Math.ceil(total_bytes / MEBIBYTE_BYTES))
        yield chunk
      }
    },
  }))
}
