import { type Static, Type } from 'typebox'
import { laterInstant, YEAR_PATTERN } from '../../kernel/period.ts'
import { Amount, Identifier, instantOrNull, Links, Maybe, normalised, Quantity, textOrNull, Time } from './fields.ts'
import { exclusiveEnd, type InvoiceItem } from './item.ts'

/**
 * What the API answers about money, as schemas, and how each answer becomes a value of ours. Fields that are not named
 * here are ignored. The document of the API marks hardly anything as required; what is required here is what a bill
 * cannot be read without.
 */

export type Balance = {
  /** USD. `account_balance` + `month_to_date_usage`. */
  readonly month_to_date_balance: string
  readonly account_balance: string
  readonly month_to_date_usage: string
  readonly generated_at: Temporal.Instant
}

/** `type` is one of ten words today. Invoices are positive and payments negative, in USD. */
export type BillingEntry = {
  readonly type: string
  readonly date: Temporal.Instant
  readonly amount: string
  readonly description: string
  /** Only entries of type Invoice have one, so it is no key for the others. */
  readonly invoice_id: string | null
  readonly invoice_uuid: string | null
}

export type InvoiceHeader = {
  readonly invoice_uuid: string
  /** The number printed on the invoice. */
  readonly invoice_id: string
  /** USD, tax included. */
  readonly amount: string
  /** `2026-04` */
  readonly invoice_period: string
  /** Only a preview has one. */
  readonly updated_at: Temporal.Instant | null
}

/** `amount` = product charges + overages + taxes + credits and adjustments, all in USD and added with their sign. */
export type InvoiceSummary = {
  readonly amount: string
  readonly product_charges: {
    readonly amount: string
    readonly items: readonly { readonly name: string; readonly amount: string }[]
  }
  readonly overages: string
  readonly taxes: string
  readonly credits_and_adjustments: string
}

const Charge = Type.Object({ amount: Amount })

export const BalanceAnswer = Type.Object({
  month_to_date_balance: Amount,
  account_balance: Amount,
  month_to_date_usage: Amount,
  generated_at: Time,
})

const BillingEntryAnswer = Type.Object({
  type: Type.String(),
  date: Time,
  amount: Amount,
  description: Type.String(),
  invoice_id: Maybe(Identifier),
  invoice_uuid: Maybe(Type.String()),
})

const InvoiceHeaderAnswer = Type.Object({
  invoice_uuid: Type.String({ minLength: 1 }),
  invoice_id: Identifier,
  amount: Amount,
  invoice_period: Type.String({ pattern: `^${YEAR_PATTERN}-(0[1-9]|1[0-2])$` }),
  updated_at: Maybe(Time),
})

const InvoiceItemAnswer = Type.Object({
  product: Type.String({ minLength: 1 }),
  group_description: Maybe(Type.String()),
  description: Type.String(),
  amount: Amount,
  duration: Maybe(Quantity),
  duration_unit: Maybe(Type.String()),
  start_time: Maybe(Time),
  end_time: Maybe(Time),
  project_name: Maybe(Type.String()),
  category: Maybe(Type.String()),
  resource_id: Maybe(Identifier),
  resource_uuid: Maybe(Type.String()),
})

export const InvoiceSummaryAnswer = Type.Object({
  amount: Amount,
  product_charges: Type.Object({
    amount: Amount,
    items: Type.Array(Type.Object({ name: Type.String(), amount: Amount })),
  }),
  overages: Charge,
  taxes: Charge,
  credits_and_adjustments: Charge,
})

export const BillingHistoryPage = Type.Object({ links: Links, billing_history: Type.Array(BillingEntryAnswer) })
export const InvoicesPage = Type.Object({
  links: Links,
  invoices: Type.Array(InvoiceHeaderAnswer),
  invoice_preview: Type.Optional(Type.Union([InvoiceHeaderAnswer, Type.Null()])),
})
export const InvoiceItemsPage = Type.Object({ links: Links, invoice_items: Type.Array(InvoiceItemAnswer) })

export function toBalance(answer: Static<typeof BalanceAnswer>): Balance {
  return {
    month_to_date_balance: normalised(answer.month_to_date_balance),
    account_balance: normalised(answer.account_balance),
    month_to_date_usage: normalised(answer.month_to_date_usage),
    generated_at: Temporal.Instant.from(answer.generated_at),
  }
}

export function toBillingEntry(answer: Static<typeof BillingEntryAnswer>): BillingEntry {
  return {
    type: answer.type,
    date: Temporal.Instant.from(answer.date),
    amount: normalised(answer.amount),
    description: answer.description,
    invoice_id: textOrNull(answer.invoice_id),
    invoice_uuid: textOrNull(answer.invoice_uuid),
  }
}

export function toInvoiceHeader(answer: Static<typeof InvoiceHeaderAnswer>): InvoiceHeader {
  return {
    invoice_uuid: answer.invoice_uuid,
    invoice_id: String(answer.invoice_id),
    amount: normalised(answer.amount),
    invoice_period: answer.invoice_period,
    updated_at: instantOrNull(answer.updated_at),
  }
}

export function toInvoiceItem(answer: Static<typeof InvoiceItemAnswer>): InvoiceItem {
  const [start, end] = [instantOrNull(answer.start_time), instantOrNull(answer.end_time)]
  return {
    product: answer.product,
    group_description: textOrNull(answer.group_description),
    description: answer.description,
    amount: normalised(answer.amount),
    duration: answer.duration ? normalised(answer.duration) : null,
    duration_unit: textOrNull(answer.duration_unit)?.toLowerCase() ?? null,
    start,
    end: end && laterInstant(start ?? end, exclusiveEnd(end)),
    project_name: textOrNull(answer.project_name),
    category: textOrNull(answer.category),
    resource_id: textOrNull(answer.resource_id),
    resource_uuid: textOrNull(answer.resource_uuid),
    extra: null,
  }
}

export function toInvoiceSummary(answer: Static<typeof InvoiceSummaryAnswer>): InvoiceSummary {
  return {
    amount: normalised(answer.amount),
    product_charges: {
      amount: normalised(answer.product_charges.amount),
      items: answer.product_charges.items.map(({ name, amount }) => ({ name, amount: normalised(amount) })),
    },
    overages: normalised(answer.overages.amount),
    taxes: normalised(answer.taxes.amount),
    credits_and_adjustments: normalised(answer.credits_and_adjustments.amount),
  }
}
