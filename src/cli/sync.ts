import type { Application } from '../app.ts'
import { syncNow, type SyncSummary } from '../contexts/costs/index.ts'
import { requireProvider } from '../contexts/inventory/index.ts'
import { print, printJson, progress, table } from './output.ts'
import { withApp } from './with-app.ts'

export async function runSync(options: { json?: true }): Promise<void> {
  const summary = await withApp(syncWithProgress)
  if (options.json) printJson(summary)
  else {
    print(`${summary.resources} resources in the inventory`)
    print(`${summary.invoices_new} new bills with ${summary.lines} lines, ${summary.invoices_unchanged} unchanged`)
    if (summary.failed.length > 0) {
      print(
        table(
          [
            { title: 'bill that could not be read', value: (row) => row.external_id },
            { title: 'why', value: (row) => row.detail },
          ],
          summary.failed,
        ),
      )
    }
  }
  if (summary.failed.length > 0) process.exitCode = 1
}

/** Inventory, balance and every bill that is due, with a bar on a terminal. */
export async function syncWithProgress({ edge, costs }: Application): Promise<SyncSummary> {
  const { onBillIssued } = costs
  const provider = requireProvider(costs.provider)
  const bar = progress('Reading bills')
  try {
    return await syncNow({ edge, provider, onBillIssued }, ({ step, done, total }) => {
      if (step === 'invoices' && total > 0) bar.update(done, total)
    })
  } finally {
    bar.done()
  }
}
