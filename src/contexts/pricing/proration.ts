import { type Decimal, decimal, share } from '../../kernel/decimal.ts'
import { days, type Period } from '../../kernel/period.ts'
import type { PlanTerms } from './facts.ts'

/** In the spelling of a line's details, which carry it as it is. Days are whole numbers. */
export type Proration = { proration: PlanTerms['proration']; days_active: string; days_in_period: string }

export function prorationOf(rule: PlanTerms['proration'], range: { active: Period; period: Period }): Proration {
  return {
    proration: rule,
    days_active: days(range.active).toString(),
    days_in_period: days(range.period).toString(),
  }
}

/** `value × days active ÷ days in the period`, or the whole value under the rule `none`. */
export function prorate(value: Decimal, by: Proration): Decimal {
  return by.proration === 'none' ? value : share(value, decimal(by.days_active), decimal(by.days_in_period))
}
