import { isCurrency } from '../../kernel/money.ts'
import { monthOf, type Period, YEARS_TAKEN } from '../../kernel/period.ts'
import {
  type BillLine,
  CHARGE_CATEGORIES,
  type ChargeCategory,
  SERVICE_CATEGORIES,
  type ServiceCategory,
  UNCLASSIFIED,
} from '../bill-line.ts'
import type { BillDefaults, BillKey, BillRow, CsvFault, CsvFaults, RowReader } from '../bill-reader.ts'
import { unguardedCell } from '../csv.ts'
import { type Columns, type CsvRow, extraOf, optional, refuse, required, textOf } from '../csv-row.ts'
import { providerOf, readClock, readNumber, readQuantity, readTime, snakeCase, tagsText } from './values.ts'

/**
 * Whether these are the columns of a FOCUS file (FinOps Open Cost and Usage Specification): no other format of bills has
 * any of its names, so that two of them tell it even where a needed one is missing.
 */
export function isFocusHeader(names: readonly string[]): boolean {
  const found = new Set(names.map(normalized))
  return COLUMNS.filter((column) => found.has(normalized(column))).length >= 2
}

/**
 * A reader of FOCUS 1.0 to 1.4, in any order of columns and any case; a few names of 0.5 and the previews are understood
 * too. A column without a place in a line, custom ones (`x_…`) and tags among them, is kept in `extra` as it was. The
 * bill of a row is its provider, issuer, billing account, billing period, invoice (from 1.2 on) and currency. What the
 * file does not say is as in `defaults`; a file of which the provider is said may be a bare list of costs: it may leave
 * out the kind of charge, which is usage then, and the charge periods, which are the billing period.
 */
export function createFocusReader(header: readonly string[], defaults: BillDefaults = {}): RowReader | CsvFaults {
  const found = locateColumns(header, defaults)
  if ('faults' in found) return found
  const billOf = createBillKeys(defaults)
  const context = { defaults, billOf }
  return {
    read: (cells, number) => readRow({ cells: cells.map(unguardedCell), number, columns: found, faults: [] }, context),
  }
}

const REQUIRED_COLUMNS = [
  'BilledCost',
  'BillingCurrency',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ProviderName',
] as const
const OPTIONAL_COLUMNS = [
  'BillingAccountId',
  'BillingPeriodEnd',
  'ChargeDescription',
  'ConsumedQuantity',
  'ConsumedUnit',
  'InvoiceId',
  'InvoiceIssuerName',
  'PricingQuantity',
  'PricingUnit',
  'RegionId',
  'ResourceId',
  'ResourceName',
  'ResourceType',
  'ServiceCategory',
  'ServiceName',
  'ServiceSubcategory',
  'SubAccountName',
  'Tags',
] as const
const COLUMNS = [...REQUIRED_COLUMNS, ...OPTIONAL_COLUMNS]
type Column = (typeof COLUMNS)[number]

/** As FOCUS 0.5 and the preview of 1.0 called them, and what 1.3 calls the provider. */
const OTHER_NAMES: Partial<Record<Column, readonly string[]>> = {
  ChargeCategory: ['ChargeType'],
  ConsumedQuantity: ['UsageQuantity'],
  ConsumedUnit: ['UsageUnit'],
  ProviderName: ['ServiceProviderName', 'Provider'],
  RegionId: ['Region'],
}

/**
 * What a line tells in full in words of ours. The others stay in `extra` beside it: a kind, for example, does not bring
 * back the provider's own name of its type.
 */
const TOLD_IN_FULL: ReadonlySet<Column> = new Set<Column>([
  'BilledCost',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeDescription',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'InvoiceId',
  'PricingQuantity',
  'PricingUnit',
  'RegionId',
  'ResourceId',
  'ResourceName',
  'ServiceName',
  'SubAccountName',
])

