import { decimal, ONE, ZERO } from '../../kernel/decimal.ts'
import { quoted } from '../../kernel/nearest.ts'
import type { Fault } from '../../kernel/problem.ts'
import type { DiscountTerms, LineKind } from '../pricing/index.ts'

/** A discount as the caller gives it: `rate` is a fraction, `amount_cents` in minor units. */
export type NewDiscount = {
  name: string
  rate?: string
  amount_cents?: number
  line_kinds?: readonly LineKind[] | null
}

/** What keeps a discount from being applied, by its path. */
export function discountFaults({ rate, amount_cents }: NewDiscount): Fault[] {
  if (rate === undefined && amount_cents === undefined) {
    return [{ path: 'rate', message: 'is required where there is no amount_cents' }]
  }
  if (rate !== undefined && amount_cents !== undefined) {
    return [{ path: 'amount_cents', message: 'must not be given with a rate' }]
  }
  if (rate === undefined || (decimal(rate).gt(ZERO) && decimal(rate).lte(ONE))) return []
  const message = `must be a fraction above 0 and at most 1, such as "0.10" for 10 %; found ${quoted(rate)}`
  return [{ path: 'rate', message }]
}

/** Of a discount without faults. */
export function discountTermsOf({ name, rate, amount_cents, line_kinds }: NewDiscount): Omit<DiscountTerms, 'id'> {
  return {
    name,
    rate: rate ?? null,
    amount_cents: amount_cents === undefined ? null : BigInt(amount_cents),
    line_kinds: line_kinds ?? null,
  }
}
