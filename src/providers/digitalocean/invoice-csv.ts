import type { BillRow, CsvFault, CsvFaults, RowReader } from '../bill-reader.ts'
import { type Columns, type CsvRow, extraOf, optional, refuse, required, textOf } from '../csv-row.ts'
import { readCsvText, readRows, takeHeader } from '../csv.ts'
import { toBillLine } from './describe.ts'
import { exclusiveEnd, type InvoiceItem, readInstant, readMoney, readQuantity } from './item.ts'

/** Whether these are the columns of an invoice of the provider's: enough of them to say what is missing. */
export function isInvoiceHeader(names: readonly string[]): boolean {
  const found = new Set(names.map((name) => name.toLowerCase()))
  return REQUIRED_COLUMNS.filter((column) => found.has(column.toLowerCase())).length >= 2
}

/**
 * Reads the rows of an invoice as the provider lets one download it, its columns found by name, in any order (eight until
 * mid-2020, nine since); columns that nobody knows are kept in `extra`.
 */
export function createInvoiceReader(header: readonly string[]): RowReader | CsvFaults {
  const items = createItemReader(header)
  if ('faults' in items) return items
  return { read: (cells, row) => toRow(items.read(cells, row)) }
}

/**
 * A whole invoice that is in memory. Faults carry the file's row (the header is row 1) and column; when there are any,
 * `items` holds only the rows that could be read and must not be taken for the whole bill.
 */
export function parseInvoiceCsv(text: string): { items: InvoiceItem[]; faults: readonly CsvFault[] } {
  const table = readCsvText(text)
  if ('faults' in table) return { items: [], faults: table.faults }
  const { header, body } = takeHeader(table)
  const items = createItemReader(header)
  if ('faults' in items) return { items: [], faults: items.faults }
  const { rows, faults } = readRows(body, header.length, items.read)
  return { items: rows, faults }
}

/** `DigitalOcean Invoice 2020 Jul (6173678-418071234).csv`: what the body of the file does not say. */
export function parseInvoiceFilename(
  name: string,
): { period: string; account: string; invoice_number: string } | undefined {
  const match = FILENAME.exec(name)
  if (!match) return undefined
  const [, year = '', month = '', account = '', invoice_number = ''] = match
  const number = MONTHS.indexOf(month) + 1
  if (number === 0) return undefined
  return { period: `${year}-${String(number).padStart(2, '0')}`, account, invoice_number }
}

// A browser that downloads the file twice adds ` (1)`.
const FILENAME = /^DigitalOcean Invoice (\d{4}) ([A-Z][a-z]{2}) \((\d+)-(\d+)\)(?: ?\(\d+\))?\.csv$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export const REQUIRED_COLUMNS = ['product', 'description', 'hours', 'start', 'end', 'USD'] as const
const OPTIONAL_COLUMNS = ['group_description', 'project_name', 'category'] as const
const COLUMNS = [...REQUIRED_COLUMNS, ...OPTIONAL_COLUMNS]
type Column = (typeof COLUMNS)[number]
type ItemReader = { readonly read: (cells: readonly string[], row: number) => InvoiceItem | CsvFaults }

function createItemReader(header: readonly string[]): ItemReader | CsvFaults {
  const columns = locateColumns(header)
  if ('faults' in columns) return columns
  const times = { start: remembering(readInstant), end: remembering(readEnd) }
  return { read: (cells, row) => readItem({ number: row, cells, columns, faults: [] }, times) }
}

function toRow(item: InvoiceItem | CsvFaults): BillRow | CsvFaults {
  return 'faults' in item ? item : { bill: null, line: toBillLine(item) }
}

function locateColumns(header: readonly string[]): Columns<Column> | CsvFaults {
  const names = header.map((name) => name.toLowerCase())
  const at = new Map<Column, number>()
  const faults: CsvFault[] = []
  for (const column of COLUMNS) {
    const name = column.toLowerCase()
    const index = names.indexOf(name)
    if (index !== -1) at.set(column, index)
    if (index !== names.lastIndexOf(name)) faults.push(headerFault(column, 'expected this column once'))
    if (index === -1 && isRequired(column)) faults.push(headerFault(column, 'expected this column in the header'))
  }
  const known = new Set(at.values())
  const extra = header.flatMap((name, index) => (known.has(index) ? [] : { index, name }))
  return faults.length > 0 ? { faults } : { at, extra }
}

function headerFault(column: Column, message: string): CsvFault {
  return { row: 1, column, message }
}

function isRequired(column: Column): boolean {
  return REQUIRED_COLUMNS.some((required) => required === column)
}

type Times = { readonly start: typeof readInstant; readonly end: typeof readInstant }

function readItem(row: CsvRow<Column>, times: Times): InvoiceItem | CsvFaults {
  const product = required(row, 'product', keep, 'a product name')
  const description = required(row, 'description', keep, 'a description')
  const amount = required(row, 'USD', readMoney, 'an amount such as $1,363.44, -$25.00 or ($25.00)')
  const duration = optional(row, 'hours', readQuantity, 'a number such as 744 or 300.25, or nothing')
  const start = optional(row, 'start', times.start, 'a time such as 2026-04-01 00:00:00 +0000')
  const end = optional(row, 'end', times.end, 'a time such as 2026-05-01 00:00:00 +0000')
  if (start && end && Temporal.Instant.compare(end, start) < 0) {
    refuse(row, 'end', 'a time that is not before the start')
  }
  if (product === null || description === null || amount === null || row.faults.length > 0) {
    return { faults: row.faults }
  }
  return {
    product,
    group_description: textOf(row, 'group_description'),
    description,
    amount,
    duration,
    duration_unit: null,
    start,
    end,
    project_name: textOf(row, 'project_name'),
    category: textOf(row, 'category'),
    resource_id: null,
    resource_uuid: null,
    extra: extraOf(row),
  }
}

function readEnd(text: string): Temporal.Instant | undefined {
  const end = readInstant(text)
  return end && exclusiveEnd(end)
}

/** Times cost more to read than all else in a row, and most rows have those of other rows. */
function remembering(read: typeof readInstant): typeof readInstant {
  const known = new Map<string, Temporal.Instant>()
  return (text) => {
    const remembered = known.get(text)
    if (remembered) return remembered
    if (known.size >= MAX_REMEMBERED_TIMES) known.clear()
    const found = read(text)
    if (found) known.set(text, found)
    return found
  }
}

const MAX_REMEMBERED_TIMES = 50_000

function keep(text: string): string {
  return text
}
