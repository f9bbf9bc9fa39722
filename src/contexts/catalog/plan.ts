import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { present } from '../../kernel/invariant.ts'
import type { Charge, PlanTerms, Tier } from '../pricing/index.ts'

export type Plan = Selectable<DB['catalog.plan']>
export type Addon = Selectable<DB['catalog.addon']>
type StoredCharge = Selectable<DB['catalog.charge']>
type Filter = NonNullable<Charge['filter']>
export type ChargeRow = Omit<StoredCharge, 'tiers' | 'filter'> & {
  tiers: readonly Tier[] | null
  filter: Filter | null
}
export type PlanVersion = Selectable<DB['catalog.plan_version']> & { charges: readonly Charge[] }

/**
 * A plan version as the caller gives it; amounts in minor units of `currency`, the base price for the interval and the
 * commitment for a month.
 */
export type NewPlanVersion = {
  currency: string
  interval?: PlanTerms['interval']
  base_price_cents: number
  proration?: PlanTerms['proration']
  commitment_cents?: number | null
  charges?: readonly Charge[]
}

/** The terms of a version given inline, as if it were published. */
export function planTermsOf(given: NewPlanVersion): PlanTerms {
  return {
    code: null,
    version: null,
    name: null,
    currency: given.currency,
    interval: given.interval ?? 'month',
    base_price_cents: BigInt(given.base_price_cents),
    proration: given.proration ?? 'daily',
    commitment_cents: typeof given.commitment_cents === 'number' ? BigInt(given.commitment_cents) : null,
    charges: given.charges ?? [],
  }
}

/** The row of a charge: every column named, so that charges of different models go in together. */
export function chargeRow(charge: Charge, place: { plan_version_id: string; position: number }): ChargeRow {
  const nothing = { unit_price: null, tiers: null, package_size: null, package_price: null, rate: null }
  const per_event = { fixed_per_event: null, min_per_event: null, max_per_event: null }
  const unlimited = { filter: null, included_quantity: null, min_amount: null, max_amount: null }
  return { ...nothing, ...per_event, ...unlimited, ...charge, ...place }
}

/** The charge in the contract's spelling: only the fields of its model, and the limits that are set. */
export function chargeOf(row: ChargeRow): Charge {
  const { meter, filter, included_quantity, min_amount, max_amount } = row
  return {
    meter,
    ...(filter !== null && { filter }),
    ...modelTerms(row),
    ...(included_quantity !== null && { included_quantity }),
    ...(min_amount !== null && { min_amount }),
    ...(max_amount !== null && { max_amount }),
  }
}

function modelTerms(row: ChargeRow) {
  const { model } = row
  const promise = 'a charge has the fields of its model'
  switch (model) {
    case 'per_unit':
      return { model, unit_price: present(row.unit_price, promise) }
    case 'graduated':
    case 'volume':
      return { model, tiers: present(row.tiers, promise) }
    case 'package':
      return {
        model,
        package_size: present(row.package_size, promise),
        package_price: present(row.package_price, promise),
      }
    case 'percentage':
      return { model, rate: present(row.rate, promise), ...perEventTerms(row) }
  }
}

function perEventTerms({ fixed_per_event, min_per_event, max_per_event }: ChargeRow) {
  return {
    ...(fixed_per_event !== null && { fixed_per_event }),
    ...(min_per_event !== null && { min_per_event }),
    ...(max_per_event !== null && { max_per_event }),
  }
}
