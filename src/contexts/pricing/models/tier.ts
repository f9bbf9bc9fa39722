import { type Decimal, decimal, plain, sum, ZERO } from '../../../kernel/decimal.ts'
import type { Tier } from '../facts.ts'
import type { Rated } from './rated.ts'

type TierPart = { tier: Tier; quantity: Decimal }

/** The price of the quantities in the tiers they fall in. A tier's flat price is due once the tier is entered. */
export function rateTiers(parts: readonly TierPart[]): Rated {
  const entered = parts.filter((part) => part.quantity.gt(ZERO)).map(rateTier)
  return {
    amount: sum(entered.map((part) => part.amount)),
    unit_price: null,
    details: { tiers: entered.map((part) => part.details) },
  }
}

function rateTier({ tier, quantity }: TierPart): { amount: Decimal; details: Record<string, string | null> } {
  const unit_price = decimal(tier.unit_price)
  const flat_price = decimal(tier.flat_price ?? '0')
  const amount = quantity.times(unit_price).plus(flat_price)
  return {
    amount,
    details: {
      up_to: tier.up_to === null ? null : plain(decimal(tier.up_to)),
      quantity: plain(quantity),
      unit_price: plain(unit_price),
      flat_price: plain(flat_price),
      amount: plain(amount),
    },
  }
}
