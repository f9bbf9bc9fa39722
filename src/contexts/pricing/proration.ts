import { type Decimal, decimal, ONE, share, sum, ZERO } from '../../kernel/decimal.ts'
import type { PlanTerms } from './facts.ts'

/** Whole days active of those in the period, and whether a price is cut by them. `details` is how a line states it. */
export type Proration = {
  rule: PlanTerms['proration']
  active: Decimal
  whole: Decimal
  details: { proration: PlanTerms['proration']; days_active: string; days_in_period: string }
}

export function prorationOf(rule: PlanTerms['proration'], days: { active: number; in_period: number }): Proration {
  return {
    rule,
    active: decimal(BigInt(days.active)),
    whole: decimal(BigInt(days.in_period)),
    details: { proration: rule, days_active: days.active.toString(), days_in_period: days.in_period.toString() },
  }
}

/** `value × days active ÷ days in the period`, or under the rule `none` the whole value, once there is a day. */
export function prorate(value: Decimal, { rule, active, whole }: Proration): Decimal {
  return rule === 'none' && active.gt(ZERO) ? value : share(value, active, whole)
}

/** Values of days of their own added up: they are divided once, so that what is included has one rounding at most. */
export function prorateEach(
  parts: readonly { value: Decimal; days: Decimal }[],
  { rule, active, whole }: Proration,
): Decimal {
  if (parts.length === 0) return ZERO
  if (rule === 'none' && active.gt(ZERO)) return sum(parts.map(({ value }) => value))
  return sum(parts.map(({ value, days }) => value.times(days))).div(whole)
}

/** At least a day's: a maximum of nothing would make what is used without days free. */
export function prorateMaximum(value: Decimal, proration: Proration): Decimal {
  return prorate(value, proration.active.gt(ZERO) ? proration : { ...proration, active: ONE })
}
