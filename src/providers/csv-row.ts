import { isDay } from '../kernel/period.ts'
import type { CsvFault } from './bill-reader.ts'

/** Where a format finds its columns in a file. */
export type Columns<Column extends string> = {
  /** The place of each column that the file has. */
  readonly at: ReadonlyMap<Column, number>
  /** What is kept as it is, under its name. */
  readonly extra: readonly { readonly index: number; readonly name: string }[]
  /** As the file itself calls the columns, where that is another name. */
  readonly called?: ReadonlyMap<Column, string>
}

/** A row that is being read; `number` is its place in the file (the header is 1). Faults gather as it is read. */
export type CsvRow<Column extends string> = {
  readonly number: number
  readonly cells: readonly string[]
  readonly columns: Columns<Column>
  readonly faults: CsvFault[]
}

/** What databases, spreadsheets and programs write for nothing. */
const NOTHING: ReadonlySet<string> = new Set(['', 'null', 'none', 'nan', 'n/a', '\\n'])

/** Whether a cell means nothing: it is empty, or one of the words for it in any case. */
export function isNothing(cell: string): boolean {
  return cell.length <= NOTHING_MAX_CHARS && NOTHING.has(cell.toLowerCase())
}

const NOTHING_MAX_CHARS = 4

/** Null, with a fault, where the cell is blank or `read` cannot make anything of it. */
export function required<Column extends string, T>(
  row: CsvRow<Column>,
  column: Column,
  read: (text: string) => T | undefined,
  expected: string,
): T | null {
  if (textOf(row, column) === null) refuse(row, column, expected)
  return optional(row, column, read, expected)
}

/** Null where the cell is blank, and, with a fault, where `read` cannot make anything of it. */
export function optional<Column extends string, T>(
  row: CsvRow<Column>,
  column: Column,
  read: (text: string) => T | undefined,
  expected: string,
): T | null {
  const text = textOf(row, column)
  if (text === null) return null
  const value = read(text)
  if (value === undefined) refuse(row, column, expected)
  return value ?? null
}

/** A fault with what is there and what was expected. */
export function refuse<Column extends string>(row: CsvRow<Column>, column: Column, expected: string): void {
  const message = `expected ${expected}, found ${foundIn(textOf(row, column))}`
  row.faults.push({ row: row.number, column: row.columns.called?.get(column) ?? column, message })
}

/** Of a cell, in a message. */
const FOUND_MAX_CHARS = 80

function foundIn(text: string | null): string {
  if (text === null) return 'nothing'
  const shown = text.length > FOUND_MAX_CHARS ? `${text.slice(0, FOUND_MAX_CHARS).toWellFormed()}…` : text
  return `"${shown}"${isNoDay(text) ? ': there is no such day' : ''}`
}

/** `2026-09-31` and the like. */
function isNoDay(text: string): boolean {
  const [date] = /^\d{4}-\d{2}-\d{2}(?!\d)/.exec(text) ?? []
  return date !== undefined && !isDay(date)
}

/** Null where the cell is blank, or the file has no such column. */
export function textOf<Column extends string>({ cells, columns }: CsvRow<Column>, column: Column): string | null {
  const index = columns.at.get(column)
  const cell = index === undefined ? '' : (cells[index] ?? '')
  return isNothing(cell) ? null : cell
}

/** Null where all of it is blank. */
export function extraOf<Column extends string>({ cells, columns }: CsvRow<Column>): Record<string, string> | null {
  const kept = columns.extra.flatMap(({ index, name }): [string, string][] => {
    const cell = cells[index] ?? ''
    return isNothing(cell) ? [] : [[name, cell]]
  })
  return kept.length === 0 ? null : Object.fromEntries(kept)
}
