import type { Application } from '../app.ts'
import { syncNow, type SyncSummary } from '../contexts/costs/index.ts'
import { requireProvider } from '../contexts/inventory/index.ts'
import { print, printJson, progress, table } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'
import { withApp } from './with-app.ts'

export async function runSync(options: { json?: true }): Promise<void> {
  const { summary, note } = await withApp(async (app) => ({
    summary: await syncWithProgress(app),
    note: await unclassifiedNote(app),
  }))
  if (options.json) printJson(summary)
  else {
    print(`${summary.resources} resources in the inventory`)
    if (summary.not_listed.length > 0) {
      print(
        table(
          [
            { title: 'kind that was not listed', value: (row) => row.kind },
            { title: 'why', value: (row) => row.reason },
          ],
          summary.not_listed,
        ),
      )
    }
    if (summary.unread.length > 0) {
      print(
        table(
          [
            { title: 'resource that could not be read', value: (row) => `${row.kind} ${row.external_id ?? '?'}` },
            { title: 'why', value: (row) => row.reason },
          ],
          summary.unread,
        ),
      )
    }
    print(`${summary.invoices_new} new bills with ${summary.lines} lines, ${summary.invoices_unchanged} unchanged`)
    if (summary.preview_lines !== null) print(`${summary.preview_lines} lines of the running month's preview`)
    print(`${summary.history_new} new entries in the billing history`)
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
    if (note !== null) print(note)
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
