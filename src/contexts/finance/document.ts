import { type Json } from '../../../db/types.ts'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Decimal, decimal, sum, ZERO } from '../../kernel/decimal.ts'
import { type Currency, fromMinor, roundTogether, toMinor } from '../../kernel/money.ts'
import type { Period } from '../../kernel/period.ts'
import type { BillPayload, DocumentLine, TenantInvoicePayload } from '../../providers/finance/index.ts'

export type PushDocument =
  | { document: 'provider_invoice'; payload: BillPayload }
  | { document: 'invoice'; payload: TenantInvoicePayload }

/** `amount` is the provider's own total, in major units. */
export type Bill = {
  provider: string
  is_withdrawn: boolean
  /** Who invoices, and is paid; null where the bill does not tell. */
  issuer_name: string | null
  /** As the provider calls itself on the bill; null where the bill does not tell. */
  provider_name: string | null
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

/** Its amounts as it was issued. */
export type Invoice = {
  id: string
  tenant_id: string
  number: string
  is_void: boolean
  currency: Currency
  /** Of the amounts, as they were posted. */
  minor_unit_places: number
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

/** `amount_cents` is gross; `tax_cents` is the tax in it. */
export type CreditNote = { number: string; amount_cents: bigint; tax_cents: bigint }

/**
 * A provider's bill as the books take it. Gross is the provider's total and tax the sum of its tax lines, each rounded
 * once. Lines finer than a minor unit are rounded together, so that they add up; what the lines miss of the total stands
 * on a line of its own, named by whether rounding explains it. A withdrawn bill is a document of 0.
 */
export function billPayload(bill: Bill, lines: readonly BillLine[]): BillPayload {
  return {
    tenant_id: 'platform-admin',
    source: bill.provider,
    external_id: bill.external_id,
    invoice_number: bill.invoice_number ?? bill.external_id,
    vendor: { name: vendorName(bill), category: 'cloud' },
    currency: bill.currency,
    period: { start: bill.period_start, end: bill.period_end },
    // Providers issue a bill when its period is over; they do not tell the day.
    issued_on: bill.period_end,
    ...(bill.is_withdrawn
      ? nothing({ description: 'Withdrawn', kind: 'withdrawn', tenant_id: null })
      : owed(bill, lines)),
  }
}

/** A tenant's invoice as the books take it, as it stands: less its credit notes, and nothing when it is void. */
export function invoicePayload(
  invoice: Invoice,
  lines: readonly InvoiceLine[],
  credit_notes: readonly CreditNote[],
): TenantInvoicePayload {
  return {
    tenant_id: 'platform-admin',
    source: INVOICE_SOURCE,
    external_id: invoice.id,
    invoice_number: invoice.number,
    customer: invoice.buyer,
    currency: invoice.currency,
    period: invoice.period,
    issued_on: invoice.issued_on,
    ...(invoice.is_void
      ? nothing({ description: 'Void', kind: 'void', tenant_id: invoice.tenant_id })
      : whatIsLeftOf(invoice, lines, credit_notes)),
  }
}

/** The document as it was stored: amounts and dates are texts there, so that no amount passes through a float. */
export function readDocument(document: PushDocument['document'], stored: Json): PushDocument {
  return document === 'provider_invoice'
    ? { document, payload: Value.Decode(StoredBill, stored) }
    : { document, payload: Value.Decode(StoredInvoice, stored) }
}

/** What the books know tenant invoices by, with the invoice's id. */
export const INVOICE_SOURCE = 'arcadia-cloud'

/** The creditor: who invoices, be it the provider or not. */
function vendorName({ issuer_name, provider_name, provider }: Bill): string {
  return issuer_name ?? provider_name ?? VENDOR_NAMES[provider] ?? provider
}

const VENDOR_NAMES: Record<string, string> = { digitalocean: 'DigitalOcean' }

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
  source: Type.Literal(INVOICE_SOURCE),
  customer: Type.Object({
    name: Type.String(),
    country: Type.Optional(Type.String()),
    tax_id: Type.Optional(Type.String()),
  }),
})

