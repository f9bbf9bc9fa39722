import { unbilledNote } from '../contexts/invoicing/index.ts'
import { monthLabel } from '../kernel/period.ts'
import { readPeriodText } from '../platform/wire.ts'
import { watched, withApi } from './connect.ts'
import { print, printJson, table } from './output.ts'

/** As `POST /invoices/rollup` answers. */
type Rollup = {
  created: number
  rebuilt: number
  skipped: number
  parked: { tenant_id: string; code: string; detail: string }[]
  unbilled: Parameters<typeof unbilledNote>[0]
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
  else {
    print(
      `${period}: ${result.created} created, ${result.rebuilt} rebuilt, ${result.skipped} skipped, ${result.parked.length} parked`,
    )
    const unbilled = unbilledNote(result.unbilled)
    if (unbilled !== null) print(`Not billed: ${unbilled}. GET /invoices/unbilled lists them.`)
    if (result.parked.length > 0) {
      print(
        table(
          [
            { title: 'parked tenant', value: (row) => row.tenant_id },
            { title: 'code', value: (row) => row.code },
            { title: 'detail', value: (row) => row.detail },
          ],
          result.parked,
        ),
      )
    }
  }
  if (result.parked.length > 0) process.exitCode = 1
}
