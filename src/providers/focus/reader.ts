import { isCurrency } from '../../kernel/money.ts'
import { monthOf, type Period } from '../../kernel/period.ts'
import {
  type BillLine,
  CHARGE_CATEGORIES,
  type ChargeCategory,
  SERVICE_CATEGORIES,
  type ServiceCategory,
  UNCLASSIFIED,
} from '../bill-line.ts'
import type { BillKey, BillRow, CsvFault, CsvFaults, RowReader } from '../bill-reader.ts'
import { type Columns, type CsvRow, extraOf, optional, refuse, required, textOf } from '../csv-row.ts'
import { isNull, providerWord, readNumber, readTime, snakeCase } from './values.ts'

/**
 * Whether these are the columns of a FOCUS file (FinOps Open Cost and Usage Specification): no other format of bills has
 * any of its names, so that two of them tell it even where a needed one is missing.
 */
export function isFocusHeader(names: readonly string[]): boolean {
  const found = new Set(names.map(normalized))
  return COLUMNS.filter((column) => found.has(normalized(column))).length >= 2
}

/**
 * A reader of FOCUS 1.0 to 1.2, in any order of columns and any case; a few names of 0.5 and the previews are understood
 * too. A column without a place in a line, custom ones (`x_…`) and tags among them, is kept in `extra` as it was. The
 * bill of a row is its provider, billing account, billing period, invoice (1.2 only) and currency.
 */
export function createFocusReader(header: readonly string[]): RowReader | CsvFaults {
  const found = locateColumns(header)
  if ('faults' in found) return found
  const billOf = createBillKeys()
  return { read: (cells, number) => readRow({ cells, number, columns: found, faults: [] }, billOf) }
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
] as const
const COLUMNS = [...REQUIRED_COLUMNS, ...OPTIONAL_COLUMNS]
type Column = (typeof COLUMNS)[number]

/** As FOCUS 0.5 and the preview of 1.0 called them. */
const FORMER_NAMES: Partial<Record<Column, string>> = {
  ChargeCategory: 'ChargeType',
  ConsumedQuantity: 'UsageQuantity',
  ConsumedUnit: 'UsageUnit',
  ProviderName: 'Provider',
  RegionId: 'Region',
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

function locateColumns(header: readonly string[]): Columns<Column> | CsvFaults {
  const names = header.map(normalized)
  const at = new Map<Column, number>()
  const faults: CsvFault[] = []
  for (const column of COLUMNS) {
    const name = spellingsOf(column).find((spelling) => names.includes(spelling))
    if (name !== undefined) at.set(column, names.indexOf(name))
    if (name !== undefined && names.indexOf(name) !== names.lastIndexOf(name))
      faults.push({ row: 1, column, message: 'expected this column once' })
    if (name === undefined && isRequired(column))
      faults.push({ row: 1, column, message: 'expected this column in the header' })
  }
  return faults.length > 0 ? { faults } : { at, extra: extraColumns(header, at), isBlank: isNull }
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
  const former = FORMER_NAMES[column]
  return former === undefined ? [normalized(column)] : [normalized(column), normalized(former)]
}

function isRequired(column: Column): boolean {
  return REQUIRED_COLUMNS.some((required) => required === column)
}

function normalized(name: string): string {
  return name.trim().toLowerCase()
}

type Row = CsvRow<Column>

function readRow(row: Row, billOf: (row: Row) => BillKey | null): BillRow | CsvFaults {
  const bill = billOf(row)
  const amount = required(row, 'BilledCost', readNumber, 'a number such as 12.5 or 1e-05')
  const charge_category = required(row, 'ChargeCategory', chargeCategoryOf, `one of ${CHARGE_CATEGORIES.join(', ')}`)
  const start = required(row, 'ChargePeriodStart', readTime, A_TIME)
  const end = required(row, 'ChargePeriodEnd', readTime, A_TIME)
  const measured = readQuantity(row)
  if (start && end && Temporal.Instant.compare(end, start) < 0)
    refuse(row, 'ChargePeriodEnd', 'a time that is not before the start')
  if (bill === null || amount === null || charge_category === null || row.faults.length > 0)
    return { faults: row.faults }
  const service = readService(row, charge_category)
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
      extra: extraOf(row),
    },
  }
}

