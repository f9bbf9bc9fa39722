import { monthLabel } from '../kernel/period.ts'
import { readPeriodText } from '../platform/wire.ts'
import { watched, withApi } from './connect.ts'
import { type Column, print, printJson, table, wrapText } from './output.ts'

/** As `POST /invoices/rollup` answers. */
export type Rollup = {
  created: number
  rebuilt: number
  skipped: number
  parked: { tenant_id: string; code: string; detail: string }[]
  unbilled: readonly { kind: string }[]
}

export async function runRollup(options: {
  period: string
  tenant?: string
  force?: true
  json?: true
}): Promise<void> {
  const period = monthLabel(readPeriodText(options.period))
  const body = { period, force: options.force === true, tenant_id: options.tenant }
  const result = await withApi((api) =>
    watched(api, 'Invoicing', (headers) => api.post<Rollup>('/invoices/rollup', body, headers)),
  )
  if (options.json) printJson(result)
  else print(textOf(period, result))
  if (result.parked.length > 0) process.exitCode = 1
}

export function textOf(period: string, { created, rebuilt, skipped, parked, unbilled }: Rollup): string {
  const counts = `${period}: ${created} created, ${rebuilt} rebuilt, ${skipped} skipped, ${parked.length} parked`
  const kinds = [...Map.groupBy(unbilled, ({ kind }) => kind)].map(([kind, entries]) => `${entries.length} ${kind}`)
  const note = `Not billed: ${kinds.join(', ')}. GET /invoices/unbilled lists them.`
  const parts = [counts, ...(kinds.length === 0 ? [] : [note])].map((line) => wrapText(line))
  if (parked.length === 0) return parts.join('\n')
  const columns: Column<Rollup['parked'][number]>[] = [
    { title: 'parked tenant', value: (row) => row.tenant_id },
    { title: 'code', value: (row) => row.code },
    { title: 'detail', value: (row) => row.detail },
  ]
  return [...parts, table(columns, parked)].join('\n')
}
