import type { Charge, PlanTerms, PriceOverride } from './facts.ts'
import { usageKey } from './usage-key.ts'

/** The plan with the override laid over it. A charge replaces the one with the same usage key, or else is added last. */
export function overridden(plan: PlanTerms, override: PriceOverride | null): PlanTerms {
  if (override === null) return plan
  return {
    ...plan,
    base_price_cents: override.base_price_cents ?? plan.base_price_cents,
    commitment_cents: override.commitment_cents ?? plan.commitment_cents,
    charges: overriddenCharges(plan.charges, override.charges ?? []),
  }
}

function overriddenCharges(charges: readonly Charge[], instead: readonly Charge[]): Charge[] {
  const byKey = new Map([...charges, ...instead].map((charge) => [usageKey(charge), charge]))
  return [...byKey.values()]
}
