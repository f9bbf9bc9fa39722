import { type Decimal, decimal, plain } from '../../../kernel/decimal.ts'
import type { PerUnitTerms } from '../facts.ts'
import type { Rated } from './rated.ts'

/** Every unit at one price. */
export function perUnitRater(terms: PerUnitTerms): (billable: Decimal) => Rated {
  const price = decimal(terms.unit_price)
  const unit_price = plain(price)
  return (billable) => ({ amount: billable.times(price), unit_price, details: {} })
}
