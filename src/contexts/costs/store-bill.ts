import { monthLabel, monthOf, type Period } from '../../kernel/period.ts'
import { type ContextTx, jsonb } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { type Bill, contentOf } from './bill.ts'
import { compareLines } from './difference.ts'
import { lockBills } from './lock.ts'
import { contentStoredAlready } from './problems.ts'
import { findBillWithContent, loadInvoiceToStore } from './queries.ts'
import { type ReceivedBill, receiveLines, rowsOf } from './receive-lines.ts'

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
  context: StoreContext,
): Promise<StoredBill> {
  await lockBills(tx)
  const invoice = await loadInvoiceToStore(tx, provider_invoice_id)
  const { ids } = context
  const [received = { invoice, content: contentOf(bill.lines), other_months: [] }] = await receiveLines(
    tx,
    rowsOf(bill.lines),
    { open: async () => invoice, ids },
  )
  const { line_count } = received.content
  if (invoice.status === 'issued') {
    return { outcome: await compareBill(tx, { received, bill }, context), line_count }
  }
  await issueBill(tx, { received, bill, amount: invoice.amount }, context)
  return { outcome: 'issued', line_count }
}

/** The lines of a bill are in the books: from now on it does not change. */
export async function issueBill(
  tx: ContextTx<'costs'>,
  {
    received: { invoice, content },
    bill,
    amount,
  }: { received: ReceivedBill; bill: Omit<Bill, 'lines'>; amount: string },
  { now, onBillIssued }: StoreContext,
): Promise<void> {
  await requireNewContent(tx, { invoice, content })
  await tx
    .updateTable('costs.provider_invoice')
    .set({ ...content, ...readingColumns(bill, now), amount, status: 'issued', last_error: null })
    .where('id', '=', invoice.id)
    .execute()
  await onBillIssued({ provider_invoice_id: invoice.id })
}

async function compareBill(
  tx: ContextTx<'costs'>,
  { received: { invoice, content }, bill }: { received: ReceivedBill; bill: Bill },
  { now }: StoreContext,
): Promise<'unchanged' | 'differs'> {
  const header = tx.updateTable('costs.provider_invoice').where('id', '=', invoice.id)
  const compared = { compared_at: now, last_error: null }
  const lines = invoice.content_hash === content.content_hash ? null : await compareLines(tx, invoice.id)
  if (lines === null || lines.stored.count + lines.received.count === 0) {
    await header.set(compared).execute()
    return 'unchanged'
  }
  const difference = { ...content, read_from: bill.read_from, seen_at: now }
  await header.set({ ...compared, difference: jsonb(difference), differing_lines: jsonb(lines) }).execute()
  return 'differs'
}

/** Not of a bill without lines, which says nothing by which it could be known. */
async function requireNewContent(
  tx: ContextTx<'costs'>,
  { invoice: { id, provider }, content: { content_hash, line_count } }: Pick<ReceivedBill, 'invoice' | 'content'>,
): Promise<void> {
  if (line_count === 0) return
  const other = await findBillWithContent(tx, { provider, content_hash, other_than: id })
  if (other === undefined) return
  throw contentStoredAlready(
    `The same lines are issued as ${other.external_id} of ${monthLabel(monthOf(other.period_start))} (id ${other.id}). Check month and number.`,
  )
}

export type Preview = {
  readonly provider: string
  readonly invoice_number: string
  readonly period: Period
  readonly currency: string
  readonly amount: string
}

/** The running month's bill so far, in place of the one before, with all of its lines. */
export async function replacePreview(
  tx: ContextTx<'costs'>,
  { preview, bill }: { preview: Preview; bill: Bill },
  { now, ids }: Pick<StoreContext, 'now' | 'ids'>,
): Promise<number> {
  await lockBills(tx)
  await removePreview(tx, preview.provider)
  const id = ids.uuid()
  const content = contentOf(bill.lines)
  await tx
    .insertInto('costs.provider_invoice')
    .values({
      ...announcedColumns(preview, now),
      ...content,
      ...readingColumns(bill, now),
      id,
      external_id: 'preview',
      status: 'preview',
    })
    .execute()
  await receiveLines(tx, rowsOf(bill.lines), { open: () => loadInvoiceToStore(tx, id), ids })
  return content.line_count
}

async function removePreview(tx: ContextTx<'costs'>, provider: string): Promise<void> {
  const preview = tx
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where('provider', '=', provider)
    .where('status', '=', 'preview')
  await tx.deleteFrom('costs.cost_line').where('provider_invoice_id', 'in', preview).execute()
  await tx.deleteFrom('costs.provider_invoice').where('id', 'in', preview).execute()
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
    currency: header.currency,
    amount: header.amount,
    incomplete_readings: 0,
    announced_at: now,
  }
}

function readingColumns({ summary, read_from }: Omit<Bill, 'lines'>, now: Temporal.Instant) {
  return { ...(summary && { summary: jsonb(summary) }), read_from, ingested_at: now }
}
