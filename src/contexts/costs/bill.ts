import { hash } from 'node:crypto'
import { type Decimal, decimal, plain, sum } from '../../kernel/decimal.ts'
import type { Period } from '../../kernel/period.ts'
import type { BillLine } from '../../providers/bill-line.ts'
import type { InvoiceSummary } from '../../providers/digitalocean/index.ts'

/** DigitalOcean bills in nothing else. */
export const BILL_CURRENCY = 'USD'

/** Which bill it is. */
export type BillHeader = {
  readonly provider: string
  /** Whose bill it is, where the provider bills several accounts; null where the bill does not say. */
  readonly billing_account: string | null
  readonly invoice_number: string | null
  /** The rows of the bill carry the number themselves, and their month. */
  readonly number_is_stated: boolean
  readonly period: Period
  readonly currency: string
  /** Who invoices, and is paid; null where the bill does not say: then it is the provider. */
  readonly issuer_name: string | null
}

/** A provider's bill as it was read, before it is stored. */
export type Bill = {
  readonly lines: readonly BillLine[]
  readonly summary: InvoiceSummary | null
  readonly read_from: ReadFrom
}

export type ReadFrom = 'items' | 'csv' | 'upload'

/** What a bill says of itself, in exact major units. */
export type BillTotals = { readonly lines_amount: string; readonly tax_amount: string; readonly line_count: number }

/** What is known of the content of a bill once all of its lines were seen, in any order. */
export type BillContent = BillTotals & { readonly content_hash: string }

export function contentOf(lines: Iterable<BillLine>): BillContent {
  const tally = createTally()
  for (const line of lines) tally.add(line)
  return tally.content()
}

/**
 * Adds up the content of a bill line by line. The hash is the same for the items and for the CSV of one bill, in any
 * order of rows: it is the sum of the hashes of the rows, and leaves out what only one of the two forms carries (resource
 * ids, units, categories). A row that comes twice counts twice.
 */
export function createTally(): Tally {
  let line_count = 0
  let hashes = 0n
  let amount = decimal('0')
  let tax = decimal('0')
  return {
    add: (line) => {
      hashes += BigInt(`0x${hash('sha256', wordsOf(line))}`)
      amount = amount.plus(decimal(line.amount))
      if (line.charge_category === 'Tax') tax = tax.plus(decimal(line.amount))
      line_count += 1
      return line_count - 1
    },
    content: () => ({
      lines_amount: plain(amount),
      tax_amount: plain(tax),
      line_count,
      content_hash: BigInt.asUintN(HASH_BITS, hashes)
        .toString(16)
        .padStart(HASH_BITS / 4, '0'),
    }),
  }
}

export type Tally = {
  /** Gives the line's place in the bill, from 0. */
  add(line: BillLine): number
  content(): BillContent
}

const HASH_BITS = 256

/** Between the words stands what cannot be in a text that the database holds. */
function wordsOf(line: BillLine): string {
  const { product, group_description, description, project, amount, quantity, start, end } = line
  const texts = `${product}\0${group_description ?? ''}\0${description}\0${project ?? ''}`
  return `${texts}\0${amount}\0${quantity ?? ''}\0${start ? timeOf(start).text : ''}\0${end ? timeOf(end).text : ''}`
}

/**
 * An instant as text (RFC 3339 in UTC) and as whole milliseconds since 1970. The lines of a bill share their times, and
 * to write a time costs more than all else in a line, so what was written once is remembered.
 */
export function timeOf(instant: Temporal.Instant): { readonly text: string; readonly ms: number } {
  const known = TIMES.get(instant)
  if (known !== undefined) return known
  const time = { text: instant.toString(), ms: instant.epochMilliseconds }
  TIMES.set(instant, time)
  return time
}

const TIMES = new WeakMap<Temporal.Instant, { readonly text: string; readonly ms: number }>()

/** In major units, exact. */
export function sumOf(lines: readonly { readonly amount: string }[]): Decimal {
  return sum(lines.map(({ amount }) => decimal(amount)))
}
