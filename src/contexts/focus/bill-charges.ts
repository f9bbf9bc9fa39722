import { type Decimal, decimal, fromUnits, ONE, plain, toUnits, ZERO } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { splitByLargestRemainder } from '../../kernel/money.ts'
import { instantsOf, type Period, type Window } from '../../kernel/period.ts'
import { type ChargeCategory, PROVIDER_ZONE } from '../../providers/bill-line.ts'
import { readQuantity } from '../../providers/focus/index.ts'
import type { Charge, Measured, Named } from './charge.ts'
import type { FocusColumn, FocusRow } from './row.ts'
import { serviceOf } from './service.ts'

export type Bill = {
  readonly id: string
  readonly provider: string
  readonly invoice_number: string | null
  readonly status: 'issued' | 'preview'
  readonly currency: string
  readonly period: Period
  readonly amount: string
  readonly lines_amount: string
}

/** A line with its owner, or its shares; `deployment` is a slug. */
export type Line = {
  readonly position: number
  readonly kind: string
  readonly description: string
  readonly charge_category: ChargeCategory
  readonly amount: string
  readonly charge_start: Temporal.Instant
  readonly charge_end: Temporal.Instant
  readonly quantity: string | null
  readonly unit: string | null
  readonly project: string | null
  readonly external_resource_id: string | null
  readonly resource_name: string | null
  readonly service_category: string
  readonly service_name: string
  readonly region: string | null
  readonly extra: Readonly<Record<string, string>> | null
  readonly owner: Owner | null
  readonly shares: readonly Share[]
}

type Owner = { readonly tenant_id: string; readonly deployment: string }
type Share = Owner & { readonly amount: string; readonly weight: string | null }

/** A line as charges: one, or one for each share of it. Their costs and quantities add up to those of the line. */
export function chargesOf(bill: Bill, line: Line): Charge[] {
  const whole = wholeCharge(bill, line)
  if (line.shares.length === 0) return [{ ...whole, tags: tagsOf(line, line.owner) }]
  const parts = splitCharge(whole, line.shares)
  return line.shares.map((share, index) => ({
    ...present(parts[index], 'each share has its part'),
    billed_cost: share.amount,
    tags: tagsOf(line, share),
  }))
}

/** What is billed and on no line of the bill; undefined when the lines explain all of it. */
export function unexplainedCharge(bill: Bill): Charge | undefined {
  const gap = decimal(bill.amount).minus(decimal(bill.lines_amount))
  if (gap.eq(ZERO)) return undefined
  const window = instantsOf(bill.period, PROVIDER_ZONE)
  return wholeCharge(bill, {
    ...UNEXPLAINED,
    amount: plain(gap),
    charge_start: window.start,
    charge_end: window.end,
  })
}

const UNEXPLAINED: Omit<Line, 'amount' | 'charge_start' | 'charge_end'> = {
  position: -1,
  kind: 'unexplained',
  description: 'Not explained by lines',
  charge_category: 'Adjustment',
  quantity: null,
  unit: null,
  project: null,
  external_resource_id: null,
  resource_name: null,
  service_category: 'Other',
  service_name: 'Not explained by lines',
  region: null,
  extra: null,
  owner: null,
  shares: [],
}

