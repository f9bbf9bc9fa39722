import { type Decimal, smaller } from '../../../kernel/decimal.ts'
import type { GraduatedTerms } from '../facts.ts'
import type { Rated } from './rated.ts'
import { ratedOf, ratedTiers } from './tier.ts'

/** Each unit at the price of the tier it falls in. */
export function graduatedRater(terms: GraduatedTerms): (billable: Decimal) => Rated {
  const tiers = ratedTiers(terms.tiers)
  return (billable) => {
    const entered = tiers.filter(({ above }) => billable.gt(above))
    return ratedOf(
      entered.map(({ above, up_to, rate }) =>
        rate((up_to === null ? billable : smaller(billable, up_to)).minus(above)),
      ),
    )
  }
}
