import { type Decimal, decimal, isDecimalText, ONE, round, ZERO } from '../../kernel/decimal.ts'
import { type Currency, expectedCurrency, isCurrency } from '../../kernel/money.ts'
import { quoted } from '../../kernel/nearest.ts'
import type { Fault } from '../../kernel/problem.ts'
import type { Charge, PercentageTerms, PlanTerms, Tier } from './facts.ts'
import { isPerEvent } from './models/percentage.ts'
import { USAGE_KEY_SIGNS, usageKey } from './usage-key.ts'

/** Digits after the point of a price or rate. */
export const PRICE_MAX_PLACES = 12

/** A meter that counts every event by itself, so that a price per event has a meaning on it. */
const EVENT_AGGREGATIONS: ReadonlySet<string> = new Set(['sum', 'count'])

type CheckedPlan = { currency: Currency; charges: readonly Charge[] } & Partial<
  Pick<PlanTerms, 'base_price_cents' | 'commitment_cents'>
>

/**
 * What keeps a plan version from being published, every mistake by its path (`charges/1/tiers/0/up_to`).
 * Charges that pass can be rated for any quantity. `aggregations` are those of the meters that are known, by code;
 * whether a meter exists is the catalogue's to say.
 */
export function checkCharges(plan: CheckedPlan, aggregations: ReadonlyMap<string, string> = new Map()): Fault[] {
  return [
    ...currencyFaults(plan),
    ...unless((plan.base_price_cents ?? 0n) >= 0n, 'base_price_cents', 'must not be negative'),
    ...unless((plan.commitment_cents ?? 0n) >= 0n, 'commitment_cents', 'must not be negative'),
    ...plan.charges.flatMap((charge, index) => [
      ...filterFaults(charge, `charges/${index}/filter`),
      ...sameUsageFaults(plan.charges, index),
      ...limitFaults(charge, `charges/${index}`),
      ...modelFaults(charge, `charges/${index}`),
      ...aggregationFaults(charge, aggregations.get(charge.meter), `charges/${index}`),
    ]),
  ]
}

function currencyFaults({ currency }: CheckedPlan): Fault[] {
  return isCurrency(currency) ? [] : [{ path: 'currency', message: `must be ${expectedCurrency(currency)}` }]
}

function filterFaults({ filter }: Charge, path: string): Fault[] {
  if (filter === undefined || filter === null) return []
  const properties = Object.entries(filter)
  return [
    ...unless(properties.length > 0, path, 'must name a property; a charge for all other events has no filter'),
    ...properties.flatMap(([property, values]) => [
      ...textFaults(property, `${path}/${property}`),
      ...unless(values.length > 0, `${path}/${property}`, 'must have at least one value'),
      ...values.flatMap((value, index) => [
        ...textFaults(value, `${path}/${property}/${index}`),
        ...unless(values.indexOf(value) === index, `${path}/${property}/${index}`, 'is named already'),
      ]),
    ]),
  ]
}

/** Filters are part of the usage key, whose signs would make two filters read alike. */
function textFaults(text: string, path: string): Fault[] {
  return unless(text !== '' && !USAGE_KEY_SIGNS.test(text), path, 'must not be empty or have any of [ ] = | ,')
}

function sameUsageFaults(charges: readonly Charge[], index: number): Fault[] {
  const charge = charges[index]
  const first = charges.findIndex((other) => charge !== undefined && usageKey(other) === usageKey(charge))
  if (first === index || charge === undefined) return []
  const filtered = charge.filter !== undefined && charge.filter !== null
  return [
    { path: `charges/${index}/${filtered ? 'filter' : 'meter'}`, message: `is priced already by charges/${first}` },
  ]
}

function aggregationFaults(charge: Charge, aggregation: string | undefined, path: string): Fault[] {
  if (aggregation === undefined || !isPerEvent(charge) || EVENT_AGGREGATIONS.has(aggregation)) return []
  return [{ path: `${path}/meter`, message: `must be a sum or a count of events; it is ${aggregation}` }]
}

function limitFaults(charge: Charge, path: string): Fault[] {
  const min = parse(charge.min_amount)
  const max = parse(charge.max_amount)
  return [
    ...optionalFaults(charge.included_quantity, `${path}/included_quantity`),
    ...optionalFaults(charge.min_amount, `${path}/min_amount`),
    ...optionalFaults(charge.max_amount, `${path}/max_amount`),
    ...unless(!min || !max || min.lte(max), `${path}/min_amount`, 'must not be above max_amount'),
  ]
}