function wholeCharge(bill: Bill, line: Line): Charge {
  const billing_period = instantsOf(bill.period, PROVIDER_ZONE)
  const extra = line.extra ?? {}
  const provider_name = extra['ProviderName'] ?? PROVIDER_NAMES[bill.provider] ?? bill.provider
  return {
    category: line.charge_category,
    is_correction: isCorrection(line, billing_period),
    frequency: frequencyOf(line),
    description: line.description,
    period: { start: line.charge_start, end: line.charge_end },
    billing_period,
    invoice_id: bill.status === 'issued' ? bill.invoice_number : null,
    // Bills that are not FOCUS files do not name the account: there is one per provider.
    account: named(extra, 'BillingAccount', { id: bill.provider, name: null, type: 'Account' }),
    sub_account: subAccountOf(line),
    provider_name,
    publisher_name: extra['PublisherName'] ?? provider_name,
    issuer_name: extra['InvoiceIssuerName'] ?? provider_name,
    currency: bill.currency,
    ...costs(line.amount, extra),
    part: '1',
    priced: line.quantity === null ? null : { quantity: line.quantity, unit: line.unit ?? 'Units' },
    consumed: consumedOf(extra),
    service: serviceOf({
      name: line.service_name,
      category: line.service_category,
      subcategory: extra['ServiceSubcategory'],
      kind: line.kind,
    }),
    resource: resourceOf(line),
    region: line.region === null ? null : { id: line.region, name: extra['RegionName'] ?? line.region },
    tags: {},
    given: givenColumns(extra),
  }
}

const PROVIDER_NAMES: Readonly<Record<string, string>> = { digitalocean: 'DigitalOcean' }

type Extra = Readonly<Record<string, string>>

function costs(
  amount: string,
  extra: Extra,
): Pick<Charge, 'billed_cost' | 'list_cost' | 'contracted_cost' | 'effective_cost'> {
  const given = (column: FocusColumn) => numberIn(extra, column) ?? amount
  return {
    billed_cost: amount,
    list_cost: given('ListCost'),
    contracted_cost: given('ContractedCost'),
    effective_cost: given('EffectiveCost'),
  }
}

function isCorrection({ charge_category, charge_end, extra }: Line, billing: Window): boolean {
  if (extra?.['ChargeClass'] !== undefined) return extra['ChargeClass'] === 'Correction'
  return charge_category === 'Adjustment' && Temporal.Instant.compare(charge_end, billing.start) <= 0
}

function frequencyOf({ charge_category, extra }: Line): Charge['frequency'] {
  const given = FREQUENCIES.find((known) => known === extra?.['ChargeFrequency'])
  if (given !== undefined && !(given === 'Usage-Based' && charge_category === 'Purchase')) return given
  if (charge_category === 'Usage') return 'Usage-Based'
  return charge_category === 'Purchase' ? 'Recurring' : 'One-Time'
}

const FREQUENCIES = ['One-Time', 'Recurring', 'Usage-Based'] as const

function subAccountOf({ project, extra }: Line): Named | null {
  if (project === null) return null
  return named(extra ?? {}, 'SubAccount', { id: project, name: project, type: 'Project' })
}

function resourceOf({ external_resource_id, resource_name, kind, extra }: Line): Named | null {
  if (external_resource_id === null) return null
  return { id: external_resource_id, name: resource_name, type: extra?.['ResourceType'] ?? titleOf(kind) }
}

function named(extra: Extra, prefix: 'BillingAccount' | 'SubAccount', otherwise: Named): Named {
  return {
    id: extra[`${prefix}Id`] ?? otherwise.id,
    name: extra[`${prefix}Name`] ?? otherwise.name,
    type: extra[`${prefix}Type`] ?? otherwise.type,
  }
}

/** `load_balancer` → `Load Balancer` */
function titleOf(kind: string): string {
  return kind
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')
}

function consumedOf(extra: Extra): Measured | null {
  const quantity = numberIn(extra, 'ConsumedQuantity')
  return quantity === null ? null : { quantity, unit: extra['ConsumedUnit'] ?? 'Units' }
}

