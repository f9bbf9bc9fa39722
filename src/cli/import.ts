import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { messageOf } from '../kernel/invariant.ts'
import { importCsv } from '../contexts/costs/index.ts'
import { invalidInput } from '../kernel/problem.ts'
import { print, printJson } from './output.ts'
import { withApp } from './with-app.ts'

type Options = { provider: string; period?: string; invoiceNumber?: string; json?: true }

export async function runImport(file: string, options: Options): Promise<void> {
  const csv = await readCsv(file)
  const upload = {
    csv,
    provider: options.provider,
    period: options.period,
    invoice_number: options.invoiceNumber,
    filename: file === '-' ? undefined : basename(file),
  }
  const stored = await withApp(({ edge, costs }) =>
    edge.db.transaction((tx) =>
      importCsv(tx, upload, {
        now: edge.clock.now(),
        ids: edge.ids,
        onBillIssued: (bill) => costs.onBillIssued(tx, bill),
      }),
    ),
  )
  if (options.json) printJson(stored)
  else
    print(
      stored.outcome === 'created'
        ? `Stored as ${stored.provider_invoice_id}.`
        : `Unchanged: stored already as ${stored.provider_invoice_id}.`,
    )
}

async function readCsv(file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin)
  try {
    return await readFile(file)
  } catch (error) {
    throw invalidInput(`${file} cannot be read: ${messageOf(error)}`)
  }
}
