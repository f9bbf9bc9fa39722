import { sql } from 'kysely'
import { formatMinor } from '../../kernel/money.ts'
import { dateIn } from '../../kernel/period.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { type BilledMonth, creditableCents, creditedMonths, creditTaxCents } from './given-back.ts'
import { type CreditNote, type Invoice, owedCents, type Payment, type Settlement } from './invoice.ts'
import {
  alreadyIssued,
  creditTooLarge,
  isVoid,
  notCreditable,
  notPayable,
  notVoidable,
  outOfDate,
  overpayment,
  paymentConflict,
} from './problems.ts'
import {
  lockTenantOf,
  readInvoice,
  readSettlement,
  readStandingMonths,
  readTimeZone,
  readVoidAdjusted,
  type StandingMonth,
} from './queries.ts'

type InvoicingTx = ContextTx<'invoicing'>
type By = { now: Temporal.Instant; actor: string }

/**
 * Numbers the draft and closes it to changes. Numbers have no gaps: one that is rolled back is given again. Where nothing
 * is owed it is paid at once.
 */
export async function issueInvoice(tx: InvoicingTx, id: string, { now, actor }: By): Promise<Invoice> {
  const invoice = await lockInvoice(tx, id)
  if (invoice.status === 'void') throw isVoid('A void invoice cannot be issued; roll the period up again.')
  if (invoice.status !== 'draft') throw alreadyIssued(`It was issued as ${invoice.number}.`)
  const adjusted = await readVoidAdjusted(tx, invoice)
  if (adjusted !== undefined) {
    throw outOfDate(`It adjusts ${adjusted}, which is void now. Roll the period up again with force.`)
  }
  const number = await nextNumber(tx, invoice, { prefix: 'INV', now })
  const issued: Invoice = { ...invoice, status: 'issued', number, issued_at: now, issued_by: actor }
  await tx
    .updateTable('invoicing.invoice')
    .set({ status: 'issued', number, issued_at: now, issued_by: actor })
    .where('tenant_id', '=', invoice.tenant_id)
    .where('id', '=', id)
    .execute()
  return closeIfSettled(tx, issued, { paid_cents: 0n, credited_cents: 0n, now })
}

/** Frees the tenant's slot for the period. What was paid or credited cannot be made void. */
export async function voidInvoice(
  tx: InvoicingTx,
  id: string,
  { reason, now, actor }: By & { reason: string | null },
): Promise<Invoice> {
  await lockTenantOf(tx, id)
  const invoice = await lockInvoice(tx, id)
  if (invoice.status === 'void') throw isVoid('The invoice is void already.')
  const { paid_cents, credited_cents } = await readSettlement(tx, invoice)
  if (paid_cents > 0n || credited_cents > 0n) {
    throw notVoidable(
      `Payments or credit notes refer to this invoice; credit what is left of it instead: POST /invoices/${id}/credit-notes.`,
    )
  }
  await requireNotCreditedElsewhere(tx, invoice)
  await tx
    .updateTable('invoicing.invoice')
    .set({ status: 'void', paid_at: null, voided_at: now, voided_by: actor, void_reason: reason })
    .where('tenant_id', '=', invoice.tenant_id)
    .where('id', '=', id)
    .execute()
  return { ...invoice, status: 'void', paid_at: null, voided_at: now, voided_by: actor, void_reason: reason }
}

/** What it bills may have been given back by credit notes on other invoices that bill the same month. */
async function requireNotCreditedElsewhere(tx: InvoicingTx, invoice: Invoice): Promise<void> {
  if (invoice.status === 'draft') return
  const months = await readStandingMonths(tx, invoice)
  const month = months.find(
    ({ own_cents, standing_cents, credited_cents }) => credited_cents > 0n && standing_cents < own_cents,
  )
  if (month === undefined) return
  throw notVoidable(
    `Credit notes have given back what it bills for ${month.period_start.toPlainYearMonth()}; credit what is left of it instead.`,
  )
}

