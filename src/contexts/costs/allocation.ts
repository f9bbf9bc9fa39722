import { decimal, plain } from '../../kernel/decimal.ts'
import { minorUnitPlaces, splitByLargestRemainder } from '../../kernel/money.ts'

/** A part of a rule's cost. Weights are decimal strings above 0, relative to each other. */
export type Share = { readonly tenant_id: string; readonly deployment_id: string; readonly weight: string }

export type LineShare = { readonly tenant_id: string; readonly deployment_id: string; readonly amount: string }

/**
 * Splits an exact amount by weight, in minor units; where the amount is finer than that, in its own last digit. The
 * parts add up to the amount exactly.
 */
export function splitAmount(line: { amount: string; currency: string }, shares: readonly Share[]): LineShare[] {
  const amount = decimal(line.amount)
  const digits = plain(amount).split('.')[1]?.length ?? 0
  const unit = decimal(10n ** BigInt(Math.max(digits, minorUnitPlaces(line.currency))))
  const parts = splitByLargestRemainder(
    BigInt(plain(amount.times(unit))),
    shares.map(({ weight }) => decimal(weight)),
  )
  return shares.map(({ tenant_id, deployment_id }, index) => ({
    tenant_id,
    deployment_id,
    amount: plain(decimal(parts[index] ?? 0n).div(unit)),
  }))
}
