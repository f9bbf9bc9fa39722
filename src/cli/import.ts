import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Application } from '../app.ts'
import { type ImportedBill, importBills, type Upload } from '../contexts/costs/index.ts'
import { messageOf } from '../kernel/invariant.ts'
import { invalidInput } from '../kernel/problem.ts'
import { spoolStream } from '../platform/spool.ts'
import { print, printJson, type Progress, progress } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'
import { withApp } from './with-app.ts'

type Options = { provider?: string; period?: string; invoiceNumber?: string; json?: true }
type LocalFile = { readonly path: string; readonly name: string | undefined; readonly size_bytes: number }

const READ_CHUNK_BYTES = 256 * 1024
const MEBIBYTE_BYTES = 1024 * 1024

/** The files are the parts of one input: all of it is stored, or nothing. */
export async function runImport(paths: readonly string[], options: Options): Promise<void> {
  const spooled = paths.includes('-') ? await spoolStream(process.stdin) : null
  try {
    const files = await Promise.all(paths.map((path) => findFile(path, path === '-' ? spooled : null)))
    const { bills, note } = await withApp(async (app) => ({
      bills: await importFiles(app, files, options),
      note: await unclassifiedNote(app),
    }))
    if (options.json) printJson({ ...bills[0], bills })
    else {
      for (const bill of bills) print(describeBill(bill))
      if (note !== null) print(note)
    }
  } finally {
    await spooled?.remove()
  }
}

function describeBill({ provider_invoice_id, outcome }: ImportedBill): string {
  return outcome === 'created'
    ? `Stored as ${provider_invoice_id}.`
    : `Unchanged: stored already as ${provider_invoice_id}.`
}

async function findFile(path: string, spooled: { readonly path: string } | null): Promise<LocalFile> {
  const local_path = spooled?.path ?? path
  try {
    await access(local_path, constants.R_OK)
    const { size } = await stat(local_path)
    return { path: local_path, name: spooled ? undefined : basename(path), size_bytes: size }
  } catch (error) {
    throw invalidInput(`${path} cannot be read: ${messageOf(error)}`)
  }
}

async function importFiles(
  { edge, costs }: Application,
  files: readonly LocalFile[],
  { provider, period, invoiceNumber }: Options,
): Promise<ImportedBill[]> {
  const bar = progress('MiB')
  try {
    return await edge.db.transaction((tx) => {
      const upload: Upload = { files: openFiles(files, bar), provider, period, invoice_number: invoiceNumber }
      const onBillIssued = (bill: { provider_invoice_id: string }) => costs.onBillIssued(tx, bill)
      return importBills(tx, upload, { now: edge.clock.now(), ids: edge.ids, onBillIssued })
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
