import { open, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { monthLabel } from '../kernel/period.ts'
import { invalidInput } from '../kernel/problem.ts'
import { fileReason } from '../platform/files.ts'
import { readPeriodText } from '../platform/wire.ts'
import { withQuery } from './client.ts'
import { withApi } from './connect.ts'

type Options = { period: string; tenant?: string; preview?: true; output?: string }

/** Writes a month in FOCUS, the one format there is, to a file or to standard output. */
export async function runExport(_format: string, options: Options): Promise<void> {
  const { tenant: tenant_id, preview = false, output } = options
  const period = monthLabel(readPeriodText(options.period))
  if (tenant_id !== undefined && preview) {
    throw invalidInput('--preview is for the cost of the operator: the invoices of a tenant are exported once issued.')
  }
  await withApi(async (api) => {
    const query = { period, tenant_id, ...(preview && { preview: 'true' }) }
    const file = await api.download(withQuery('/exports/focus', query))
    if (output === undefined) await pipeline(file, process.stdout, { end: false })
    else await writeWhole(file, output)
  })
}

/** Under another name until it is whole, so that nobody takes a part for the month. */
async function writeWhole(file: Readable, output: string): Promise<void> {
  const partial = `${output}.partial`
  const target = await open(partial, 'w').catch((error: unknown) => {
    throw invalidInput(`${output} cannot be written: ${fileReason(error)}.`)
  })
  try {
    await pipeline(file, target.createWriteStream())
    await rename(partial, output)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
