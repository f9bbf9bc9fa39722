import { type Decimal, decimal } from '../../../kernel/decimal.ts'
import { present } from '../../../kernel/invariant.ts'
import type { VolumeTerms } from '../facts.ts'
import type { Rated } from './rated.ts'
import { rateTiers } from './tier.ts'

/** All units at the price of the tier that the whole quantity falls in. */
export function rateVolume(terms: VolumeTerms, billable: Decimal): Rated {
  const tier = terms.tiers.find(({ up_to }) => up_to === null || billable.lte(decimal(up_to)))
  return rateTiers([{ tier: present(tier, 'the last tier has no bound'), quantity: billable }])
}
