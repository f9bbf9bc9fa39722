import { type Static, type TSchema, Type } from 'typebox'

import { decimal, plain } from '../../kernel/decimal.ts'
import { exclusiveEnd, type InvoiceItem, NUMBER_PATTERN } from './item.ts'

/**
 * What the API answers, as schemas, and how each answer becomes a value of ours. Fields that are not named here are
 * ignored. The document of the API marks hardly anything as required; what is required here is what a bill cannot be
 * read without. Amounts must be strings, as documented: a JSON number has already been through binary floating point.
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

export type Droplet = {
  readonly id: string
  readonly name: string
  /** `new`, `active`, `off` (still billed) or `archive`. */
  readonly status: string
  /** The slug of the size, `s-1vcpu-2gb`. */
  readonly size: string
  /** The slug of the region, `syd1`. */
  readonly region: string
  readonly tags: readonly string[]
  readonly created_at: Temporal.Instant
  /** USD. The API's `price_hourly` is noise; an hour costs this ÷ 672. */
  readonly price_monthly: string
}

export type Volume = {
  readonly id: string
  readonly name: string
  /** GiB */
  readonly size_gigabytes: number
  readonly region: string
  readonly tags: readonly string[]
  readonly created_at: Temporal.Instant
}

const Amount = Type.String({ pattern: NUMBER_PATTERN })
const Time = Type.String({ format: 'date-time' })
const Identifier = Type.Union([Type.String(), Type.Integer()])
const Region = Type.Object({ slug: Type.String() })
const Charge = Type.Object({ amount: Amount })
const Tags = Type.Array(Type.String())

/** Left out, null and blank are three spellings of the same in this API. */
const Maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Literal(''), Type.Null()]))

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
  invoice_period: Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$' }),
  updated_at: Maybe(Time),
})

const InvoiceItemAnswer = Type.Object({
  product: Type.String({ minLength: 1 }),
  group_description: Maybe(Type.String()),
  description: Type.String(),
  amount: Amount,
  duration: Maybe(Amount),
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

const DropletAnswer = Type.Object({
  id: Identifier,
  name: Type.String(),
  status: Type.String(),
  size_slug: Type.String(),
  size: Type.Object({ price_monthly: Type.Number({ minimum: 0, maximum: 1_000_000 }) }),
  region: Region,
  tags: Tags,
  created_at: Time,
})

const VolumeAnswer = Type.Object({
  id: Type.String(),
  name: Type.String(),
  size_gigabytes: Type.Integer({ minimum: 0 }),
  region: Region,
  tags: Type.Union([Tags, Type.Null()]),
  created_at: Time,
})

/** `links` may be `{}` or missing on a last page. */
const Links = Type.Optional(Type.Object({ pages: Type.Optional(Type.Object({ next: Maybe(Type.String()) })) }))

export const BillingHistoryPage = Type.Object({ links: Links, billing_history: Type.Array(BillingEntryAnswer) })
export const InvoicesPage = Type.Object({
  links: Links,
  invoices: Type.Array(InvoiceHeaderAnswer),
  invoice_preview: Type.Optional(Type.Union([InvoiceHeaderAnswer, Type.Null()])),
})
export const InvoiceItemsPage = Type.Object({ links: Links, invoice_items: Type.Array(InvoiceItemAnswer) })
export const DropletsPage = Type.Object({ links: Links, droplets: Type.Array(DropletAnswer) })
export const VolumesPage = Type.Object({ links: Links, volumes: Type.Array(VolumeAnswer) })

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
  const end = instantOrNull(answer.end_time)
  return {
    product: answer.product,
    group_description: textOrNull(answer.group_description),
    description: answer.description,
    amount: normalised(answer.amount),
    duration: answer.duration ? normalised(answer.duration) : null,
    duration_unit: textOrNull(answer.duration_unit)?.toLowerCase() ?? null,
    start: instantOrNull(answer.start_time),
    end: end && exclusiveEnd(end),
    project_name: textOrNull(answer.project_name),
    category: textOrNull(answer.category),
    resource_id: textOrNull(answer.resource_id),
    resource_uuid: textOrNull(answer.resource_uuid),
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

export function toDroplet(answer: Static<typeof DropletAnswer>): Droplet {
  return {
    id: String(answer.id),
    name: answer.name,
    status: answer.status,
    size: answer.size_slug,
    region: answer.region.slug,
    tags: answer.tags,
    created_at: Temporal.Instant.from(answer.created_at),
    // The one price that comes as a JSON number. It is a price of whole cents; the digits below are a float's noise.
    price_monthly: normalised(answer.size.price_monthly.toFixed(2)),
  }
}

export function toVolume(answer: Static<typeof VolumeAnswer>): Volume {
  return {
    id: answer.id,
    name: answer.name,
    size_gigabytes: answer.size_gigabytes,
    region: answer.region.slug,
    tags: answer.tags ?? [],
    created_at: Temporal.Instant.from(answer.created_at),
  }
}

function normalised(amount: string): string {
  return plain(decimal(amount))
}

function textOrNull(value: string | number | null | undefined): string | null {
  return value === null || value === undefined || value === '' ? null : String(value)
}

function instantOrNull(value: string | null | undefined): Temporal.Instant | null {
  return value ? Temporal.Instant.from(value) : null
}