function locateColumns(header: readonly string[], defaults: BillDefaults): Columns<Column> | CsvFaults {
  const names = header.map(normalized)
  const at = new Map<Column, number>()
  const called = new Map<Column, string>()
  const faults: CsvFault[] = []
  const stated = statedFor(names, defaults)
  for (const column of COLUMNS) {
    const name = spellingsOf(column).find((spelling) => names.includes(spelling))
    if (name !== undefined) at.set(column, names.indexOf(name))
    if (name !== undefined && name !== normalized(column)) called.set(column, header[names.indexOf(name)] ?? column)
    if (name !== undefined && names.indexOf(name) !== names.lastIndexOf(name))
      faults.push({ row: 1, column, message: 'expected this column once' })
    if (name === undefined && isRequired(column) && !stated.has(column))
      faults.push({ row: 1, column, message: `expected this column in the header${insteadOf(column, names)}` })
  }
  return faults.length > 0 ? { faults } : { at, called, extra: extraColumns(header, at) }
}

/** The columns that need not be there, because what they would say is stated of the whole file. */
function statedFor(names: readonly string[], defaults: BillDefaults): ReadonlySet<Column> {
  const stated = new Set<Column>()
  if (defaults.currency !== undefined) stated.add('BillingCurrency')
  if (defaults.period !== undefined) stated.add('BillingPeriodStart')
  if (defaults.provider === undefined) return stated
  stated.add('ProviderName').add('ChargeCategory')
  const hasChargePeriod = CHARGE_PERIOD.some((column) => names.includes(normalized(column)))
  if (!hasChargePeriod) for (const column of CHARGE_PERIOD) stated.add(column)
  return stated
}

const CHARGE_PERIOD = ['ChargePeriodStart', 'ChargePeriodEnd'] as const

/** How to say it of the whole file: of a file without a provider's name, also what comes with that. */
function insteadOf(column: Column, names: readonly string[]): string {
  const isList = !spellingsOf('ProviderName').some((spelling) => names.includes(spelling))
  const assumed = isList && statedFor(names, { provider: 'any' }).has(column) ? STATED_BY.ProviderName : undefined
  const name = STATED_BY[column] ?? assumed
  return name === undefined ? '' : `, or ${name} for the whole file`
}

const STATED_BY: Partial<Record<Column, string>> = {
  BillingCurrency: 'currency=USD',
  BillingPeriodStart: 'period=2026-04',
  ProviderName: 'provider=example-cloud',
}

/** Names as the file spells a custom column, and as the specification spells its own. */
function extraColumns(header: readonly string[], at: ReadonlyMap<Column, number>): Columns<Column>['extra'] {
  const known = new Map([...at].map(([column, index]) => [index, column]))
  return header.flatMap((name, index) => {
    const column = known.get(index)
    if (column === undefined) return { index, name: name.trim() }
    return TOLD_IN_FULL.has(column) ? [] : { index, name: column }
  })
}

function spellingsOf(column: Column): string[] {
  return [column, ...(OTHER_NAMES[column] ?? [])].map(normalized)
}

function isRequired(column: Column): boolean {
  return REQUIRED_COLUMNS.some((required) => required === column)
}

function normalized(name: string): string {
  return name.trim().toLowerCase()
}

type Row = CsvRow<Column>

type Context = { readonly defaults: BillDefaults; readonly billOf: (row: Row) => BillKey | null }

function readRow(row: Row, { defaults, billOf }: Context): BillRow | CsvFaults {
  const bill = billOf(row)
  const amount = required(row, 'BilledCost', readNumber, 'a number such as 12.5 or 1e-05')
  const charge_category = readChargeCategory(row)
  const { start, end } = readChargePeriod(row)
  const measured = readQuantities(row)
  if (bill === null || amount === null || charge_category === null || row.faults.length > 0)
    return { faults: row.faults }
  const service = readService(row, charge_category, defaults)
  return {
    bill,
    line: {
      ...service,
      ...measured,
      charge_category,
      product: service.service_name,
      group_description: null,
      description: textOf(row, 'ChargeDescription') ?? textOf(row, 'ResourceName') ?? service.service_name,
      amount,
      start,
      end,
      project: textOf(row, 'SubAccountName'),
      external_resource_id: textOf(row, 'ResourceId'),
      external_resource_uuid: null,
      resource_name: textOf(row, 'ResourceName'),
      region: textOf(row, 'RegionId'),
      extra: withTagsText(extraOf(row)),
    },
  }
}

