import type { CsvFault } from './bill-reader.ts'

/** Where a format finds its columns in a file. */
export type Columns<Column extends string> = {
  /** The place of each column that the file has. */
  readonly at: ReadonlyMap<Column, number>
  /** What is kept as it is, under its name. */
  readonly extra: readonly { readonly index: number; readonly name: string }[]
  /** Whether a cell means nothing. */
  readonly isBlank: (cell: string) => boolean
}

/** A row that is being read; `number` is its place in the file (the header is 1). Faults gather as it is read. */
export type CsvRow<Column extends string> = {
  readonly number: number
  readonly cells: readonly string[]
  readonly columns: Columns<Column>
  readonly faults: CsvFault[]
}

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

export function refuse<Column extends string>(row: CsvRow<Column>, column: Column, expected: string): void {
  row.faults.push({ row: row.number, column, message: `expected ${expected}` })
}

/** Null where the cell is blank, or the file has no such column. */
export function textOf<Column extends string>({ cells, columns }: CsvRow<Column>, column: Column): string | null {
  const index = columns.at.get(column)
  const cell = index === undefined ? '' : (cells[index] ?? '')
  return columns.isBlank(cell) ? null : cell
}

/** Null where all of it is blank. */
export function extraOf<Column extends string>({ cells, columns }: CsvRow<Column>): Record<string, string> | null {
  const kept = columns.extra.flatMap(({ index, name }): [string, string][] => {
    const cell = cells[index] ?? ''
    return columns.isBlank(cell) ? [] : [[name, cell]]
  })
  return kept.length === 0 ? null : Object.fromEntries(kept)
}
