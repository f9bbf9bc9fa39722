import { type Decimal, decimal, plain } from '../../../kernel/decimal.ts'
import type { PerUnitTerms } from '../facts.ts'
import type { Rated } from './rated.ts'

/** Every unit at one price. */
export function ratePerUnit(terms: PerUnitTerms, billable: Decimal): Rated {
  const unit_price = decimal(terms.unit_price)
  return { amount: billable.times(unit_price), unit_price: plain(unit_price), details: {} }
}