/** Where a file may leave the column out, it is a list of what was used. */
function readChargeCategory(row: Row): ChargeCategory | null {
  if (!row.columns.at.has('ChargeCategory')) return 'Usage'
  return required(row, 'ChargeCategory', chargeCategoryOf, `one of ${CHARGE_CATEGORIES.join(', ')}`)
}

/** Null: the charge is for the billing period. */
function readChargePeriod(row: Row): Pick<BillLine, 'start' | 'end'> {
  if (!row.columns.at.has('ChargePeriodStart')) return { start: null, end: null }
  const start = required(row, 'ChargePeriodStart', readTime, A_TIME)
  const end = required(row, 'ChargePeriodEnd', readTime, A_TIME)
  if (start && end && Temporal.Instant.compare(end, start) < 0)
    refuse(row, 'ChargePeriodEnd', 'a time that is not before the start')
  return { start, end }
}

/** One spelling of tags, for all who read them. */
function withTagsText(extra: BillLine['extra']): BillLine['extra'] {
  const tags = extra?.['Tags']
  return tags === undefined ? extra : { ...extra, Tags: tagsText(tags) }
}

const A_TIME = `a time such as 2026-04-01T00:00:00Z, ${YEARS_TAKEN}`

const KEY_COLUMNS = [
  'ProviderName',
  'InvoiceIssuerName',
  'BillingAccountId',
  'BillingPeriodStart',
  'BillingPeriodEnd',
  'InvoiceId',
  'BillingCurrency',
] as const

/** Rows of one bill mostly follow each other, so the last key is kept and given out again. */
function createBillKeys(defaults: BillDefaults): (row: Row) => BillKey | null {
  let last: { readonly cells: readonly (string | null)[]; readonly key: BillKey } | undefined
  return (row) => {
    const cells = KEY_COLUMNS.map((column) => textOf(row, column))
    if (last?.cells.every((cell, index) => cell === cells[index])) return last.key
    const key = readBillKey(row, defaults)
    if (key !== null) last = { cells, key }
    return key
  }
}

function readBillKey(row: Row, defaults: BillDefaults): BillKey | null {
  const provider = orStated(
    row,
    { column: 'ProviderName', stated: defaults.provider, expected: A_PROVIDER },
    providerOf,
  )
  const currency = orStated(
    row,
    { column: 'BillingCurrency', stated: defaults.currency, expected: 'an ISO 4217 code such as USD' },
    currencyOf,
  )
  const billing_period = readBillingPeriod(row, defaults)
  if (provider === null || currency === null || billing_period === null) return null
  const [billing_account, invoice_number] = [textOf(row, 'BillingAccountId'), textOf(row, 'InvoiceId')]
  return {
    provider,
    billing_account,
    billing_period,
    invoice_number,
    currency,
    issuer_name: textOf(row, 'InvoiceIssuerName'),
  }
}

/** What is stated of the whole file where the row does not say it. */
function orStated(
  row: Row,
  { column, stated, expected }: { column: Column; stated: string | undefined; expected: string },
  read: (text: string) => string | undefined,
): string | null {
  if (stated !== undefined && textOf(row, column) === null) return stated
  return required(row, column, read, expected)
}

const A_PROVIDER = 'the name of a provider, with a letter or a digit'

/**
 * The provider's calendar month, by the clock of whoever wrote it: an offset, an exclusive end, a last second and a last
 * day change nothing, and neither does midnight of the provider's zone that was turned into UTC. A period that is no month
 * is its days as they are written.
 */
