import { sql } from 'kysely'
import { monthLabel, monthOf } from '../../kernel/period.ts'
import { anyOf, type ContextTx, insertRows, jsonb } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { type Bill, type BillContent, type BillHeader, contentOf } from './bill.ts'
import { findBillWithContent, type InvoiceToStore, loadInvoiceToStore, maybeOf } from './bill-queries.ts'
import { compareLines, NO_DIFFERING_LINES } from './difference.ts'
import { lockBills } from './lock.ts'
import { contentStoredAlready } from './problems.ts'
import { type ReceivedBill, receiveLines, rowsOf } from './receive-lines.ts'

export type StoreContext = {
  readonly now: Temporal.Instant
  readonly ids: Ids
  /** Runs when a bill is issued or an issued one withdrawn, in that transaction. Never for a preview. */
  readonly onBillIssued: (bill: { provider_invoice_id: string }) => Promise<void>
}

export type StoredBill = { readonly outcome: 'issued' | 'unchanged' | 'differs'; readonly line_count: number }

/**
 * Stores the lines of an announced bill, matched, and with that issues it. A bill that is issued is compared: other
 * content is kept as its `difference`, an alarm, and overwrites nothing; the outcome is `differs` until that is
 * settled. Throws `costs/content-stored-already` when another bill of the month has the same lines.
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

/** The lines of a bill are in the books: from now on it does not change, and no preview of it is needed. */
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
  await removePreviews(tx, { ...invoice, others: [] })
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
  const is_same = [invoice.content_hash, ...invoice.settled_hashes].includes(content.content_hash)
  const lines = is_same ? NO_DIFFERING_LINES : await compareLines(tx, invoice.id)
  const differs = lines.stored.count + lines.received.count > 0
  const is_news = !invoice.is_difference_read || (differs && invoice.difference?.content_hash !== content.content_hash)
  const difference = { ...invoice.difference, ...content, read_from: bill.read_from, seen_at: now }
  await tx
    .updateTable('costs.provider_invoice')
    .set({ compared_at: now, last_error: null })
    .$if(is_news, (update) => update.set({ difference: jsonb(difference), differing_lines: jsonb(lines) }))
    .where('id', '=', invoice.id)
    .execute()
  return differs || invoice.difference !== null ? 'differs' : 'unchanged'
}

/** Not of a bill without lines, which says nothing by which it could be known. */
async function requireNewContent(
  tx: ContextTx<'costs'>,
  { invoice, content: { content_hash, line_count } }: Pick<ReceivedBill, 'invoice' | 'content'>,
): Promise<void> {
  if (line_count === 0) return
  const other = await findBillWithContent(tx, invoice, content_hash)
  if (other === undefined) return
  throw contentStoredAlready(
    `The same lines are issued as ${other.external_id} of ${monthLabel(monthOf(other.period_start))} (id ${other.id}). Check month and number.`,
  )
}

/** What the provider calls its bill of the running month. */
export type Preview = { readonly header: BillHeader; readonly external_id: string }

/** The running month's bill so far, in place of the one before, with all of its lines. */
export async function replacePreview(
  tx: ContextTx<'costs'>,
  { preview, bill, amount }: { preview: Preview; bill: Bill; amount: string },
  context: Pick<StoreContext, 'now' | 'ids'>,
): Promise<number> {
  await lockBills(tx)
  const id = await startPreview(tx, { preview, others: [] }, context)
  const content = contentOf(bill.lines)
  await receiveLines(tx, rowsOf(bill.lines), { open: () => loadInvoiceToStore(tx, id), ids: context.ids })
  await finishPreview(tx, { id, content, bill, amount }, context)
  return content.line_count
}

/**
 * A preview without lines, in place of those of its month. `others` are bills of the same upload: they stay beside it.
 */
export async function startPreview(
  tx: ContextTx<'costs'>,
  { preview: { header, external_id }, others }: { preview: Preview; others: readonly string[] },
  { now, ids }: Pick<StoreContext, 'now' | 'ids'>,
): Promise<string> {
  await removePreviews(tx, { ...header, external_id, others })
  const id = ids.uuid()
  const columns = { ...announcedColumns(header, { amount: '0', now }), ...contentOf([]), ingested_at: now }
  await insertRows(tx, 'costs.provider_invoice', [{ ...columns, id, external_id, status: 'preview' }])
  return id
}

/** All of its lines are stored. */
export async function finishPreview(
  tx: ContextTx<'costs'>,
  { id, content, bill, amount }: { id: string; content: BillContent; bill: Omit<Bill, 'lines'>; amount: string },
  { now }: Pick<StoreContext, 'now'>,
): Promise<void> {
  await tx
    .updateTable('costs.provider_invoice')
    .set({ ...content, ...readingColumns(bill, now), amount })
    .where('id', '=', id)
    .execute()
}

/** Those of the month, and the one of that name, which may be of the month before. */
async function removePreviews(
  tx: ContextTx<'costs'>,
  {
    provider,
    billing_account,
    issuer_name,
    period,
    external_id = null,
    others,
  }: Pick<InvoiceToStore, 'provider' | 'billing_account' | 'issuer_name' | 'period'> & {
    external_id?: string | null
    others: readonly string[]
  },
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select id from costs.provider_invoice
    where status = 'preview' and provider = ${provider} and ${maybeOf({ billing_account, issuer_name })}
      and (period_start = ${period.start} or external_id = ${external_id}) and id <> all(${[...others]}::uuid[])`.execute(
    tx,
  )
  if (rows.length === 0) return
  const previews = anyOf(rows.map(({ id }) => id))
  await tx.deleteFrom('costs.cost_line').where('provider_invoice_id', '=', previews).execute()
  await tx.deleteFrom('costs.provider_invoice').where('id', '=', previews).execute()
}

/** The columns of an invoice that is only known by its header. */
export function announcedColumns(
  { period, ...header }: BillHeader,
  { amount, now }: { amount: string; now: Temporal.Instant },
) {
  return {
    ...header,
    status: 'announced' as const,
    period_start: period.start,
    period_end: period.end,
    amount,
    incomplete_readings: 0,
    announced_at: now,
  }
}

function readingColumns({ summary, read_from }: Omit<Bill, 'lines'>, now: Temporal.Instant) {
  return { ...(summary && { summary: jsonb(summary) }), read_from, ingested_at: now }
}
