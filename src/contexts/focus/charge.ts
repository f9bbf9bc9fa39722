import { type Decimal, decimal, plain, roundPrecise, ZERO } from '../../kernel/decimal.ts'
import type { Window } from '../../kernel/period.ts'
import type { ChargeCategory } from '../../providers/bill-line.ts'
import { FOCUS_COLUMNS, type FocusColumn, type FocusRow } from './row.ts'
import type { Service } from './service.ts'

export type Measured = { readonly quantity: string; readonly unit: string }
export type Named = { readonly id: string; readonly name: string | null; readonly type: string }

/** A charge as both views know it: a line of a provider's bill, or a line of an invoice. Amounts are exact, in major units. */
export type Charge = {
  readonly category: ChargeCategory
  /** Of an earlier billing period that was invoiced already. */
  readonly is_correction: boolean
  readonly frequency: 'One-Time' | 'Recurring' | 'Usage-Based'
  readonly description: string
  readonly period: Window
  readonly billing_period: Window
  /** Null while there is no invoice. */
  readonly invoice_id: string | null
  readonly account: Named
  readonly sub_account: Named | null
  readonly provider_name: string
  readonly publisher_name: string
  readonly issuer_name: string
  readonly currency: string
  readonly billed_cost: string
  readonly list_cost: string
  readonly contracted_cost: string
  readonly effective_cost: string
  /** What of the charge as it was billed this is: 1, or a share of it. The shares of a charge add up to 1. */
  readonly part: string
  /** What was priced and what was used; null where nobody counted. */
  readonly priced: Measured | null
  readonly consumed: Measured | null
  readonly service: Service
  readonly resource: Named | null
  readonly region: { readonly id: string; readonly name: string } | null
  readonly tags: Readonly<Record<string, string | number | boolean | null>>
  /** Columns that only the provider can know (commitments, SKUs, …), as it said them. */
  readonly given: Partial<FocusRow>
}

/** The charge as a row of FOCUS 1.2. What nobody knows is null. */
export function focusRow(charge: Charge): FocusRow {
  const { account, sub_account, region, resource, service } = charge
  return {
    ...NOTHING,
    ...charge.given,
    ...pricingColumns(charge),
    BilledCost: charge.billed_cost,
    BillingAccountId: account.id,
    BillingAccountName: account.name,
    BillingAccountType: account.type,
    BillingCurrency: charge.currency,
    BillingPeriodStart: timeText(charge.billing_period.start),
    BillingPeriodEnd: timeText(charge.billing_period.end),
    ChargeCategory: charge.category,
    ChargeClass: charge.is_correction ? 'Correction' : null,
    ChargeDescription: charge.description,
    ChargeFrequency: charge.frequency,
    ChargePeriodStart: timeText(charge.period.start),
    ChargePeriodEnd: timeText(charge.period.end),
    ContractedCost: charge.contracted_cost,
    // By its words the rule EffectiveCost-C-005-C speaks of purchases ahead only; by its check, of every purchase.
    EffectiveCost: charge.category === 'Purchase' ? '0' : charge.effective_cost,
    InvoiceId: charge.invoice_id,
    // What another than the provider is paid for must be 0 (rule BilledCost-C-005-C), so that nothing else may name it.
    InvoiceIssuerName: decimal(charge.billed_cost).eq(ZERO) ? charge.issuer_name : charge.provider_name,
    ListCost: charge.list_cost,
    ProviderName: charge.provider_name,
    PublisherName: charge.publisher_name,
    RegionId: region?.id ?? null,
    RegionName: region?.name ?? null,
    ResourceId: resource?.id ?? null,
    ResourceName: resource?.name ?? null,
    ResourceType: resource?.type ?? null,
    ServiceCategory: service.category,
    ServiceName: service.name,
    ServiceSubcategory: service.subcategory,
    SubAccountId: sub_account?.id ?? null,
    SubAccountName: sub_account?.name ?? null,
    SubAccountType: sub_account?.type ?? null,
    Tags: Object.keys(charge.tags).length === 0 ? null : JSON.stringify(charge.tags),
  }
}

const NOTHING = Object.fromEntries(FOCUS_COLUMNS.map((column) => [column, null])) as FocusRow

type PricingColumn = Extract<
  FocusColumn,
  `${'Pricing' | 'Consumed'}${'Quantity' | 'Unit'}` | `${'List' | 'Contracted'}UnitPrice` | 'PricingCategory'
>

const NOT_PRICED: Pick<FocusRow, PricingColumn> = {
  ConsumedQuantity: null,
  ConsumedUnit: null,
  ContractedUnitPrice: null,
  ListUnitPrice: null,
  PricingCategory: null,
  PricingQuantity: null,
  PricingUnit: null,
}

/** Only usage and purchases have a price. Where nobody counted, the charge as a whole is what was priced. */
function pricingColumns({ category, priced, consumed, part, ...charge }: Charge): Pick<FocusRow, PricingColumn> {
  if (category !== 'Usage' && category !== 'Purchase') return NOT_PRICED
  const whole = { quantity: part, unit: 'Units' }
  const { quantity, unit } = priced ?? whole
  const used = category === 'Usage' ? (consumed ?? priced ?? whole) : null
  return {
    ConsumedQuantity: used?.quantity ?? null,
    ConsumedUnit: used && unitText(used.unit),
    ContractedUnitPrice: priced && unitPrice(charge.contracted_cost, quantity),
    ListUnitPrice: priced && unitPrice(charge.list_cost, quantity),
    PricingCategory: PRICING_CATEGORIES.find((known) => known === charge.given.PricingCategory) ?? 'Standard',
    PricingQuantity: quantity,
    PricingUnit: unitText(unit),
  }
}

const PRICING_CATEGORIES = ['Standard', 'Committed', 'Dynamic', 'Other']

/** The price of which the quantity makes exactly the cost; null where there is none that can be written. */
function unitPrice(cost_text: string, quantity_text: string): string | null {
  const [cost, quantity]: [Decimal, Decimal] = [decimal(cost_text), decimal(quantity_text)]
  if (quantity.eq(ZERO)) return null
  const price = roundPrecise(cost.div(quantity))
  return price.gte(ZERO) && price.times(quantity).eq(cost) ? plain(price) : null
}

/** `hours` → `Hours`, `GB·h` → `GB-Hours`, as the unit format of FOCUS spells them; symbols such as `kB` stay. */
function unitText(unit: string): string {
  return unit
    .split(/[·*-]/)
    .map((part) => TIMES[part.toLowerCase()] ?? part.replace(/^[a-z](?=[a-z]{2})/, (letter) => letter.toUpperCase()))
    .join('-')
}

const TIMES: Readonly<Record<string, string>> = {
  h: 'Hours',
  hour: 'Hours',
  min: 'Minutes',
  minute: 'Minutes',
  s: 'Seconds',
  second: 'Seconds',
  day: 'Days',
  month: 'Months',
}

/** To the second, as the format asks; a bill knows nothing finer. */
function timeText(time: Temporal.Instant): string {
  return time.toString({ smallestUnit: 'second' })
}
