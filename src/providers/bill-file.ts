import type { BillDefaults, BillRow, CsvFault, CsvFaults, RowReader } from './bill-reader.ts'
import { readCsv, readRows, takeHeader, WHOLE_ROW } from './csv.ts'
import { createInvoiceReader, INVOICE_COLUMNS, isInvoiceHeader } from './digitalocean/index.ts'
import { textFormatOf } from './file-format.ts'
import { createFocusReader, isFocusHeader } from './focus/index.ts'

/** Some rows of a file in their order, and what is wrong with others. */
export type BillPart = { readonly rows: readonly BillRow[]; readonly faults: readonly CsvFault[] }

/**
 * Reads a file of bills of any size a part at a time, packed with gzip or not. Its header says which format it is in:
 * FOCUS, or else the provider's own. Throws NotText (`csv.ts`).
 */
export async function* readBillFile(
  bytes: AsyncIterable<Uint8Array>,
  defaults: BillDefaults = {},
): AsyncGenerator<BillPart> {
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
    const reader = readerFor(header, defaults)
    if ('faults' in reader) {
      yield { rows: [], faults: reader.faults }
      return
    }
    format = { reader, width: header.length }
    yield readRows(body, format.width, reader.read)
  }
}

function readerFor(header: readonly string[], defaults: BillDefaults): RowReader | CsvFaults {
  if (isFocusHeader(header)) return createFocusReader(header, defaults)
  return isInvoiceHeader(header) ? createInvoiceReader(header) : unknownHeader(header)
}

/** Of a header, in a message. */
const SHOWN_MAX_COLUMNS = 6

function unknownHeader(header: readonly string[]): CsvFaults {
  const other = OTHER_EXPORTS.find(({ columns }) => header.some((name) => columns.test(name)))
  const message =
    `expected the columns of FOCUS (BilledCost, BillingPeriodStart, ServiceName, …) ` +
    `or of DigitalOcean's own invoice (${INVOICE_COLUMNS.join(', ')}), found ${headerShown(header)}` +
    (other ? `: ${other.is}; download it in FOCUS instead` : '')
  return { faults: [{ row: 1, column: WHOLE_ROW, message }] }
}

function headerShown(header: readonly string[]): string {
  const shown = header.slice(0, SHOWN_MAX_COLUMNS).map((name) => name.slice(0, SHOWN_MAX_CHARS).toWellFormed())
  if (shown.every((name) => name === '')) return 'nothing'
  return textFormatOf(header[0] ?? '') ?? [...shown, ...(header.length > SHOWN_MAX_COLUMNS ? ['…'] : [])].join(', ')
}

const SHOWN_MAX_CHARS = 60

/** What other providers' own exports are known by. All of these providers export FOCUS, too. */
const OTHER_EXPORTS: readonly { readonly columns: RegExp; readonly is: string }[] = [
  {
    columns: /^(lineitem\/|line_item_|bill\/payer|bill_payer|linkedaccountid$|payeraccountid$)/i,
    is: 'this is a Cost and Usage Report of AWS',
  },
  {
    columns: /^(subscriptionguid|subscriptionid|metercategory|pretaxcost|costinbillingcurrency)$/i,
    is: 'this is a cost export of Microsoft Azure',
  },
  {
    columns: /^(service\.description|sku\.description|billing_account_id|service description|sku description)$/i,
    is: 'this is a cost export of Google Cloud',
  },
  {
    columns: /^lineitem_(backreferencetag|intervalusagestart)|^cost\/mycost$/i,
    is: 'this is a cost report of Oracle Cloud',
  },
]
