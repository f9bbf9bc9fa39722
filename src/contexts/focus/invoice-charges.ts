import { plain } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import { instantsOf, isBefore, type Period } from '../../kernel/period.ts'
import type { ChargeCategory } from '../../providers/bill-line.ts'
import type { Charge } from './charge.ts'
import { type Service, serviceOf } from './service.ts'

export type Invoice = {
  readonly id: string
  readonly tenant_id: string
  readonly number: string
  readonly currency: string
  readonly period: Period
  readonly timezone: string
  readonly seller_name: string
  readonly buyer_name: string
}

export type InvoiceLine = {
  readonly position: number
  readonly kind: string
  readonly description: string
  readonly amount_cents: bigint
  readonly quantity: string | null
  /** Of the line's meter. */
  readonly unit: string | null
  readonly service_period: Period
  readonly deployment_id: string | null
  /** The deployment's slug. */
  readonly deployment: string | null
}

/** A line of an issued invoice as the tenant's charge: the operator is its provider, publisher and issuer. */
export function invoiceCharge(invoice: Invoice, line: InvoiceLine): Charge {
  const amount = plain(fromMinor(line.amount_cents, invoice.currency))
  const category = CATEGORY_BY_KIND[line.kind] ?? 'Usage'
  return {
    category,
    is_correction: line.kind === 'adjustment' && isBefore(line.service_period.start, invoice.period.start),
    frequency: FREQUENCY_BY_KIND[line.kind] ?? 'Usage-Based',
    description: line.description,
    period: instantsOf(line.service_period, invoice.timezone),
    billing_period: instantsOf(invoice.period, invoice.timezone),
    invoice_id: invoice.number,
    account: { id: invoice.tenant_id, name: invoice.buyer_name, type: 'Tenant' },
    sub_account: null,
    provider_name: invoice.seller_name,
    publisher_name: invoice.seller_name,
    issuer_name: invoice.seller_name,
    currency: invoice.currency,
    billed_cost: amount,
    list_cost: amount,
    contracted_cost: amount,
    effective_cost: amount,
    part: '1',
    priced: line.quantity === null ? null : { quantity: line.quantity, unit: line.unit ?? 'Units' },
    consumed: null,
    service: SERVICE_BY_KIND[line.kind] ?? HOSTING,
    resource:
      line.deployment_id === null ? null : { id: line.deployment_id, name: line.deployment, type: 'Deployment' },
    region: null,
    tags: line.deployment === null ? {} : { 'arcadia/deployment': line.deployment },
    given: {},
  }
}

/** A base price and an add-on pay for the month that they are billed for, so they are its usage, not a purchase ahead. */
const CATEGORY_BY_KIND: Readonly<Record<string, ChargeCategory>> = {
  adjustment: 'Adjustment',
  credit: 'Credit',
  tax: 'Tax',
}

const FREQUENCY_BY_KIND: Readonly<Record<string, Charge['frequency']>> = {
  plan_base: 'Recurring',
  addon: 'Recurring',
  minimum: 'Recurring',
  adjustment: 'One-Time',
  credit: 'One-Time',
  tax: 'One-Time',
}

const HOSTING = service('Application hosting', 'Web', 'Application Platforms')
const SERVICE_BY_KIND: Readonly<Record<string, Service>> = {
  llm_usage: service('Language models', 'AI and Machine Learning', 'Generative AI'),
  credit: service('Credits', 'Other'),
  tax: service('Taxes', 'Other'),
}

function service(name: string, category: Service['category'], subcategory?: string): Service {
  return serviceOf({ name, category, subcategory, kind: '' })
}
