import { type Decimal, decimal, isDecimalText, round, ZERO } from '../../kernel/decimal.ts'
import { type Currency, isCurrency } from '../../kernel/money.ts'
import type { Fault } from '../../kernel/problem.ts'
import type { Charge, Tier } from './facts.ts'

/** Digits after the point of a price or rate. */
export const PRICE_MAX_PLACES = 12

/**
 * What keeps a plan version from being published, every mistake by its path (`charges/1/tiers/0/up_to`).
 * Charges that pass can be rated for any quantity.
 */
export function checkCharges(plan: { currency: Currency; charges: readonly Charge[] }): Fault[] {
  return [
    ...unless(isCurrency(plan.currency), 'currency', 'must be an ISO 4217 currency code'),
    ...plan.charges.flatMap((charge, index) => [
      ...meterFaults(plan.charges, index),
      ...limitFaults(charge, `charges/${index}`),
      ...modelFaults(charge, `charges/${index}`),
    ]),
  ]
}

function meterFaults(charges: readonly Charge[], index: number): Fault[] {
  const first = charges.findIndex((charge) => charge.meter === charges[index]?.meter)
  return unless(first === index, `charges/${index}/meter`, `is priced already by charges/${first}`)
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
      return priceFaults(charge.rate, `${path}/rate`)
  }
}

function tiersFaults(tiers: readonly Tier[], path: string): Fault[] {
  if (tiers.length === 0) return [{ path, message: 'must have at least one tier' }]
  return tiers.flatMap((tier, index) => [
    ...boundFaults(tiers, index, `${path}/${index}/up_to`),
    ...priceFaults(tier.unit_price, `${path}/${index}/unit_price`),
    ...priceFaults(tier.flat_price ?? '0', `${path}/${index}/flat_price`),
  ])
}

function boundFaults(tiers: readonly Tier[], index: number, path: string): Fault[] {
  const up_to = tiers[index]?.up_to ?? null
  if (index === tiers.length - 1) return unless(up_to === null, path, 'must be null in the last tier')
  if (up_to === null) return [{ path, message: 'must be null in the last tier only' }]
  const bound = parse(up_to)
  const below = parse(tiers[index - 1]?.up_to)
  return [
    ...positiveFaults(up_to, path),
    ...unless(!bound || !below || bound.gt(below), path, 'must be above the up_to of the tier before'),
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