/** In proportion to the money; where there is none, by what it would have been shared by. */
function splitCharge(whole: Charge, shares: readonly Share[]): Charge[] {
  const weights = weightsOf(shares)
  const split = (value: string) => {
    const parts = splitExactly(value, weights)
    return (index: number) => present(parts[index], 'each share has its part')
  }
  const [list_cost, contracted_cost] = [split(whole.list_cost), split(whole.contracted_cost)]
  const [effective_cost, part] = [split(whole.effective_cost), split(whole.part)]
  const [priced, consumed] = [split(whole.priced?.quantity ?? '0'), split(whole.consumed?.quantity ?? '0')]
  const given = GIVEN_TOTALS.map((column) => [column, split(whole.given[column] ?? '0')] as const)
  return shares.map((_, index) => ({
    ...whole,
    list_cost: list_cost(index),
    contracted_cost: contracted_cost(index),
    effective_cost: effective_cost(index),
    part: part(index),
    priced: whole.priced && { ...whole.priced, quantity: priced(index) },
    consumed: whole.consumed && { ...whole.consumed, quantity: consumed(index) },
    given: {
      ...whole.given,
      ...Object.fromEntries(given.map(([column, partAt]) => [column, whole.given[column] && partAt(index)])),
    },
  }))
}

function weightsOf(shares: readonly Share[]): Decimal[] {
  const billed = shares.map(({ amount }) => decimal(amount).abs())
  if (billed.some((amount) => amount.gt(ZERO))) return billed
  return shares.map(({ weight }) => (weight === null ? ONE : decimal(weight)))
}

/** Digits after the point of a part that does not come out even. */
const PART_PLACES = 20

function splitExactly(value: string, weights: readonly Decimal[]): string[] {
  const places = Math.max(PART_PLACES, value.split('.')[1]?.length ?? 0)
  const parts = splitByLargestRemainder(toUnits(decimal(value), places), weights)
  return parts.map((units) => plain(fromUnits(units, places)))
}

const GIVEN_TEXTS = [
  'AvailabilityZone',
  'CapacityReservationId',
  'CapacityReservationStatus',
  'CommitmentDiscountCategory',
  'CommitmentDiscountId',
  'CommitmentDiscountName',
  'CommitmentDiscountStatus',
  'CommitmentDiscountType',
  'CommitmentDiscountUnit',
  'PricingCategory',
  'PricingCurrency',
  'SkuId',
  'SkuMeter',
  'SkuPriceDetails',
  'SkuPriceId',
] as const satisfies readonly FocusColumn[]
/** What adds up over the shares of a charge. */
const GIVEN_TOTALS = [
  'CommitmentDiscountQuantity',
  'PricingCurrencyEffectiveCost',
] as const satisfies readonly FocusColumn[]
const GIVEN_NUMBERS = [
  ...GIVEN_TOTALS,
  'PricingCurrencyContractedUnitPrice',
  'PricingCurrencyListUnitPrice',
] as const satisfies readonly FocusColumn[]

function givenColumns(extra: Extra): Partial<FocusRow> {
  return Object.fromEntries([
    ...GIVEN_TEXTS.map((column) => [column, extra[column] ?? null]),
    ...GIVEN_NUMBERS.map((column) => [column, numberIn(extra, column)]),
  ])
}

function numberIn(extra: Extra, column: FocusColumn): string | null {
  const text = extra[column]
  return (text === undefined ? undefined : readQuantity(text)) ?? null
}

/** The provider's own, and whose cost it is. */
function tagsOf({ extra }: Line, owner: Owner | null): Charge['tags'] {
  return { ...flatTags(extra?.['Tags']), ...(owner && ownerTags(owner)) }
}

/** Keys of ours have a prefix of ours, as the format asks of whoever adds tags. */
function ownerTags({ tenant_id, deployment }: Owner): Charge['tags'] {
  return { 'arcadia/tenant': tenant_id, 'arcadia/deployment': deployment }
}

/** Tags are a JSON object of single values; what is none is no tag. */
function flatTags(text: string | undefined): Charge['tags'] {
  const tags = text === undefined ? null : parsed(text)
  if (tags === null || typeof tags !== 'object' || Array.isArray(tags)) return {}
  return Object.fromEntries(Object.entries(tags).filter(([, value]) => value === null || typeof value !== 'object'))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
