import type { ContextTx } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { lockInvoice } from './commands.ts'
import { type Invoice, owedCents, type Payment } from './invoice.ts'
import { paymentReversed } from './problems.ts'
import { readPayment, readSettlement } from './queries.ts'

type Reversal = { now: Temporal.Instant; actor: string; reason: string }

/**
 * Takes a payment back that did not arrive after all, or was recorded wrongly. It stays, with who reversed it and why; an
 * invoice that it had paid is open again. Throws 404 and, the second time, `invoicing/payment-reversed`.
 */
export async function reversePayment(
  tx: ContextTx<'invoicing'>,
  id: string,
  { now, actor, reason }: Reversal,
): Promise<{ payment: Payment; invoice: Invoice }> {
  const { invoice_id } = found(await readPayment(tx, id), 'payment')
  const invoice = await lockInvoice(tx, invoice_id)
  // Read again: until the invoice was locked, another could have reversed it.
  const payment = found(await readPayment(tx, id), 'payment')
  if (payment.reversed_at !== null) {
    throw paymentReversed(`${payment.reversed_by} reversed it at ${payment.reversed_at}: ${payment.reversal_reason}`)
  }
  const reversed = { reversed_at: now, reversed_by: actor, reversal_reason: reason }
  await tx
    .updateTable('invoicing.payment')
    .set(reversed)
    .where('tenant_id', '=', invoice.tenant_id)
    .where('id', '=', id)
    .execute()
  return { payment: { ...payment, ...reversed }, invoice: await openIfOwed(tx, invoice) }
}

async function openIfOwed(tx: ContextTx<'invoicing'>, invoice: Invoice): Promise<Invoice> {
  if (invoice.status !== 'paid' || owedCents(invoice, await readSettlement(tx, invoice)) <= 0n) return invoice
  await tx
    .updateTable('invoicing.invoice')
    .set({ status: 'issued', paid_at: null })
    .where('tenant_id', '=', invoice.tenant_id)
    .where('id', '=', invoice.id)
    .execute()
  return { ...invoice, status: 'issued', paid_at: null }
}
