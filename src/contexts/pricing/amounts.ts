import { formatMinor } from '../../kernel/money.ts'
import type { Quote } from './facts.ts'

/** What a payment can carry, and what every reader of JSON reads exactly. */
const AMOUNT_MAX_CENTS = BigInt(Number.MAX_SAFE_INTEGER)

/** The first amount of a quote that is too large to be invoiced, as a sentence for the refusal; null when none is. */
export function amountTooLargeIn(quote: Quote): string | null {
  const amounts: [string, bigint][] = [
    ...quote.lines.map((line): [string, bigint] => [line.description, line.amount_cents]),
    ['The subtotal', quote.subtotal_cents],
    ['The total', quote.total_cents],
  ]
  const found = amounts.find(([, cents]) => cents > AMOUNT_MAX_CENTS || cents < -AMOUNT_MAX_CENTS)
  if (found === undefined) return null
  const [name, cents] = found
  const amount = `${formatMinor(cents, quote.currency)} ${quote.currency}`
  return `${name} comes to ${amount}; correct the usage or the price that it follows from.`
}
