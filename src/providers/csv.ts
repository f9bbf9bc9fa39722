import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse/sync'
import { isDecimalText } from '../kernel/decimal.ts'
import type { CsvFault, CsvFaults } from './bill-reader.ts'
import { otherFormatOf, textFormatOf } from './file-format.ts'

/** Of one file, unpacked. */
export const MAX_CSV_BYTES = 1024 * 1024 * 1024
export const MAX_CSV_RECORD_BYTES = 64 * 1024
/** Enough to see what is wrong with a file; a file of another kind would otherwise answer with a fault per cell. */
export const MAX_CSV_FAULTS = 100

/** The column of a fault that concerns the row, or the file, as a whole. */
export const WHOLE_ROW = '*'

/** The bytes are not CSV text in UTF-8; the message says what they are, as far as they tell. */
export class NotText extends Error {}

/** Records in the order of the file, cells trimmed; `first_row` is the place of the first one, from 1. */
export type CsvPart = { readonly first_row: number; readonly records: string[][] }

/**
 * Reads a file of any size a part at a time, packed with gzip or not; the header is the first record, and says whether
 * commas, semicolons or tabs stand between the cells. What cannot be split into records ends it, with one fault. Throws
 * NotText.
 */
export async function* readCsv(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<CsvPart | CsvFaults> {
  let rest = ''
  let first_row = 1
  let delimiter: Delimiter | undefined
  try {
    for await (const text of decoded(requireText(limited(unpacked(bytes))))) {
      rest += text
      if (rest.length < PART_MIN_CHARACTERS) continue
      delimiter ??= delimiterOf(rest)
      const end = endOfRecords(rest)
      const records = splitRecords(rest.slice(0, end), delimiter)
      rest = rest.slice(end)
      yield { first_row, records }
      first_row += records.length
      if (rest.length > PART_MIN_CHARACTERS + MAX_CSV_RECORD_BYTES) throw new Unreadable(NOT_CSV)
    }
    yield { first_row, records: splitRecords(rest, delimiter ?? delimiterOf(rest)) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const row = first_row + error.records_before
    const other = row === 1 ? textFormatOf(rest.trimStart()) : undefined
    const message = other === undefined ? error.message : `${error.message}, found ${other}`
    yield { faults: [{ row, column: WHOLE_ROW, message }] }
  }
}

/** A whole file that is in memory. */
export function readCsvText(text: string): CsvPart | CsvFaults {
  try {
    const whole = text.replace(/^\uFEFF/, '')
    return { first_row: 1, records: splitRecords(whole, delimiterOf(whole)) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { faults: [{ row: 1 + error.records_before, column: WHOLE_ROW, message: error.message }] }
  }
}

/**
 * A text as a cell that no spreadsheet runs: one that would be read as a formula begins with an apostrophe. A number is
 * none, whatever its sign.
 */
export function guardedCell(text: string): string {
  return GUARDED.test(text) && !isDecimalText(text) ? `'${text}` : text
}

/** The text that `guardedCell` made the cell of. */
export function unguardedCell(cell: string): string {
  return cell.startsWith("'") && GUARDED.test(cell) ? cell.slice(1) : cell
}

/** What spreadsheets take for a formula; behind apostrophes too, so that a text that has one comes back with it. */
const GUARDED = /^'*[=+\-@\t\r]/

/** Takes the header off the first part of a file. */
export function takeHeader({ first_row, records }: CsvPart): { header: string[]; body: CsvPart } {
  const [header = [], ...rows] = records
  return { header, body: { first_row: first_row + 1, records: rows } }
}

/** Reads the rows that are not blank. One that has not `width` cells is a fault, and so is what `read` finds. */
export function readRows<T extends object>(
  { first_row, records }: CsvPart,
  width: number,
  read: (cells: readonly string[], row: number) => T | CsvFaults,
): { rows: T[]; faults: CsvFault[] } {
  const rows: T[] = []
  const faults: CsvFault[] = []
  for (const [index, cells] of records.entries()) {
    if (faults.length >= MAX_CSV_FAULTS) break
    if (cells.every((cell) => cell === '')) continue
    const row = first_row + index
    const found = cells.length === width ? read(cells, row) : wrongWidth(row, { width, found: cells.length })
    if ('faults' in found) faults.push(...found.faults)
    else rows.push(found)
  }
  return { rows, faults: faults.slice(0, MAX_CSV_FAULTS) }
}

function wrongWidth(row: number, { width, found }: { width: number; found: number }): CsvFaults {
  return { faults: [{ row, column: WHOLE_ROW, message: `expected ${width} columns, found ${found}` }] }
}

/** So many at a time are split into records: larger parts are no quicker. */
const PART_MIN_CHARACTERS = 64 * 1024
const UNPACKED_CHUNK_BYTES = 256 * 1024
const NOT_CSV = `expected values between commas, semicolons or tabs, with closed quotes, at most ${MAX_CSV_RECORD_BYTES} bytes a row`

/** Why a file cannot be split into records, and after how many of the present part. */
class Unreadable extends Error {
  readonly records_before: number
  constructor(message: string, records_before = 0) {
    super(message)
    this.records_before = records_before
  }
}

type Delimiter = ',' | ';' | '\t'

/** What stands between the names of the header. A comma in it is one: names have none of their own. */
function delimiterOf(text: string): Delimiter {
  const found = new Set<string>()
  let isOpen = false
  for (const character of text.trimStart()) {
    if (character === '"') isOpen = !isOpen
    else if (!isOpen && (character === '\n' || character === '\r')) break
    else if (!isOpen) found.add(character)
  }
  return ([',', ';', '\t'] as const).find((delimiter) => found.has(delimiter)) ?? ','
}

/**
 * Blank lines stay in, so that a record's place in the list is its place in the file. A line without quotes is split at
 * its delimiters at once, six times as quick as a parser that looks at each byte; runs of others go to the parser.
 */
function splitRecords(text: string, delimiter: Delimiter): string[][] {
  const records: string[][] = []
  let quoted = ''
  let isOpen = false
  for (const line of linesOf(text)) {
    if (line.length > MAX_CSV_RECORD_BYTES) throw new Unreadable(NOT_CSV, records.length)
    const quotes = countQuotes(line)
    if (quotes > 0 || isOpen) {
      quoted += `${line}\n`
      isOpen = isOpen !== (quotes % 2 === 1)
      continue
    }
    if (quoted !== '') parseQuoted(quoted, { records, delimiter })
    quoted = ''
    records.push(line.split(delimiter).map((cell) => cell.trim()))
  }
  if (quoted !== '') parseQuoted(quoted, { records, delimiter })
  return records
}

function linesOf(text: string): string[] {
  const lines = text.split(text.includes('\n') ? '\n' : '\r')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** Adds what the parser makes of some whole lines. */
function parseQuoted(text: string, { records, delimiter }: { records: string[][]; delimiter: Delimiter }): void {
  try {
    const options = { trim: true, relax_column_count: true, max_record_size: MAX_CSV_RECORD_BYTES }
    const parsed = parse(text, { delimiter, ...options })
    for (const record of parsed) records.push(record.map((cell) => cell.trim()))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const before = typeof error['records'] === 'number' ? error['records'] : 0
    throw new Unreadable(NOT_CSV, records.length + before)
  }
}

/** After the last line break that stands outside of quotes: an even number of them stands before it. */
function endOfRecords(text: string): number {
  const lineBreak = text.includes('\n') ? '\n' : '\r'
  // A carriage return at the end may be the first half of a line break.
  const limit = lineBreak === '\r' ? text.length - 1 : text.length
  let end = 0
  let isOpen = false
  let quote = text.indexOf('"')
  for (let at = text.indexOf(lineBreak); at !== -1 && at < limit; at = text.indexOf(lineBreak, at + 1)) {
    for (; quote !== -1 && quote < at; quote = text.indexOf('"', quote + 1)) isOpen = !isOpen
    if (!isOpen) end = at + 1
  }
  return end
}

function countQuotes(line: string): number {
  let count = 0
  for (let at = line.indexOf('"'); at !== -1; at = line.indexOf('"', at + 1)) count += 1
  return count
}

async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (chunk?: Uint8Array): string => {
    try {
      return withoutNul(decoder.decode(chunk, { stream: chunk !== undefined }))
    } catch {
      throw new NotText('is text in another encoding than UTF-8, or no text')
    }
  }
  for await (const chunk of bytes) yield decode(chunk)
  yield decode()
}

/** No text has it, and the database takes none. */
function withoutNul(text: string): string {
  if (text.includes('\0')) throw new NotText()
  return text
}

async function* limited(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size_bytes = 0
  for await (const chunk of bytes) {
    size_bytes += chunk.length
    if (size_bytes > MAX_CSV_BYTES) throw new Unreadable(`expected at most ${MAX_CSV_BYTES} bytes`)
    yield chunk
  }
}

/** A packed file is known by its first two bytes, whatever it is called. */
async function* unpacked(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]()
  try {
    const head = await readHead(source, 2)
    const whole = join(head, source)
    yield* head[0] === 0x1f && head[1] === 0x8b ? gunzipped(whole) : whole
  } finally {
    await source.return?.()
  }
}

/** The beginning of a file tells what else it may be. */
async function* requireText(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]()
  try {
    const head = await readHead(source, HEAD_BYTES)
    const other = otherFormatOf(head)
    if (other !== undefined) throw new NotText(other)
    yield* join(head, source)
  } finally {
    await source.return?.()
  }
}

const HEAD_BYTES = 2 * 1024

async function readHead(source: AsyncIterator<Uint8Array>, size_bytes: number): Promise<Uint8Array> {
  let head = Buffer.alloc(0)
  while (head.length < size_bytes) {
    const next = await source.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  return head
}

async function* join(head: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head
  for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacker = createGunzip({ chunkSize: UNPACKED_CHUNK_BYTES })
  // A failure of either end comes out of the loop over the other.
  pipeline(Readable.from(bytes), unpacker, () => {})
  try {
    yield* unpacker as AsyncIterable<Uint8Array>
  } catch (error) {
    if (!isPackingError(error)) throw error
    throw new Unreadable('expected a whole gzip file')
  }
}

function isPackingError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}