export type NewPayment = { id: string; amount_cents: bigint; paid_at: Temporal.Instant; reference: string }

/**
 * Records a payment. The same reference again is the same payment, unless that was reversed; an invoice of which nothing
 * is owed is paid.
 */
export async function recordPayment(
  tx: InvoicingTx,
  invoice_id: string,
  { payment, now, actor }: By & { payment: NewPayment },
): Promise<{ payment: Payment; invoice: Invoice; duplicate: boolean }> {
  const invoice = await lockInvoice(tx, invoice_id)
  requireInThePast(payment.paid_at, now)
  const before = await findPayment(tx, invoice, payment.reference)
  if (before !== undefined) return { payment: requireSame(before, payment), invoice, duplicate: true }
  const settled = await readSettlement(tx, invoice)
  requirePayable(invoice, settled, payment.amount_cents)
  const recorded: Payment = {
    tenant_id: invoice.tenant_id,
    invoice_id,
    ...payment,
    recorded_by: actor,
    recorded_at: now,
    reversed_at: null,
    reversed_by: null,
    reversal_reason: null,
  }
  await tx.insertInto('invoicing.payment').values(recorded).execute()
  const paid_cents = settled.paid_cents + payment.amount_cents
  return {
    payment: recorded,
    invoice: await closeIfSettled(tx, invoice, { ...settled, paid_cents, now }),
    duplicate: false,
  }
}

/** Banks date by the day, and a day begins fourteen hours earlier in the east than in UTC. */
const PAID_AHEAD_MAX = Temporal.Duration.from({ hours: 24 })

function requireInThePast(paid_at: Temporal.Instant, now: Temporal.Instant): void {
  if (Temporal.Instant.compare(paid_at, now.add(PAID_AHEAD_MAX)) <= 0) return
  throw invalidInput('The request is not valid.', [
    { path: 'paid_at', message: `must not be in the future: ${paid_at} is more than a day after ${now}` },
  ])
}

/** The one that stands, of those with this reference. */
async function findPayment(tx: InvoicingTx, invoice: Invoice, reference: string): Promise<Payment | undefined> {
  return tx
    .selectFrom('invoicing.payment')
    .selectAll()
    .where('tenant_id', '=', invoice.tenant_id)
    .where('invoice_id', '=', invoice.id)
    .where('reference', '=', reference)
    .where('reversed_at', 'is', null)
    .executeTakeFirst()
}

function requireSame(before: Payment, payment: NewPayment): Payment {
  if (before.amount_cents === payment.amount_cents && before.paid_at.equals(payment.paid_at)) return before
  throw paymentConflict(
    `Reference ${payment.reference} is recorded with another amount or time; use another reference.`,
  )
}

function issueFirst({ id, status }: Invoice): string {
  return status === 'draft' ? ` Issue it first: POST /invoices/${id}/issue.` : ''
}

function requirePayable(invoice: Invoice, settled: Settlement, amount_cents: bigint): void {
  if (invoice.status !== 'issued') {
    throw notPayable(
      `The invoice is ${invoice.status}; only an issued invoice that is not paid yet takes payments.${issueFirst(invoice)}`,
    )
  }
  const owed_cents = owedCents(invoice, settled)
  if (amount_cents > owed_cents) {
    throw overpayment(`Only ${formatMinor(owed_cents, invoice.currency)} ${invoice.currency} is owed.`)
  }
}

export type NewCreditNote = { id: string; amount_cents: bigint; reason: string }

/**
 * Gives back part of an issued invoice, or all that credit notes and adjustments have not given back yet.
 * `amount_cents` is gross.
 */
