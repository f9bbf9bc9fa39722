import { type Decimal, decimal, plain } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import type { Charge, PlanTerms } from './facts.ts'
import { graduatedRater } from './models/graduated.ts'
import { packageRater } from './models/package.ts'
import { perUnitRater } from './models/per_unit.ts'
import { isPerEvent, percentageRater } from './models/percentage.ts'
import type { Rater } from './models/rated.ts'
import { volumeRater } from './models/volume.ts'
import { usageKey } from './usage-key.ts'

/** Plan terms with their decimals read. */
export type RatedPlan = {
  terms: PlanTerms
  base_price: Decimal
  commitment: Decimal | null
  charges: readonly RatedCharge[]
}

export type RatedCharge = {
  terms: Charge
  /** The terms as one spelling of them: charges of the same terms share what is due once. */
  identity: string
  usage_key: string
  included: Decimal | null
  min: Decimal | null
  max: Decimal | null
  /** Whether add-ons that grant the meter add to what this charge includes. */
  is_granted: boolean
  is_per_event: boolean
  rate: Rater
}

const known = new WeakMap<PlanTerms, RatedPlan>()

/** Reads the terms once per object: many subscriptions, and every re-rating of them, share a plan version. */
export function ratedPlan(terms: PlanTerms): RatedPlan {
  const before = known.get(terms)
  if (before !== undefined) return before
  const plan = {
    terms,
    base_price: fromMinor(terms.base_price_cents, terms.currency),
    commitment: terms.commitment_cents === null ? null : fromMinor(terms.commitment_cents, terms.currency),
    charges: terms.charges.map((charge) => ratedCharge(charge, terms.charges)),
  }
  known.set(terms, plan)
  return plan
}

function ratedCharge(terms: Charge, charges: readonly Charge[]): RatedCharge {
  return {
    terms,
    identity: identityOf(terms),
    usage_key: usageKey(terms),
    included: optional(terms.included_quantity),
    min: optional(terms.min_amount),
    max: optional(terms.max_amount),
    is_granted: grantedCharge(terms.meter, charges) === terms,
    is_per_event: isPerEvent(terms),
    rate: raterOf(terms),
  }
}

/** Whatever the order of the terms, the digits of a decimal (`10`, `10.0`), and whether none is null or left out. */
function identityOf({ meter, filter, model, ...terms }: Charge): string {
  return JSON.stringify([usageKey({ meter, filter: filter ?? null }), model, canonical(terms)])
}

function canonical(terms: unknown): unknown {
  if (typeof terms === 'string') return plain(decimal(terms))
  if (Array.isArray(terms)) return terms.map(canonical)
  if (typeof terms !== 'object' || terms === null) return terms
  const set = Object.entries(terms).filter(([, term]) => term !== undefined && term !== null)
  return set.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, term]) => [name, canonical(term)])
}

/** The default charge of the meter, or where every charge has a filter the first. */
function grantedCharge(meter: string, charges: readonly Charge[]): Charge | undefined {
  const of_meter = charges.filter((charge) => charge.meter === meter)
  return of_meter.find(({ filter }) => filter === undefined || filter === null) ?? of_meter[0]
}

function raterOf(charge: Charge): Rater {
  switch (charge.model) {
    case 'per_unit':
      return perUnitRater(charge)
    case 'graduated':
      return graduatedRater(charge)
    case 'volume':
      return volumeRater(charge)
    case 'package':
      return packageRater(charge)
    case 'percentage':
      return percentageRater(charge)
  }
}

function optional(text: string | null | undefined): Decimal | null {
  return text === undefined || text === null ? null : decimal(text)
}
