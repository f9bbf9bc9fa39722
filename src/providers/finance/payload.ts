import type { Currency } from '../../kernel/money.ts'
import type { Period } from '../../kernel/period.ts'

/** A provider's bill to the operator: a payable. */
export type BillPayload = DocumentPayload & {
  /** The provider, such as `digitalocean`; `external_id` is its own id of the bill. */
  source: string
  vendor: { name: string; category: string }
}

/** An invoice to a tenant: a receivable. `external_id` is the invoice's id. */
export type TenantInvoicePayload = DocumentPayload & {
  source: 'arcadia-cloud'
  customer: { name: string; country?: string; tax_id?: string }
}

/**
 * What both documents share. Amounts are integer minor units of `currency`, negative for credits.
 * net + tax = gross; the lines add up to gross, and those with `tax: true` to tax.
 */
type DocumentPayload = {
  tenant_id: 'platform-admin'
  /** The service dedupes on (tenant_id, source, external_id). */
  external_id: string
  invoice_number: string
  currency: Currency
  period: Period
  issued_on: Temporal.PlainDate
  amount_net_minor: bigint
  amount_tax_minor: bigint
  amount_gross_minor: bigint
  lines: readonly DocumentLine[]
}

export type DocumentLine = {
  description: string
  kind: string
  amount_minor: bigint
  tax: boolean
  tenant_id: string | null
  deployment_id: string | null
}
