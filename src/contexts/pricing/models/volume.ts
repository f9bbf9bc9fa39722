import { type Decimal, ZERO } from '../../../kernel/decimal.ts'
import { present } from '../../../kernel/invariant.ts'
import type { VolumeTerms } from '../facts.ts'
import type { Rated } from './rated.ts'
import { ratedOf, ratedTiers } from './tier.ts'

/** All units at the price of the tier that the whole quantity falls in. */
export function volumeRater(terms: VolumeTerms): (billable: Decimal) => Rated {
  const tiers = ratedTiers(terms.tiers)
  return (billable) => {
    if (!billable.gt(ZERO)) return ratedOf([])
    const tier = tiers.find(({ up_to }) => up_to === null || billable.lte(up_to))
    return ratedOf([present(tier, 'the last tier has no bound').rate(billable)])
  }
}