function modelFaults(charge: Charge, path: string): Fault[] {
  switch (charge.model) {
    case 'per_unit':
      return priceFaults(charge.unit_price, `${path}/unit_price`)
    case 'graduated':
    case 'volume':
      return tiersFaults(charge.tiers, `${path}/tiers`)
    case 'package':
      return [
        ...positiveFaults(charge.package_size, `${path}/package_size`),
        ...priceFaults(charge.package_price, `${path}/package_price`),
      ]
    case 'percentage':
      return [...rateFaults(charge.rate, `${path}/rate`), ...eventFaults(charge, path)]
  }
}

function eventFaults({ fixed_per_event, min_per_event, max_per_event }: PercentageTerms, path: string): Fault[] {
  const min = parse(min_per_event)
  const max = parse(max_per_event)
  return [
    ...priceFaults(fixed_per_event ?? '0', `${path}/fixed_per_event`),
    ...priceFaults(min_per_event ?? '0', `${path}/min_per_event`),
    ...priceFaults(max_per_event ?? '0', `${path}/max_per_event`),
    ...unless(!min || !max || min.lte(max), `${path}/min_per_event`, 'must not be above max_per_event'),
  ]
}

function tiersFaults(tiers: readonly Tier[], path: string): Fault[] {
  if (tiers.length === 0)
    return [{ path, message: 'must have at least one tier, such as {"up_to": null, "unit_price": "0.10"}' }]
  return tiers.flatMap((tier, index) => [
    ...boundFaults(tiers, index, `${path}/${index}/up_to`),
    ...priceFaults(tier.unit_price, `${path}/${index}/unit_price`),
    ...priceFaults(tier.flat_price ?? '0', `${path}/${index}/flat_price`),
  ])
}

function boundFaults(tiers: readonly Tier[], index: number, path: string): Fault[] {
  const up_to = tiers[index]?.up_to ?? null
  if (index === tiers.length - 1)
    return unless(up_to === null, path, `must be null in the last tier, which has no end; found ${quoted(up_to ?? '')}`)
  if (up_to === null) return [{ path, message: 'must be null in the last tier only: none after it would be reached' }]
  const bound = parse(up_to)
  const below = parse(tiers[index - 1]?.up_to)
  return [
    ...positiveFaults(up_to, path),
    ...unless(
      !bound || !below || bound.gt(below),
      path,
      `must be above the up_to of the tier before, ${quoted(tiers[index - 1]?.up_to ?? '')}; found ${quoted(up_to)}`,
    ),
  ]
}

function priceFaults(text: string, path: string): Fault[] {
  const price = parse(text)
  const short = !price || round(price, PRICE_MAX_PLACES).eq(price)
  return [
    ...amountFaults(text, path),
    ...unless(short, path, `must have at most ${PRICE_MAX_PLACES} digits after the point`),
  ]
}

/** A rate in percent is the usual mistake, and would be a hundred times what is meant. */
function rateFaults(text: string, path: string): Fault[] {
  const rate = parse(text)
  const message = `must be a fraction of at most 1, such as "0.029" for 2.9 %; found ${quoted(text)}`
  return [...priceFaults(text, path), ...unless(!rate || rate.lte(ONE), path, message)]
}

function positiveFaults(text: string, path: string): Fault[] {
  const value = parse(text)
  return value?.eq(ZERO) ? [{ path, message: 'must be above 0' }] : amountFaults(text, path)
}

function optionalFaults(text: string | null | undefined, path: string): Fault[] {
  return text === null || text === undefined ? [] : amountFaults(text, path)
}

function amountFaults(text: string, path: string): Fault[] {
  const value = parse(text)
  if (!value) return [{ path, message: 'must be a decimal string' }]
  return unless(value.gte(ZERO), path, 'must not be negative')
}

function parse(text: string | null | undefined): Decimal | undefined {
  return typeof text === 'string' && isDecimalText(text) ? decimal(text) : undefined
}

function unless(holds: boolean, path: string, message: string): Fault[] {
  return holds ? [] : [{ path, message }]
}
