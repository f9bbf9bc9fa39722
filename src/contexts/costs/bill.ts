import { hash } from 'node:crypto'
import { type Decimal, decimal, plain, sum } from '../../kernel/decimal.ts'
import type { BillLine } from '../../providers/bill-line.ts'
import type { InvoiceSummary } from '../../providers/digitalocean/index.ts'

/** DigitalOcean bills in nothing else. */
export const BILL_CURRENCY = 'USD'

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

/** What cannot be in a text that the database holds stands between the words. */
const BETWEEN = '\0'

function wordsOf(line: BillLine): string {
  const { product, group_description, description, project, amount, quantity, start, end } = line
  return [
    product,
    group_description ?? '',
    description,
    project ?? '',
    amount,
    quantity ?? '',
    start ? textOf(start) : '',
    end ? textOf(end) : '',
  ].join(BETWEEN)
}

/** RFC 3339 in UTC. The lines of a bill share their times, and a time costs more to write than all else in a line. */
export function textOf(instant: Temporal.Instant): string {
  const known = TEXTS.get(instant)
  if (known !== undefined) return known
  const text = instant.toString()
  TEXTS.set(instant, text)
  return text
}

const TEXTS = new WeakMap<Temporal.Instant, string>()

/** In major units, exact. */
export function sumOf(lines: readonly { readonly amount: string }[]): Decimal {
  return sum(lines.map(({ amount }) => decimal(amount)))
}
