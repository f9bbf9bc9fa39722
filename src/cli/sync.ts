import { type Client, withQuery } from './client.ts'
import { watched, withApi } from './connect.ts'
import { print, printJson, printText, table } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'

/** As `POST /billing/sync?wait=true` answers. */
type Synced = {
  resources: number
  not_listed: { kind: string; reason: string }[]
  unread: { kind: string; external_id: string | null; reason: string }[]
  invoices_new: number
  invoices_unchanged: number
  lines: number
  preview_lines: number | null
  history_new: number
  failed: { external_id: string; detail: string }[]
}

export async function runSync(options: { json?: true }): Promise<void> {
  const { summary, note } = await withApi(
    async (api) => ({ summary: await sync(api), note: await unclassifiedNote(api) }),
    { makes_books: true },
  )
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
    printText(`${summary.invoices_new} new bills with ${summary.lines} lines, ${summary.invoices_unchanged} unchanged`)
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
    if (note !== null) printText(note)
  }
  if (summary.failed.length > 0) process.exitCode = 1
}

/** Inventory, balance and every bill that is due, with a bar on a terminal. */
export async function sync(api: Client): Promise<Synced> {
  const path = withQuery('/billing/sync', { wait: 'true' })
  return watched(api, 'Reading bills', (headers) => api.post<Synced>(path, {}, headers))
}
