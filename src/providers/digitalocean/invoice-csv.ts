import { CsvError, parse } from 'csv-parse/sync'

import type { Fault } from '../../kernel/problem.ts'
import { exclusiveEnd, type InvoiceItem, readDecimal, readInstant, readMoney } from './item.ts'

export const MAX_CSV_BYTES = 32 * 1024 * 1024
export const MAX_CSV_ROWS = 200_000
export const MAX_CSV_RECORD_BYTES = 16 * 1024
/** Enough to see what is wrong with a file; a file of another kind would otherwise answer with a fault per cell. */
export const MAX_CSV_FAULTS = 100

export type CsvFault = Extract<Fault, { row: number }>

/**
 * Reads an invoice as the provider lets one download it: by header name, in any order, unknown columns ignored
 * (eight columns until mid-2020, nine since). Faults carry the file's row (the header is row 1) and column; when
 * there are any, `items` holds only the rows that could be read and must not be taken for the whole bill.
 */
export function parseInvoiceCsv(text: string): { items: InvoiceItem[]; faults: CsvFault[] } {
  const table = readTable(text)
  if ('fault' in table) return { items: [], faults: [table.fault] }
  const [header = [], ...rows] = table.rows
  const columns = locateColumns(header)
  if ('faults' in columns) return { items: [], faults: columns.faults }
  return readRows(rows, columns.at, header.length)
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

const REQUIRED_COLUMNS = ['product', 'description', 'hours', 'start', 'end', 'USD'] as const
const OPTIONAL_COLUMNS = ['group_description', 'project_name', 'category'] as const
const COLUMNS = [...REQUIRED_COLUMNS, ...OPTIONAL_COLUMNS]
/** The column of a fault that concerns the row, or the file, as a whole. */
const WHOLE_ROW = '*'

// Blank lines stay in, so that a row's place in the list is its place in the file.
const CSV_OPTIONS = {
  bom: true,
  trim: true,
  relax_column_count: true,
  max_record_size: MAX_CSV_RECORD_BYTES,
  to: MAX_CSV_ROWS + 2,
}

type Column = (typeof COLUMNS)[number]
type ColumnPositions = ReadonlyMap<Column, number>

function readTable(text: string): { rows: string[][] } | { fault: CsvFault } {
  if (Buffer.byteLength(text) > MAX_CSV_BYTES) return tableFault(1, `expected at most ${MAX_CSV_BYTES} bytes`)
  try {
    const rows = parse(text, CSV_OPTIONS)
    if (rows.length > MAX_CSV_ROWS + 1) return tableFault(rows.length, `expected at most ${MAX_CSV_ROWS} rows`)
    return { rows }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const row = typeof error['records'] === 'number' ? error['records'] + 1 : 1
    return tableFault(
      row,
      `expected comma-separated values with closed quotes, at most ${MAX_CSV_RECORD_BYTES} bytes a row`,
    )
  }
}

function tableFault(row: number, message: string): { fault: CsvFault } {
  return { fault: { row, column: WHOLE_ROW, message } }
}

function locateColumns(header: readonly string[]): { at: ColumnPositions } | { faults: CsvFault[] } {
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
  return faults.length > 0 ? { faults } : { at }
}

function headerFault(column: Column, message: string): CsvFault {
  return { row: 1, column, message }
}

function isRequired(column: Column): boolean {
  return REQUIRED_COLUMNS.some((required) => required === column)
}

function readRows(
  rows: readonly string[][],
  at: ColumnPositions,
  width: number,
): { items: InvoiceItem[]; faults: CsvFault[] } {
  const items: InvoiceItem[] = []
  const faults: CsvFault[] = []
  for (const [index, cells] of rows.entries()) {
    if (faults.length >= MAX_CSV_FAULTS) break
    if (cells.every((cell) => cell === '')) continue
    const row = index + 2
    if (cells.length !== width) {
      faults.push({ row, column: WHOLE_ROW, message: `expected ${width} columns, found ${cells.length}` })
      continue
    }
    const read = readRow({ row, cells, at, faults: [] })
    if ('product' in read) items.push(read)
    else faults.push(...read.faults)
  }
  return { items, faults }
}

type Row = {
  readonly row: number
  readonly cells: readonly string[]
  readonly at: ColumnPositions
  readonly faults: CsvFault[]
}

function readRow(row: Row): InvoiceItem | { faults: CsvFault[] } {
  const product = required(row, 'product', keep, 'a product name')
  const description = required(row, 'description', keep, 'a description')
  const amount = required(row, 'USD', readMoney, 'an amount such as $1,363.44, -$25.00 or ($25.00)')
  const duration = optional(row, 'hours', readDecimal, 'a number such as 744 or 300.25, or nothing')
  const start = optional(row, 'start', readInstant, 'a time such as 2026-04-01 00:00:00 +0000')
  const end = optional(row, 'end', readInstant, 'a time such as 2026-05-01 00:00:00 +0000')
  if (start && end && Temporal.Instant.compare(end, start) < 0) {
    refuse(row, 'end', 'a time that is not before the start')
  }
  if (product === null || description === null || amount === null || row.faults.length > 0) {
    return { faults: row.faults }
  }
  return {
    product,
    group_description: textOf(row, 'group_description') || null,
    description,
    amount,
    duration,
    duration_unit: duration === null ? null : unitOf(product),
    start,
    end: end && exclusiveEnd(end),
    project_name: textOf(row, 'project_name') || null,
    category: textOf(row, 'category') || null,
    resource_id: null,
    resource_uuid: null,
  }
}

/** The column is named `hours`, but backups are counted in it. */
function unitOf(product: string): string {
  return /backups$/i.test(product) ? 'backups' : 'hours'
}

function required<T>(row: Row, column: Column, read: (text: string) => T | undefined, expected: string): T | null {
  if (textOf(row, column) === '') refuse(row, column, expected)
  return optional(row, column, read, expected)
}

function optional<T>(row: Row, column: Column, read: (text: string) => T | undefined, expected: string): T | null {
  const text = textOf(row, column)
  if (text === '') return null
  const value = read(text)
  if (value === undefined) refuse(row, column, expected)
  return value ?? null
}

function textOf(row: Row, column: Column): string {
  const index = row.at.get(column)
  return index === undefined ? '' : (row.cells[index] ?? '')
}

function refuse(row: Row, column: Column, expected: string): void {
  row.faults.push({ row: row.row, column, message: `expected ${expected}` })
}

function keep(text: string): string {
  return text
}
