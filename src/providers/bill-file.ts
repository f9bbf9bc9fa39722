import type { BillRow, CsvFault, HeaderReader, RowReader } from './bill-reader.ts'
import { readCsv, readRows, takeHeader } from './csv.ts'
import { createInvoiceReader } from './digitalocean/index.ts'
import { createFocusReader, isFocusHeader } from './focus/index.ts'

/** Some rows of a file in their order, and what is wrong with others. */
export type BillPart = { readonly rows: readonly BillRow[]; readonly faults: readonly CsvFault[] }

/**
 * Reads a file of bills of any size a part at a time, packed with gzip or not. Its header says which format it is in:
 * FOCUS, or else the provider's own. Throws NotText (`csv.ts`).
 */
export async function* readBillFile(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<BillPart> {
  let format: { reader: RowReader; width: number } | undefined
  for await (const part of readCsv(bytes)) {
    if ('faults' in part) {
      yield { rows: [], faults: part.faults }
      return
    }
    if (format) {
      yield readRows(part, format.width, format.reader.read)
      continue
    }
    const { header, body } = takeHeader(part)
    const reader = readerFor(header)
    if ('faults' in reader) {
      yield { rows: [], faults: reader.faults }
      return
    }
    format = { reader, width: header.length }
    yield readRows(body, format.width, reader.read)
  }
}

const readerFor: HeaderReader = (header) =>
  isFocusHeader(header) ? createFocusReader(header) : createInvoiceReader(header)
