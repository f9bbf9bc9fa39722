import type { Period } from '../kernel/period.ts'
import type { Fault } from '../kernel/problem.ts'
import type { BillLine, ServiceCategory } from './bill-line.ts'

/** What is wrong with a cell: `row` is the record's place in the file (the header is 1); column `*` is the whole row. */
export type CsvFault = Extract<Fault, { row: number }>

/** Whose bill a line is on. Rows of one bill may carry the same object, which is quicker to compare. */
export type BillKey = {
  /** A word of lower-case letters of ASCII, digits and hyphens: `digitalocean`, `example-cloud`. */
  readonly provider: string
  /** Null: the file does not say. */
  readonly billing_account: string | null
  readonly billing_period: Period
  /** Null: the file does not say. */
  readonly invoice_number: string | null
  /** ISO 4217 */
  readonly currency: string
  /** Who invoices, where that is told; null: the file does not say. */
  readonly issuer_name: string | null
}

/** What is said of all rows of a file that do not say it themselves. */
export type BillDefaults = {
  /** As in a `BillKey`. */
  readonly provider?: string | undefined
  /** ISO 4217 */
  readonly currency?: string | undefined
  readonly service_category?: ServiceCategory | undefined
  readonly period?: Period | undefined
}

/** One row as it was read. `bill` is null where the file is one bill and does not say which. */
export type BillRow = { readonly bill: BillKey | null; readonly line: BillLine }

/** Reads the cells of one row, already trimmed and as many as the header has; never throws over what they hold. */
export type RowReader = { readonly read: (cells: readonly string[], row: number) => BillRow | CsvFaults }

export type CsvFaults = { readonly faults: readonly CsvFault[] }
