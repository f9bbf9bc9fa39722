import { messageOf } from '../../kernel/invariant.ts'
import type { Edge } from '../../platform/edge.ts'
import { type DigitalOcean, PREVIEW } from '../../providers/digitalocean/index.ts'
import { syncInventory } from '../inventory/index.ts'
import { matchLines } from './match-lines.ts'
import { findProviderInvoice } from './bill-queries.ts'
import { type BillIssued, ingestInvoice, readBillingHistory, readPreview, type Sync, takeBalance } from './sync.ts'

export type SyncStep = 'inventory' | 'balance' | 'history' | 'invoices' | 'preview'
export type SyncProgress = { readonly step: SyncStep; readonly done: number; readonly total: number }

export type SyncSummary = {
  resources: number
  /** Kinds that the token may not list: their resources stay as they were. */
  not_listed: { kind: string; reason: string }[]
  /** Objects that could not be read: they stay as they were. */
  unread: { kind: string; external_id: string | null; reason: string }[]
  invoices_new: number
  invoices_unchanged: number
  /** Lines stored now. */
  lines: number
  /** Lines of the running month's bill; null while the provider has none. */
  preview_lines: number | null
  /** Entries of the billing history that were not known. */
  history_new: number
  failed: { external_id: string; detail: string }[]
}

/**
 * Inventory, balance, history, every invoice that is due and the running month's bill, in this process. A bill that
 * fails is listed and spoils no other; any other failure is thrown as a Problem.
 */
export async function syncNow(
  deps: { readonly edge: Edge; readonly provider: DigitalOcean; readonly onBillIssued: BillIssued },
  on_progress: (progress: SyncProgress) => void = () => {},
): Promise<SyncSummary> {
  const { edge, provider, onBillIssued } = deps
  const sync: Sync = { edge, provider, transact: edge.db.transaction }
  const { listed, not_listed, unread } = await syncInventory({
    ...sync,
    clock: edge.clock,
    ids: edge.ids,
    onInventoryChanged: matchLines,
  })
  on_progress({ step: 'inventory', done: 1, total: 1 })
  await takeBalance(sync)
  on_progress({ step: 'balance', done: 1, total: 1 })
  const { due, clashing, new_count, unchanged_count, new_entries } = await readBillingHistory(sync, async () => {})
  on_progress({ step: 'history', done: 1, total: 1 })
  const summary: SyncSummary = {
    resources: listed,
    not_listed: not_listed.map(({ kind, reason, scope }) => ({ kind, reason: `${reason}; needs ${scope}` })),
    unread: [...unread],
    invoices_new: new_count,
    invoices_unchanged: unchanged_count,
    lines: 0,
    preview_lines: null,
    history_new: new_entries,
    failed: [],
  }
  for (const [index, provider_invoice_id] of due.entries()) {
    on_progress({ step: 'invoices', done: index, total: due.length })
    await ingestInto(summary, sync, { provider_invoice_id, onBillIssued })
  }
  for (const id of clashing)
    await failInvoice(summary, sync, { id, detail: 'the provider gives its number to another' })
  on_progress({ step: 'invoices', done: due.length, total: due.length })
  await readPreviewInto(summary, sync)
  on_progress({ step: 'preview', done: 1, total: 1 })
  return summary
}

async function readPreviewInto(summary: SyncSummary, sync: Sync): Promise<void> {
  try {
    summary.preview_lines = await readPreview(sync)
  } catch (error) {
    summary.failed.push({ external_id: PREVIEW, detail: messageOf(error) })
  }
}

async function ingestInto(
  summary: SyncSummary,
  sync: Sync,
  invoice: { provider_invoice_id: string; onBillIssued: BillIssued },
): Promise<void> {
  const { provider_invoice_id: id } = invoice
  try {
    const stored = await ingestInvoice(sync, invoice)
    if (stored?.outcome === 'issued') summary.lines += stored.line_count
    if (stored?.outcome === 'unchanged') summary.invoices_unchanged += 1
    if (stored?.outcome === 'differs')
      await failInvoice(summary, sync, { id, detail: 'the provider sends other content than what is issued' })
  } catch (error) {
    await failInvoice(summary, sync, { id, detail: messageOf(error) })
  }
}

async function failInvoice(
  summary: SyncSummary,
  { edge }: Sync,
  { id, detail }: { id: string; detail: string },
): Promise<void> {
  const row = await findProviderInvoice(edge.db.read, id)
  summary.failed.push({ external_id: row?.external_id ?? id, detail })
}
