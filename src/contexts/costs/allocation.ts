import { decimal, ZERO } from '../../kernel/decimal.ts'
import type { Owner } from '../inventory/index.ts'

export const BASES = ['fixed', 'even', 'direct_cost', 'meter'] as const
export type Basis = (typeof BASES)[number]

/** A part of a shared cost. Weights are decimal strings above 0, relative to each other. */
export type Share = Owner & { readonly weight: string }

export type AllocationRule = {
  readonly id: string
  readonly product: string | null
  readonly project: string | null
  readonly description: string | null
  readonly basis: Basis
  readonly meter: string | null
  /** Of a fixed rule; else empty. */
  readonly shares: readonly Share[]
  /** Between whom a rule that is not fixed shares; empty: all that its basis finds. */
  readonly between: readonly Owner[]
}

/** What there is to share a line by. Weights may be 0 or negative here: who has those gets no share. */
export type Grounds = {
  /** Who rented anything of the provider in the month of the bill. */
  readonly renters: readonly Owner[]
  /** What the month's bills of the provider cost each deployment directly. */
  readonly direct_costs: readonly Share[]
  /** Quantities of the rule's meter in the time of the line. */
  readonly quantities: readonly Share[]
}

/** Between whom a rule shares a line, and by what. Empty when its basis finds nothing. */
export function sharesBy(rule: AllocationRule, grounds: Grounds): readonly Share[] {
  switch (rule.basis) {
    case 'fixed':
      return rule.shares
    case 'even':
      return (rule.between.length > 0 ? rule.between : grounds.renters).map(({ tenant_id, deployment_id }) => ({
        tenant_id,
        deployment_id,
        weight: '1',
      }))
    case 'direct_cost':
      return among(rule.between, grounds.direct_costs)
    case 'meter':
      return among(rule.between, grounds.quantities)
  }
}

/** For the reader of a line, also when the rule is gone: what it selected and what it shared by. */
export function describeRule({ id, product, project, description, basis, meter }: AllocationRule): string {
  const selected = Object.entries({ product, project, description }).flatMap(([name, value]) =>
    value === null ? [] : `${name} ${value}`,
  )
  const by = basis === 'meter' ? `by the meter ${meter}` : SHARED_BY[basis]
  return `allocation rule ${id}: ${selected.join(', ')}, shared ${by}`
}

/** The same with between whom it was shared, so that who is left out is not left out without a word. */
export function describeSharing(rule: AllocationRule, shares: readonly Share[]): string {
  const count = `${shares.length} ${shares.length === 1 ? 'deployment' : 'deployments'}`
  return `${describeRule(rule)} between ${count}${WHO[rule.between.length > 0 ? 'named' : 'found'][rule.basis]}`
}

/** Which deployments a rule shares between: all that its basis finds, or those of them that it names. */
const WHO: Record<'found' | 'named', Record<Basis, string>> = {
  found: {
    fixed: '',
    even: ' that rented of the provider in the month (cost by a rule alone does not count)',
    direct_cost: ' with cost in the month that is matched to them (cost by a rule does not count)',
    meter: ' with a quantity in the time of the line',
  },
  named: {
    fixed: '',
    even: ' that it names',
    direct_cost: ' that it names, with cost in the month that is matched to them (cost by a rule does not count)',
    meter: ' that it names, with a quantity in the time of the line',
  },
}

/** Why a rule that selects a line could not share it. */
export function describeNothing(rule: AllocationRule): string {
  return `${describeRule(rule)}, but ${NOTHING_BY[rule.basis]}`
}

const SHARED_BY = { fixed: 'by fixed shares', even: 'evenly', direct_cost: 'by direct cost' }

const NOTHING_BY: Record<Basis, string> = {
  fixed: 'it has no shares',
  even: 'no deployment rented anything of the provider in the month',
  direct_cost: 'none of its deployments has direct cost in the month',
  meter: 'the meter has no quantity in the time of the line',
}

function among(listed: readonly Owner[], shares: readonly Share[]): Share[] {
  const ids = new Set(listed.map(({ deployment_id }) => deployment_id))
  return shares.filter(
    ({ deployment_id, weight }) => decimal(weight).gt(ZERO) && (ids.size === 0 || ids.has(deployment_id)),
  )
}
