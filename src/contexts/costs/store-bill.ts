import { monthLabel, monthOf, type Period } from '../../kernel/period.ts'
import { type ContextTx, insertRows, jsonb } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { type Bill, BILL_CURRENCY, type CostLine, costLines, contentHash, summaryFaults, totalsOf } from './bill.ts'
import { lockBills } from './lock.ts'
import { matchLines } from './match-lines.ts'
import { contentStoredAlready } from './problems.ts'
import { findBillWithContent, loadInvoiceToStore } from './queries.ts'

export type StoreContext = {
  readonly now: Temporal.Instant
  readonly ids: Ids
  /** Runs once for each bill, in the transaction that stores its lines. Never for a preview. */
  readonly onBillIssued: (bill: { provider_invoice_id: string }) => Promise<void>
}

export type StoredBill = { readonly outcome: 'issued' | 'unchanged' | 'differs'; readonly line_count: number }

/**
 * Stores the lines of an announced bill, matched, and with that issues it. A bill that is issued is compared: other
 * content is kept as its `difference`, an alarm, and overwrites nothing. Throws `costs/content-stored-already` when
 * another bill has the same lines.
 */
export async function storeBill(
  tx: ContextTx<'costs'>,
  { provider_invoice_id, bill }: { provider_invoice_id: string; bill: Bill },
  { now, ids, onBillIssued }: StoreContext,
): Promise<StoredBill> {
  await lockBills(tx)
  const invoice = await loadInvoiceToStore(tx, provider_invoice_id)
  const lines = costLines(bill.items, invoice, ids.uuid)
  const header = tx.updateTable('costs.provider_invoice').where('id', '=', provider_invoice_id)
  if (invoice.status === 'issued') {
    const content_hash = contentHash(bill.items)
    const isSame = invoice.content_hash === content_hash
    const difference = { ...totalsOf(lines), content_hash, read_from: bill.read_from, seen_at: now }
    const compared = { compared_at: now, last_error: null }
    await header.set(isSame ? compared : { ...compared, difference: jsonb(difference) }).execute()
    return { outcome: isSame ? 'unchanged' : 'differs', line_count: lines.length }
  }
  await requireNewContent(tx, { provider_invoice_id, provider: invoice.provider, bill })
  await insertRows(tx, 'costs.cost_line', lines)
  const ingested = ingestedColumns(bill, { amount: invoice.amount, lines, now })
  await header.set({ ...ingested, status: 'issued', last_error: null }).execute()
  await matchLines(tx, { provider_invoice_ids: [provider_invoice_id] })
  await onBillIssued({ provider_invoice_id })
  return { outcome: 'issued', line_count: lines.length }
}

/** Not of a bill without lines, which says nothing by which it could be known. */
async function requireNewContent(
  tx: ContextTx<'costs'>,
  { provider_invoice_id, provider, bill }: { provider_invoice_id: string; provider: string; bill: Bill },
): Promise<void> {
  if (bill.items.length === 0) return
  const content = { provider, content_hash: contentHash(bill.items), other_than: provider_invoice_id }
  const other = await findBillWithContent(tx, content)
  if (other === undefined) return
  throw contentStoredAlready(
    `The same lines are issued as ${other.external_id} of ${monthLabel(monthOf(other.period_start))} (id ${other.id}). Check month and number.`,
  )
}

export type Preview = {
  readonly provider: string
  readonly invoice_number: string
  readonly period: Period
  readonly amount: string
}

/** The running month's bill so far, in place of the one before, with all of its lines. */
export async function replacePreview(
  tx: ContextTx<'costs'>,
  { preview, bill }: { preview: Preview; bill: Bill },
  { now, ids }: Pick<StoreContext, 'now' | 'ids'>,
): Promise<number> {
  const { provider, amount, period } = preview
  await lockBills(tx)
  await tx
    .deleteFrom('costs.provider_invoice')
    .where('provider', '=', provider)
    .where('status', '=', 'preview')
    .execute()
  const id = ids.uuid()
  const lines = costLines(bill.items, { id, provider, period }, ids.uuid)
  await tx
    .insertInto('costs.provider_invoice')
    .values({
      ...announcedColumns(preview, now),
      ...ingestedColumns(bill, { amount, lines, now }),
      id,
      external_id: 'preview',
      status: 'preview',
    })
    .execute()
  await insertRows(tx, 'costs.cost_line', lines)
  await matchLines(tx, { provider_invoice_ids: [id] })
  return lines.length
}

/** The columns of an invoice that is only known by its header. */
export function announcedColumns(
  header: Omit<Preview, 'invoice_number'> & { readonly invoice_number: string | null },
  now: Temporal.Instant,
) {
  return {
    provider: header.provider,
    invoice_number: header.invoice_number,
    status: 'announced' as const,
    period_start: header.period.start,
    period_end: header.period.end,
    currency: BILL_CURRENCY,
    amount: header.amount,
    incomplete_readings: 0,
    announced_at: now,
  }
}

function ingestedColumns(
  { items, summary, read_from }: Bill,
  { amount, lines, now }: { amount: string; lines: readonly CostLine[]; now: Temporal.Instant },
) {
  return {
    ...totalsOf(lines),
    ...(summary && { summary: jsonb({ ...summary, faults: summaryFaults(summary, { amount, lines }) }) }),
    read_from,
    content_hash: contentHash(items),
    ingested_at: now,
  }
}
