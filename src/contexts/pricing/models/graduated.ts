import { type Decimal, decimal, larger, smaller, ZERO } from '../../../kernel/decimal.ts'
import type { GraduatedTerms } from '../facts.ts'
import type { Rated } from './rated.ts'
import { rateTiers } from './tier.ts'

/** Each unit at the price of the tier it falls in. */
export function rateGraduated(terms: GraduatedTerms, billable: Decimal): Rated {
  const parts = terms.tiers.map((tier, index) => {
    const above = decimal(terms.tiers[index - 1]?.up_to ?? '0')
    const reached = tier.up_to === null ? billable : smaller(billable, decimal(tier.up_to))
    return { tier, quantity: larger(reached.minus(above), ZERO) }
  })
  return rateTiers(parts)
}
