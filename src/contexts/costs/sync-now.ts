import { messageOf } from '../../kernel/invariant.ts'
import type { Edge } from '../../platform/edge.ts'
import type { DigitalOcean } from '../../providers/digitalocean/index.ts'
import { syncInventory } from '../inventory/index.ts'
import { matchLines } from './match-lines.ts'
import { findProviderInvoice } from './queries.ts'
import { type BillIssued, ingestInvoice, readBillingHistory, type Sync, takeBalance } from './sync.ts'

export type SyncStep = 'inventory' | 'balance' | 'history' | 'invoices'
export type SyncProgress = { readonly step: SyncStep; readonly done: number; readonly total: number }

export type SyncSummary = {
  resources: number
  invoices_new: number
  invoices_unchanged: number
  /** Lines stored now. */
  lines: number
  failed: { external_id: string; detail: string }[]
}

/**
 * Inventory, balance, history and every invoice that is due, in this process. An invoice that fails is listed and
 * spoils no other; any other failure is thrown as a Problem.
 */
export async function syncNow(
  deps: { readonly edge: Edge; readonly provider: DigitalOcean; readonly onBillIssued: BillIssued },
  on_progress: (progress: SyncProgress) => void = () => {},
): Promise<SyncSummary> {
  const { edge, provider, onBillIssued } = deps
  const sync: Sync = { edge, provider, transact: edge.db.transaction }
  const { listed } = await syncInventory({
    ...sync,
    clock: edge.clock,
    ids: edge.ids,
    onInventoryChanged: matchLines,
  })
  on_progress({ step: 'inventory', done: 1, total: 1 })
  await takeBalance(sync)
  on_progress({ step: 'balance', done: 1, total: 1 })
  const { due, new_count, unchanged_count } = await readBillingHistory(sync, async () => {})
  on_progress({ step: 'history', done: 1, total: 1 })
  const summary: SyncSummary = {
    resources: listed,
    invoices_new: new_count,
    invoices_unchanged: unchanged_count,
    lines: 0,
    failed: [],
  }
  for (const [index, provider_invoice_id] of due.entries()) {
    on_progress({ step: 'invoices', done: index, total: due.length })
    await ingestInto(summary, sync, { provider_invoice_id, onBillIssued })
  }
  on_progress({ step: 'invoices', done: due.length, total: due.length })
  return summary
}

async function ingestInto(
  summary: SyncSummary,
  sync: Sync,
  invoice: { provider_invoice_id: string; onBillIssued: BillIssued },
): Promise<void> {
  const fail = async (detail: string): Promise<void> => {
    const row = await findProviderInvoice(sync.edge.db.read, invoice.provider_invoice_id)
    summary.failed.push({ external_id: row?.external_id ?? invoice.provider_invoice_id, detail })
  }
  try {
    const stored = await ingestInvoice(sync, invoice)
    if (stored?.outcome === 'issued') summary.lines += stored.line_count
    if (stored?.outcome === 'unchanged') summary.invoices_unchanged += 1
    if (stored?.outcome === 'differs') await fail('the provider sends other content than what is issued')
  } catch (error) {
    await fail(messageOf(error))
  }
}