function readBillingPeriod(row: Row, { period }: BillDefaults): Period | null {
  if (period !== undefined && textOf(row, 'BillingPeriodStart') === null) return period
  const start = required(row, 'BillingPeriodStart', readClock, A_TIME)
  const end = optional(row, 'BillingPeriodEnd', readClock, A_TIME)
  if (start === null) return null
  if (end === null) return monthOf(start.add(ZONE_MAX).toPlainDate())
  const month = monthAround(start, end)
  if (month !== null) return month
  // The last second of a day and the next midnight mean the same end.
  const after = end.add({ hours: 23, minutes: 59, seconds: 59 }).toPlainDate()
  const first = start.toPlainDate()
  if (Temporal.PlainDate.compare(after, first) > 0) return { start: first, end: after }
  refuse(row, 'BillingPeriodEnd', 'a time after the start of the billing period')
  return null
}

/** So far are the zones of the world from UTC, at most. */
const ZONE_MAX = Temporal.Duration.from({ hours: 14 })
const DAY = Temporal.Duration.from({ hours: 24 })

/** The month that begins and ends where the period does, give or take a zone and, at the end, the last day. */
function monthAround(start: Temporal.PlainDateTime, end: Temporal.PlainDateTime): Period | null {
  const month = monthOf(start.add(ZONE_MAX).toPlainDate())
  const [first, after] = [month.start.toPlainDateTime(), month.end.toPlainDateTime()]
  const isMonth =
    isWithin(start, first.subtract(ZONE_MAX), first.add(ZONE_MAX)) &&
    isWithin(end, after.subtract(ZONE_MAX).subtract(DAY), after.add(ZONE_MAX))
  return isMonth ? month : null
}

function isWithin(time: Temporal.PlainDateTime, from: Temporal.PlainDateTime, to: Temporal.PlainDateTime): boolean {
  return Temporal.PlainDateTime.compare(time, from) >= 0 && Temporal.PlainDateTime.compare(time, to) <= 0
}

/** What it was priced by; where the file does not say, what was used. */
function readQuantities(row: Row): Pick<BillLine, 'quantity' | 'unit'> {
  const priced = optional(row, 'PricingQuantity', readQuantity, 'a number such as 720, or nothing')
  const consumed = optional(row, 'ConsumedQuantity', readQuantity, 'a number such as 720, or nothing')
  if (priced !== null) return { quantity: priced, unit: textOf(row, 'PricingUnit') }
  return { quantity: consumed, unit: consumed === null ? null : textOf(row, 'ConsumedUnit') }
}

/** A service that its file puts into no category of the specification is kept, and shown as unclassified. */
function readService(
  row: Row,
  charge_category: ChargeCategory,
  defaults: BillDefaults,
): Pick<BillLine, 'kind' | 'service_category' | 'service_name'> {
  const service_name = textOf(row, 'ServiceName') ?? textOf(row, 'ProviderName') ?? defaults.provider ?? ''
  const stated = textOf(row, 'ServiceCategory')
  const service_category = stated === null ? defaults.service_category : serviceCategoryOf(stated)
  if (charge_category === 'Tax' || charge_category === 'Credit')
    return { kind: charge_category.toLowerCase(), service_category: service_category ?? 'Other', service_name }
  if (service_category === undefined) return { kind: UNCLASSIFIED, service_category: 'Other', service_name }
  const kind = snakeCase(textOf(row, 'ResourceType') ?? textOf(row, 'ServiceSubcategory') ?? service_name)
  return { kind: kind || UNCLASSIFIED, service_category, service_name }
}

const CHARGE_CATEGORY_BY_TEXT = new Map(CHARGE_CATEGORIES.map((category) => [category.toLowerCase(), category]))
const SERVICE_CATEGORY_BY_TEXT = new Map(SERVICE_CATEGORIES.map((category) => [category.toLowerCase(), category]))

function chargeCategoryOf(text: string): ChargeCategory | undefined {
  return CHARGE_CATEGORY_BY_TEXT.get(text.toLowerCase())
}

export function serviceCategoryOf(text: string): ServiceCategory | undefined {
  return SERVICE_CATEGORY_BY_TEXT.get(text.toLowerCase())
}

function currencyOf(text: string): string | undefined {
  const code = text.toUpperCase()
  return isCurrency(code) ? code : undefined
}
