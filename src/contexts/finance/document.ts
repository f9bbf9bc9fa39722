import { type Json } from '../../../db/types.ts'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Decimal, decimal, sum } from '../../kernel/decimal.ts'
import { type Currency, toMinor } from '../../kernel/money.ts'
import type { Period } from '../../kernel/period.ts'
import type { BillPayload, DocumentLine, TenantInvoicePayload } from '../../providers/finance/index.ts'

export type PushDocument =
  | { document: 'provider_invoice'; payload: BillPayload }
  | { document: 'invoice'; payload: TenantInvoicePayload }

/** `amount` is the provider's own total, in major units. */
export type Bill = {
  provider: string
  external_id: string
  invoice_number: string | null
  currency: Currency
  amount: string
  period_start: Temporal.PlainDate
  period_end: Temporal.PlainDate
}

export type BillLine = {
  description: string
  kind: string
  charge_category: string
  amount: string
  tenant_id: string | null
  deployment_id: string | null
}

export type Invoice = {
  id: string
  number: string
  currency: Currency
  period: Period
  issued_on: Temporal.PlainDate
  buyer: { name: string; country?: string; tax_id?: string }
  subtotal_cents: bigint
  tax_cents: bigint
  total_cents: bigint
}

export type InvoiceLine = {
  tenant_id: string
  deployment_id: string | null
  kind: string
  description: string
  amount_cents: bigint
}

/**
 * A provider's bill as the books take it. Gross is the provider's total and tax the sum of its tax lines; what is lost
 * by rounding lines to minor units stands on a line of its own, so that the lines add up.
 */
export function billPayload(bill: Bill, lines: readonly BillLine[]): BillPayload {
  const minor = (amount: Decimal) => toMinor(amount, bill.currency)
  const taxLines = lines.filter(isTax)
  const gross = minor(decimal(bill.amount))
  const tax = minor(sum(taxLines.map((line) => decimal(line.amount))))
  return {
    tenant_id: 'platform-admin',
    source: bill.provider,
    external_id: bill.external_id,
    invoice_number: bill.invoice_number ?? bill.external_id,
    vendor: VENDORS[bill.provider] ?? { name: bill.provider, category: 'cloud' },
    currency: bill.currency,
    period: { start: bill.period_start, end: bill.period_end },
    // Providers issue a bill when its period is over; they do not tell the day.
    issued_on: bill.period_end,
    amount_net_minor: gross - tax,
    amount_tax_minor: tax,
    amount_gross_minor: gross,
    lines: [
      ...roundedTo(
        gross - tax,
        lines.filter((line) => !isTax(line)).map((line) => documentLine(line, bill.currency)),
        false,
      ),
      ...roundedTo(
        tax,
        taxLines.map((line) => documentLine(line, bill.currency)),
        true,
      ),
    ],
  }
}

/** A tenant's invoice as the books take it. Its lines are rounded and add up already. */
export function invoicePayload(invoice: Invoice, lines: readonly InvoiceLine[]): TenantInvoicePayload {
  return {
    tenant_id: 'platform-admin',
    source: 'arcadia-cloud',
    external_id: invoice.id,
    invoice_number: invoice.number,
    customer: invoice.buyer,
    currency: invoice.currency,
    period: invoice.period,
    issued_on: invoice.issued_on,
    amount_net_minor: invoice.subtotal_cents,
    amount_tax_minor: invoice.tax_cents,
    amount_gross_minor: invoice.total_cents,
    lines: lines.map(({ description, kind, amount_cents, tenant_id, deployment_id }) => ({
      description,
      kind,
      amount_minor: amount_cents,
      tax: kind === 'tax',
      tenant_id,
      deployment_id,
    })),
  }
}

/** The document as it was stored: amounts and dates are texts there, so that no amount passes through a float. */
export function readDocument(document: PushDocument['document'], stored: Json): PushDocument {
  return document === 'provider_invoice'
    ? { document, payload: Value.Decode(StoredBill, stored) }
    : { document, payload: Value.Decode(StoredInvoice, stored) }
}

const VENDORS: Record<string, BillPayload['vendor']> = {
  digitalocean: { name: 'DigitalOcean', category: 'cloud' },
}

const MinorText = Type.Codec(Type.String())
  .Decode((text) => BigInt(text))
  .Encode(String)
const PlainDateText = Type.Codec(Type.String())
  .Decode((text) => Temporal.PlainDate.from(text))
  .Encode(String)
const OptionalText = Type.Union([Type.String(), Type.Null()])

const shared = {
  tenant_id: Type.Literal('platform-admin'),
  external_id: Type.String(),
  invoice_number: Type.String(),
  currency: Type.String(),
  period: Type.Object({ start: PlainDateText, end: PlainDateText }),
  issued_on: PlainDateText,
  amount_net_minor: MinorText,
  amount_tax_minor: MinorText,
  amount_gross_minor: MinorText,
  lines: Type.Array(
    Type.Object({
      description: Type.String(),
      kind: Type.String(),
      amount_minor: MinorText,
      tax: Type.Boolean(),
      tenant_id: OptionalText,
      deployment_id: OptionalText,
    }),
  ),
}
const StoredBill = Type.Object({
  ...shared,
  source: Type.String(),
  vendor: Type.Object({ name: Type.String(), category: Type.String() }),
})
const StoredInvoice = Type.Object({
  ...shared,
  source: Type.Literal('arcadia-cloud'),
  customer: Type.Object({
    name: Type.String(),
    country: Type.Optional(Type.String()),
    tax_id: Type.Optional(Type.String()),
  }),
})

function documentLine(
  { description, kind, amount, tenant_id, deployment_id, ...line }: BillLine,
  currency: Currency,
): DocumentLine {
  const amount_minor = toMinor(decimal(amount), currency)
  return { description, kind, amount_minor, tax: isTax(line), tenant_id, deployment_id }
}

function roundedTo(total: bigint, lines: readonly DocumentLine[], tax: boolean): DocumentLine[] {
  const difference = total - lines.reduce((sum, line) => sum + line.amount_minor, 0n)
  if (difference === 0n) return [...lines]
  const rounding = {
    description: 'Rounding',
    kind: 'rounding',
    amount_minor: difference,
    tax,
    tenant_id: null,
    deployment_id: null,
  }
  return [...lines, rounding]
}

function isTax({ charge_category }: Pick<BillLine, 'charge_category'>): boolean {
  return charge_category === 'Tax'
}