function documentLines(
  lines: readonly BillLine[],
  { total, currency }: { total: bigint; currency: Currency },
): DocumentLine[] {
  if (lines.length === 0) return remainderLine(total, ROUNDING)
  const amounts = roundTogether(
    lines.map((line) => decimal(line.amount)),
    { total, currency },
  )
  return lines.map(({ description, kind, tenant_id, deployment_id, ...line }, index) => {
    const amount_minor = amounts[index] ?? 0n
    return { description, kind, amount_minor, tax: isTax(line), tenant_id, deployment_id }
  })
}

const ROUNDING = { description: 'Rounding', kind: 'rounding' }
const NOT_EXPLAINED = { description: 'Not explained by lines', kind: 'unexplained' }

function remainderLine(amount_minor: bigint, remainder: Pick<DocumentLine, 'description' | 'kind'>): DocumentLine[] {
  return amount_minor === 0n ? [] : [{ ...remainder, amount_minor, tax: false, tenant_id: null, deployment_id: null }]
}

/** A provider that rounds its total and its lines loses at most half a minor unit per line; more was never on a line. */
function isWithinRounding(
  missing: Decimal,
  { lines, currency }: { lines: readonly BillLine[]; currency: Currency },
): boolean {
  return missing
    .abs()
    .times(decimal(2n))
    .lte(fromMinor(BigInt(lines.length), currency))
}

function exactSum(lines: readonly BillLine[]): Decimal {
  return sum(lines.map((line) => decimal(line.amount)))
}

function isTax({ charge_category }: Pick<BillLine, 'charge_category'>): boolean {
  return charge_category === 'Tax'
}

type Amounts = Pick<TenantInvoicePayload, 'amount_net_minor' | 'amount_tax_minor' | 'amount_gross_minor' | 'lines'>

function owed({ amount, currency }: Bill, lines: readonly BillLine[]): Amounts {
  const [taxLines, netLines] = [lines.filter(isTax), lines.filter((line) => !isTax(line))]
  const gross = toMinor(decimal(amount), currency)
  const tax = toMinor(exactSum(taxLines), currency)
  const missing = decimal(amount).minus(exactSum(lines))
  const net = missing.eq(ZERO) ? gross - tax : toMinor(exactSum(netLines), currency)
  return {
    amount_net_minor: gross - tax,
    amount_tax_minor: tax,
    amount_gross_minor: gross,
    lines: [
      ...documentLines(netLines, { total: net, currency }),
      ...remainderLine(gross - tax - net, isWithinRounding(missing, { lines, currency }) ? ROUNDING : NOT_EXPLAINED),
      ...documentLines(taxLines, { total: tax, currency }),
    ],
  }
}

/** The books keep a document that they know; one that is taken back stays there without an amount. */
function nothing(line: Pick<DocumentLine, 'description' | 'kind' | 'tenant_id'>): Amounts {
  const lines = [{ ...line, amount_minor: 0n, tax: false, deployment_id: null }]
  return { amount_net_minor: 0n, amount_tax_minor: 0n, amount_gross_minor: 0n, lines }
}

function whatIsLeftOf(invoice: Invoice, lines: readonly InvoiceLine[], credit_notes: readonly CreditNote[]): Amounts {
  const credited_cents = credit_notes.reduce((sum, note) => sum + note.amount_cents, 0n)
  const credited_tax_cents = credit_notes.reduce((sum, note) => sum + note.tax_cents, 0n)
  return {
    amount_net_minor: invoice.subtotal_cents - (credited_cents - credited_tax_cents),
    amount_tax_minor: invoice.tax_cents - credited_tax_cents,
    amount_gross_minor: invoice.total_cents - credited_cents,
    lines: [...lines.map(invoiceLine), ...credit_notes.flatMap((note) => creditLines(invoice, note))],
  }
}

function invoiceLine({ description, kind, amount_cents, tenant_id, deployment_id }: InvoiceLine): DocumentLine {
  return { description, kind, amount_minor: amount_cents, tax: kind === 'tax', tenant_id, deployment_id }
}

/** Its net and its tax, for a line of a document is one or the other. */
function creditLines({ tenant_id }: Invoice, { number, amount_cents, tax_cents }: CreditNote): DocumentLine[] {
  const shared = { description: `Credit note ${number}`, tenant_id, deployment_id: null }
  return [
    { ...shared, kind: 'credit_note', amount_minor: tax_cents - amount_cents, tax: false },
    { ...shared, kind: 'tax', amount_minor: -tax_cents, tax: true },
  ].filter((line) => line.amount_minor !== 0n)
}