export async function issueCreditNote(
  tx: InvoicingTx,
  invoice_id: string,
  { credit, now, actor }: By & { credit: NewCreditNote },
): Promise<{ credit_note: CreditNote; invoice: Invoice }> {
  await lockTenantOf(tx, invoice_id)
  const invoice = await lockInvoice(tx, invoice_id)
  const settled = await readSettlement(tx, invoice)
  const months = billedMonths(await readStandingMonths(tx, invoice))
  const creditable = creditableCents(invoice, settled, months)
  const { amount_cents } = credit
  requireCreditable(invoice, creditable, amount_cents)
  const { tenant_id } = invoice
  const credit_note: CreditNote = {
    tenant_id,
    invoice_id,
    number: await nextNumber(tx, invoice, { prefix: 'CN', now }),
    tax_cents: creditTaxCents(invoice, amount_cents, creditable),
    ...credit,
    created_by: actor,
    created_at: now,
  }
  await tx.insertInto('invoicing.credit_note').values(credit_note).execute()
  const credited = creditedMonths(amount_cents - credit_note.tax_cents, months)
  await insertRows(
    tx,
    'invoicing.credit_note_month',
    credited.map((month) => ({ tenant_id, credit_note_id: credit.id, ...month })),
  )
  const credited_cents = settled.credited_cents + amount_cents
  return { credit_note, invoice: await closeIfSettled(tx, invoice, { ...settled, credited_cents, now }) }
}

function billedMonths(months: readonly StandingMonth[]): BilledMonth[] {
  return months.map(({ period_start, own_cents, standing_cents }) => {
    const left_cents = own_cents < standing_cents ? own_cents : standing_cents
    return { period_start, left_cents: left_cents > 0n ? left_cents : 0n }
  })
}

function requireCreditable(
  invoice: Invoice,
  { net_cents, tax_cents }: { net_cents: bigint; tax_cents: bigint },
  amount_cents: bigint,
): void {
  if (invoice.status !== 'issued' && invoice.status !== 'paid') {
    throw notCreditable(
      `The invoice is ${invoice.status}; only an issued invoice can be credited.${issueFirst(invoice)}`,
    )
  }
  const left_cents = net_cents + tax_cents
  if (amount_cents > left_cents) {
    throw creditTooLarge(
      `At most ${formatMinor(left_cents, invoice.currency)} ${invoice.currency} can be credited: the rest has been given back by credit notes or adjustments.`,
    )
  }
}

/** An invoice of which nothing is owed any more is paid, whether by payments or by credit. */
async function closeIfSettled(
  tx: InvoicingTx,
  invoice: Invoice,
  { now, ...settled }: Settlement & { now: Temporal.Instant },
): Promise<Invoice> {
  if (invoice.status !== 'issued' || owedCents(invoice, settled) > 0n) return invoice
  await tx
    .updateTable('invoicing.invoice')
    .set({ status: 'paid', paid_at: now })
    .where('tenant_id', '=', invoice.tenant_id)
    .where('id', '=', invoice.id)
    .execute()
  return { ...invoice, status: 'paid', paid_at: now }
}

/** Whoever changes an invoice holds its row, so that two changes come one after the other. */
export async function lockInvoice(tx: InvoicingTx, id: string): Promise<Invoice> {
  await sql`select from invoicing.invoice where id = ${id} for update`.execute(tx)
  return found(await readInvoice(tx, null, id), 'invoice')
}

/** `INV-2026-000001`. The year is that of the day on which the buyer's zone sees the document made. */
async function nextNumber(
  tx: InvoicingTx,
  invoice: Invoice,
  { prefix, now }: { prefix: 'INV' | 'CN'; now: Temporal.Instant },
): Promise<string> {
  const timezone = await readTimeZone(tx, invoice.tenant_id)
  const series = `${prefix}-${dateIn(now, timezone).year}`
  const { last_number } = await tx
    .insertInto('invoicing.number_series')
    .values({ series, last_number: 1n })
    .onConflict((conflict) =>
      conflict.column('series').doUpdateSet({ last_number: sql`invoicing.number_series.last_number + 1` }),
    )
    .returning('last_number')
    .executeTakeFirstOrThrow()
  return `${series}-${last_number.toString().padStart(NUMBER_DIGITS, '0')}`
}

const NUMBER_DIGITS = 6
