import { type Decimal, decimal, plain } from '../../../kernel/decimal.ts'
import type { PercentageTerms } from '../facts.ts'
import type { Rated } from './rated.ts'

/** A fraction (`"0.029"` is 2.9 %) of a metered amount of money. */
export function ratePercentage(terms: PercentageTerms, billable: Decimal): Rated {
  const rate = decimal(terms.rate)
  return { amount: billable.times(rate), unit_price: null, details: { rate: plain(rate) } }
}
