import { type Decimal, decimal, plain, ZERO } from '../../../kernel/decimal.ts'
import type { Tier } from '../facts.ts'
import type { Rated } from './rated.ts'

/** A tier for quantities above `above` up to and with `up_to`; null has no bound. */
export type RatedTier = {
  above: Decimal
  up_to: Decimal | null
  rate: (quantity: Decimal) => { amount: Decimal; details: Record<string, string | null> }
}

export function ratedTiers(tiers: readonly Tier[]): RatedTier[] {
  return tiers.map((tier, index) => ({
    above: decimal(tiers[index - 1]?.up_to ?? '0'),
    up_to: tier.up_to === null ? null : decimal(tier.up_to),
    rate: tierRater(tier),
  }))
}

/** The price of a quantity in the tier, with its flat price, which is due once the tier is entered. */
function tierRater(tier: Tier): RatedTier['rate'] {
  const unit = decimal(tier.unit_price)
  const flat = decimal(tier.flat_price ?? '0')
  const up_to = tier.up_to === null ? null : plain(decimal(tier.up_to))
  const unit_price = plain(unit)
  const flat_price = plain(flat)
  return (quantity) => {
    const amount = quantity.times(unit).plus(flat)
    return { amount, details: { up_to, quantity: plain(quantity), unit_price, flat_price, amount: plain(amount) } }
  }
}

/** The sum of the tiers entered. */
export function ratedOf(entered: readonly ReturnType<RatedTier['rate']>[]): Rated {
  let amount = ZERO
  for (const tier of entered) amount = amount.plus(tier.amount)
  return { amount, unit_price: null, details: { tiers: entered.map(({ details }) => details) } }
}