const A_TIME = 'a time such as 2026-04-01T00:00:00Z'

const KEY_COLUMNS = [
  'ProviderName',
  'BillingAccountId',
  'BillingPeriodStart',
  'BillingPeriodEnd',
  'InvoiceId',
  'BillingCurrency',
] as const

/** Rows of one bill mostly follow each other, so the last key is kept and given out again. */
function createBillKeys(): (row: Row) => BillKey | null {
  let last: { readonly cells: readonly (string | null)[]; readonly key: BillKey } | undefined
  return (row) => {
    const cells = KEY_COLUMNS.map((column) => textOf(row, column))
    if (last?.cells.every((cell, index) => cell === cells[index])) return last.key
    const key = readBillKey(row)
    if (key !== null) last = { cells, key }
    return key
  }
}

function readBillKey(row: Row): BillKey | null {
  const provider = required(row, 'ProviderName', (name) => providerWord(name) || undefined, A_PROVIDER)
  const currency = required(row, 'BillingCurrency', currencyOf, 'an ISO 4217 code such as USD')
  const billing_period = readBillingPeriod(row)
  if (provider === null || currency === null || billing_period === null) return null
  const [billing_account, invoice_number] = [textOf(row, 'BillingAccountId'), textOf(row, 'InvoiceId')]
  return { provider, billing_account, billing_period, invoice_number, currency }
}

const A_PROVIDER = 'the name of a provider, with a letter of a to z or a digit'

/** Its days in UTC; the month of the start where the file does not tell the end. */
function readBillingPeriod(row: Row): Period | null {
  const start = required(row, 'BillingPeriodStart', readTime, A_TIME)
  const end = optional(row, 'BillingPeriodEnd', readTime, A_TIME)
  if (start === null) return null
  const first = dateOf(start)
  if (end === null) return monthOf(first)
  // The last second of a day and the next midnight mean the same end.
  const after = dateOf(end.add({ hours: 23, minutes: 59, seconds: 59 }))
  if (Temporal.PlainDate.compare(after, first) > 0) return { start: first, end: after }
  refuse(row, 'BillingPeriodEnd', 'a time after the start of the billing period')
  return null
}

function dateOf(time: Temporal.Instant): Temporal.PlainDate {
  return time.toZonedDateTimeISO('UTC').toPlainDate()
}

/** What it was priced by; where the file does not say, what was used. */
function readQuantity(row: Row): Pick<BillLine, 'quantity' | 'unit'> {
  const priced = optional(row, 'PricingQuantity', readNumber, 'a number such as 720, or nothing')
  const consumed = optional(row, 'ConsumedQuantity', readNumber, 'a number such as 720, or nothing')
  if (priced !== null) return { quantity: priced, unit: textOf(row, 'PricingUnit') }
  return { quantity: consumed, unit: consumed === null ? null : textOf(row, 'ConsumedUnit') }
}

/** A service that its file puts into no category of the specification is kept, and shown as unclassified. */
function readService(
  row: Row,
  charge_category: ChargeCategory,
): Pick<BillLine, 'kind' | 'service_category' | 'service_name'> {
  const service_name = textOf(row, 'ServiceName') ?? textOf(row, 'ProviderName') ?? ''
  const service_category = serviceCategoryOf(textOf(row, 'ServiceCategory') ?? '')
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

function serviceCategoryOf(text: string): ServiceCategory | undefined {
  return SERVICE_CATEGORY_BY_TEXT.get(text.toLowerCase())
}

function currencyOf(text: string): string | undefined {
  const code = text.toUpperCase()
  return isCurrency(code) ? code : undefined
}
