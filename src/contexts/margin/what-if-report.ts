import { decimal, plain, round } from '../../kernel/decimal.ts'
import type { Currency } from '../../kernel/money.ts'

/** What the deployments of a tenant on the plan come to in one month. `costs_cents` has one entry for each of them. */
export type RatedMonth = {
  tenant_id: string
  legal_name: string
  now_cents: bigint
  then_cents: bigint
  /** Whether a price for a year is among those compared. */
  is_yearly: boolean
  /** Null where the cost is not known. */
  costs_cents: readonly (bigint | null)[]
}

/**
 * Amounts in minor units over all months, `now` under the terms that hold and `then` under the asked ones; tax and
 * adjustments are in neither. `cost_cents` is what is known of the cost, null where nothing is; `coverage` says of how
 * many deployments' months it is known, as a decimal from 0 to 1.
 */
export type Comparison = {
  revenue_now_cents: bigint
  revenue_then_cents: bigint
  difference_cents: bigint
  cost_cents: bigint | null
  margin_now_cents: bigint | null
  margin_then_cents: bigint | null
  coverage: string | null
}

/** A winner pays less than now, a loser more. */
export type Outcome = 'winner' | 'loser' | 'same'
export type ComparedTenant = Comparison & { tenant_id: string; legal_name: string; outcome: Outcome }

/** What could not be rated, in which month (`2026-04`), and why. */
export type LeftOut = { tenant_id: string; month: string; code: string; detail: string }

export type WhatIfReport = {
  currency: Currency
  /** Those who save most first. */
  tenants: ComparedTenant[]
  totals: Comparison & { tenants: number; winners: number; losers: number }
  left_out: LeftOut[]
  hints: string[]
}

const COVERAGE_PLACES = 4
const YEARLY_HINT = 'A yearly price counts by the days of its year here; it is invoiced whole when the year begins.'

export function reportOf(
  rated: readonly RatedMonth[],
  { currency, left_out, hints }: Pick<WhatIfReport, 'currency' | 'left_out' | 'hints'>,
): WhatIfReport {
  const tenants = [...Map.groupBy(rated, ({ tenant_id }) => tenant_id).values()]
    .flatMap(comparedTenant)
    .toSorted(byDifference)
  const count = (outcome: Outcome): number => tenants.filter((tenant) => tenant.outcome === outcome).length
  const totals = { ...compared(rated), tenants: tenants.length, winners: count('winner'), losers: count('loser') }
  return { currency, tenants, totals, left_out, hints: [...hints, ...hintsOf(totals, { rated, left_out })] }
}

function comparedTenant(months: readonly RatedMonth[]): ComparedTenant[] {
  const [first] = months
  if (first === undefined) return []
  const { tenant_id, legal_name } = first
  const comparison = compared(months)
  return [{ tenant_id, legal_name, ...comparison, outcome: outcomeOf(comparison) }]
}

function outcomeOf({ difference_cents }: Comparison): Outcome {
  if (difference_cents === 0n) return 'same'
  return difference_cents < 0n ? 'winner' : 'loser'
}

function compared(months: readonly RatedMonth[]): Comparison {
  let [revenue_now_cents, revenue_then_cents] = [0n, 0n]
  let [known_cents, known, all] = [0n, 0, 0]
  for (const { now_cents, then_cents, costs_cents } of months) {
    revenue_now_cents += now_cents
    revenue_then_cents += then_cents
    for (const cost_cents of costs_cents) {
      all += 1
      if (cost_cents === null) continue
      known += 1
      known_cents += cost_cents
    }
  }
  const cost_cents = known === 0 ? null : known_cents
  return {
    revenue_now_cents,
    revenue_then_cents,
    difference_cents: revenue_then_cents - revenue_now_cents,
    cost_cents,
    margin_now_cents: cost_cents === null ? null : revenue_now_cents - cost_cents,
    margin_then_cents: cost_cents === null ? null : revenue_then_cents - cost_cents,
    coverage: all === 0 ? null : plain(round(decimal(BigInt(known)).div(decimal(BigInt(all))), COVERAGE_PLACES)),
  }
}

function byDifference(a: ComparedTenant, b: ComparedTenant): number {
  if (a.difference_cents !== b.difference_cents) return a.difference_cents < b.difference_cents ? -1 : 1
  return a.tenant_id < b.tenant_id ? -1 : 1
}

function hintsOf(
  { cost_cents, coverage }: Comparison,
  { rated, left_out }: { rated: readonly RatedMonth[]; left_out: readonly LeftOut[] },
): string[] {
  return [
    ...(rated.some(({ is_yearly }) => is_yearly) ? [YEARLY_HINT] : []),
    ...(cost_cents === null ? ['No cost is known for these months, and so no margin.'] : []),
    ...(cost_cents !== null && coverage !== '1' ? ['Some of the cost is not known: see coverage.'] : []),
    ...(left_out.length > 0 ? ['Some could not be rated: see left_out.'] : []),
  ]
}
