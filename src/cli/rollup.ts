import { rollup, unbilledNote } from '../contexts/invoicing/index.ts'
import { monthLabel } from '../kernel/period.ts'
import { readPeriodText } from '../platform/wire.ts'
import { print, printJson, progress, table } from './output.ts'
import { withApp } from './with-app.ts'

export async function runRollup(options: {
  period: string
  tenant?: string
  force?: true
  json?: true
}): Promise<void> {
  const period = readPeriodText(options.period)
  const result = await withApp(async ({ edge, config }) => {
    const bar = progress('Invoicing')
    try {
      return await rollup(
        { ...edge, seller: config.seller },
        {
          period,
          force: options.force === true,
          ...(options.tenant !== undefined && { tenant_ids: [options.tenant] }),
          on_progress: ({ done, total }) => bar.update(done, total),
        },
      )
    } finally {
      bar.done()
    }
  })
  if (options.json) printJson(result)
  else {
    print(
      `${monthLabel(period)}: ${result.created} created, ${result.rebuilt} rebuilt, ${result.skipped} skipped, ${result.parked.length} parked`,
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
