import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Config } from '../../config.ts'
import { minorUnitPlaces } from '../../kernel/money.ts'
import type { Period } from '../../kernel/period.ts'
import type { Quote, QuoteLine, TaxTerms } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { contentHash } from '../../platform/json.ts'
import type { BillFacts } from './bill.ts'

/** How long after it is over in UTC a month is over in every zone. */
export const LATEST_ZONE = Temporal.Duration.from({ hours: 12 })

/** Who sells and who buys, as they were when the invoice was made. */
export type Seller = Config['seller']
export type Buyer = Pick<Tenant, 'legal_name' | 'email' | 'address' | 'country' | 'tax_id'> & { tenant_id: string }

type InvoiceRow = Selectable<DB['invoicing.invoice']>
export type InvoiceStatus = InvoiceRow['status']
export type Invoice = Omit<InvoiceRow, 'seller' | 'buyer' | 'tax'> & { seller: Seller; buyer: Buyer; tax: TaxTerms }
export type InvoiceLine = Omit<Selectable<DB['invoicing.invoice_line']>, 'details'> & { details: QuoteLine['details'] }
export type Payment = Selectable<DB['invoicing.payment']>
export type CreditNote = Selectable<DB['invoicing.credit_note']>

/** A new draft as its rows: a quote of actual facts for one tenant and month. */
export type Draft = { invoice: Invoice; lines: InvoiceLine[] }

export function draftOf(
  billed: { tenant: Tenant; facts: BillFacts; bill: Quote },
  {
    seller,
    now,
    facts_seen,
    newId,
  }: { seller: Seller; now: Temporal.Instant; facts_seen: string; newId: () => string },
): Draft {
  const { tenant, facts, bill } = billed
  const owner = { tenant_id: tenant.id, invoice_id: newId() }
  return {
    invoice: {
      tenant_id: tenant.id,
      id: owner.invoice_id,
      number: null,
      ...periodColumns(facts.period),
      status: 'draft',
      currency: bill.currency,
      minor_unit_places: minorUnitPlaces(bill.currency),
      subtotal_cents: bill.subtotal_cents,
      tax_cents: bill.tax_cents,
      total_cents: bill.total_cents,
      seller,
      buyer: buyerOf(tenant),
      tax: facts.tax,
      engine_version: bill.engine_version,
      inputs_hash: contentHash(facts),
      created_at: now,
      facts_seen,
      issued_at: null,
      issued_by: null,
      paid_at: null,
      voided_at: null,
      voided_by: null,
      void_reason: null,
    },
    lines: bill.lines.map((line, position) => lineOf(line, { ...owner, position, id: newId() })),
  }
}

function periodColumns({ start, end }: Period): Pick<Invoice, 'period_start' | 'period_end'> {
  return { period_start: start, period_end: end }
}

function lineOf(
  { service_period, ...line }: QuoteLine,
  place: Pick<InvoiceLine, 'tenant_id' | 'invoice_id' | 'position' | 'id'>,
): InvoiceLine {
  return { ...place, ...line, service_start: service_period.start, service_end: service_period.end }
}

function buyerOf({ id, legal_name, email, address, country, tax_id }: Tenant): Buyer {
  return { tenant_id: id, legal_name, email, address, country, tax_id }
}

/** What an invoice has seen since it was issued, in minor units. */
export type Settlement = { paid_cents: bigint; credited_cents: bigint }

/** In minor units. */
function totalCents(documents: readonly { amount_cents: bigint }[]): bigint {
  return documents.reduce((total, document) => total + document.amount_cents, 0n)
}

export function settlementOf(
  payments: readonly Pick<Payment, 'amount_cents' | 'reversed_at'>[],
  credit_notes: readonly Pick<CreditNote, 'amount_cents'>[],
): Settlement {
  return {
    paid_cents: totalCents(payments.filter(({ reversed_at }) => reversed_at === null)),
    credited_cents: totalCents(credit_notes),
  }
}

/** What is still owed, of a void invoice nothing. Negative when more was paid and credited than invoiced: a refund is due. */
export function owedCents(invoice: Pick<Invoice, 'status' | 'total_cents'>, settled: Settlement): bigint {
  if (invoice.status === 'void') return 0n
  return invoice.total_cents - settled.paid_cents - settled.credited_cents
}
