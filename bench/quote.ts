import assert from 'node:assert/strict'
import { days, period } from '../src/kernel/period.ts'
import {
  type AddonTerms,
  type Charge,
  type PlanTerms,
  quote,
  type QuoteFacts,
  type SegmentFacts,
  type Tier,
} from '../src/contexts/pricing/index.ts'

/** The engine may take this many times what the same arithmetic takes on bare integers. */
const RATIO_MAX = 5
const FACTS_COUNT = 64
const QUOTES_PER_ROUND = 512
const ROUNDS = 101

/**
 * Quotes per second of the engine on one core, beside the same arithmetic on bare `bigint`: both get the same facts,
 * read the same decimal strings and dates, and come to the same amounts. Prints both and answers whether the engine
 * keeps within RATIO_MAX.
 */
export async function runQuoteBench(): Promise<boolean> {
  const facts = Array.from({ length: FACTS_COUNT }, (_, index) => factsOf(index))
  for (const one of facts) assert.deepEqual(engineAmounts(one), floorAmounts(one))
  const engine: number[] = []
  const floor: number[] = []
  // Alternating, so that a busy moment of the machine meets both; the median forgets it.
  for (let round = 0; round < ROUNDS; round += 1) {
    engine.push(microsecondsPerQuote(facts, quote))
    floor.push(microsecondsPerQuote(facts, floorAmounts))
  }
  const ratio = median(engine) / median(floor)
  console.log('quote: five charges of all models, three add-ons, usage on all, 20 of 30 days')
  console.log(`  engine       ${speed(median(engine))}`)
  console.log(`  bare bigint  ${speed(median(floor))}`)
  console.log(`  ratio        ${ratio.toFixed(2)} (at most ${RATIO_MAX})`)
  return ratio <= RATIO_MAX
}

function microsecondsPerQuote(facts: readonly QuoteFacts[], rate: (of: QuoteFacts) => unknown): number {
  const started = performance.now()
  for (let count = 0; count < QUOTES_PER_ROUND; count += 1) {
    const one = facts[count % FACTS_COUNT]
    if (one !== undefined) rate(one)
  }
  return ((performance.now() - started) * 1_000) / QUOTES_PER_ROUND
}

function speed(microseconds: number): string {
  const a_second = Math.round(1_000_000 / microseconds).toLocaleString('en')
  return `${microseconds.toFixed(1)} µs, ${a_second} quotes a second on one core`
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function engineAmounts(facts: QuoteFacts): bigint[] {
  return quote(facts).lines.map(({ amount_cents }) => amount_cents)
}

const CHARGES: readonly Charge[] = [
  { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
  {
    meter: 'api_calls',
    model: 'graduated',
    tiers: [
      { up_to: '10', unit_price: '10', flat_price: '2' },
      { up_to: '20', unit_price: '5', flat_price: '3' },
      { up_to: null, unit_price: '5', flat_price: '3' },
    ],
  },
  {
    meter: 'storage_gb',
    model: 'volume',
    tiers: [
      { up_to: '100', unit_price: '0.10' },
      { up_to: null, unit_price: '0.05' },
    ],
  },
  { meter: 'emails', model: 'package', package_size: '1000', package_price: '1.00', included_quantity: '1000' },
  { meter: 'payments_volume', model: 'percentage', rate: '0.029', min_amount: '5.00', max_amount: '500.00' },
]

const PLAN: PlanTerms = {
  code: 'studio',
  version: 1,
  name: 'Studio',
  currency: 'AUD',
  interval: 'month',
  base_price_cents: 5_000n,
  proration: 'daily',
  commitment_cents: null,
  charges: CHARGES,
}

const ADDONS: readonly AddonTerms[] = [
  { id: 'a1', code: 'backups', name: 'Backups', price_cents: 400n, quantity: '1', unit: null, grants_meter: null },
  {
    id: 'a2',
    code: 'more_hours',
    name: 'Hours',
    price_cents: 350n,
    quantity: '72',
    unit: 'h',
    grants_meter: 'droplet_hours',
  },
  {
    id: 'a3',
    code: 'storage_50gb',
    name: 'Storage',
    price_cents: 750n,
    quantity: '50',
    unit: 'GB',
    grants_meter: null,
  },
]

/** Each index another subscription with other usage, on one plan version, as in a month's run. */
function factsOf(index: number): QuoteFacts {
  const usage = {
    droplet_hours: `${900 + 37 * index}.${index + 10}`,
    api_calls: `${index}.5`,
    storage_gb: `${3 * index + 1}.25`,
    emails: `${600 * index + 1}`,
    payments_volume: `${400 * index + 7}.${index + 10}`,
  }
  const segment: SegmentFacts = {
    active: period('2026-04-11', '2026-05-01'),
    mode: 'normal',
    plan: PLAN,
    usage,
    year: null,
  }
  const owner = { deployment_id: `d${index}`, subscription_id: `s${index}` }
  const addons = ADDONS.map((addon) => ({ ...addon, active: { ...segment.active } }))
  return {
    currency: 'AUD',
    period: period('2026-04-01', '2026-05-01'),
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
    subscriptions: [{ ...owner, segments: [segment], addons, discounts: [] }],
    llm: [],
    adjustments: [],
  }
}

// The floor: integers at 12 places, and days that are divided by last, when a line is rounded. It knows nothing of
// currencies but cents, and keeps no more of a line than its amount.

const PLACES = 12
const POWERS_OF_TEN = Array.from({ length: PLACES + 1 }, (_, exponent) => 10n ** BigInt(exponent))
const UNIT = 10n ** 12n
const CENT = 10n ** 10n

function floorAmounts(facts: QuoteFacts): bigint[] {
  const lines: bigint[] = []
  for (const { segments, addons } of facts.subscriptions) {
    for (const segment of segments) addSegment(segment, { addons, whole: BigInt(days(facts.period)), lines })
  }
  const subtotal = lines.reduce((total, cents) => total + cents, 0n)
  lines.push(divided(subtotal * units(facts.tax.rate), UNIT))
  return lines
}

function addSegment(
  { active, plan, usage }: SegmentFacts,
  { addons, whole, lines }: { addons: readonly AddonTerms[]; whole: bigint; lines: bigint[] },
): void {
  const part = BigInt(days(active))
  lines.push(divided(plan.base_price_cents * part, whole))
  for (const { price_cents } of addons.toSorted((a, b) => (a.code < b.code ? -1 : 1))) {
    lines.push(divided(price_cents * part, whole))
  }
  for (const charge of plan.charges) {
    const metered = units(usage[charge.meter])
    if (metered === 0n) continue
    const granted = addons
      .filter(({ grants_meter }) => grants_meter === charge.meter)
      .reduce((total, { quantity }) => total + units(quantity), 0n)
    const included = units(charge.included_quantity) + granted
    // Both at 12 places and times `whole`.
    const rest = metered * whole - included * part
    let amount = rated(charge, rest > 0n ? rest : 0n, whole)
    if (charge.max_amount !== undefined) {
      const max = units(charge.max_amount) * part
      if (amount > max * UNIT) amount = max * UNIT
    }
    const cents = divided(amount, whole * UNIT * CENT)
    lines.push(cents)
    if (charge.min_amount !== undefined) {
      const lacking = divided(units(charge.min_amount) * part - cents * whole * CENT, whole * CENT)
      if (lacking > 0n) lines.push(lacking)
    }
  }
}

/** At 24 places and times `whole`. */
function rated(charge: Charge, billable: bigint, whole: bigint): bigint {
  switch (charge.model) {
    case 'per_unit':
      return billable * units(charge.unit_price)
    case 'graduated':
      return graduated(charge.tiers, billable, whole)
    case 'volume': {
      const tier = charge.tiers.find(({ up_to }) => up_to === null || billable <= units(up_to) * whole)
      if (tier === undefined || billable === 0n) return 0n
      return billable * units(tier.unit_price) + units(tier.flat_price) * UNIT * whole
    }
    case 'package': {
      const size = units(charge.package_size) * whole
      return ((billable + size - 1n) / size) * units(charge.package_price) * UNIT * whole
    }
    case 'percentage':
      return billable * units(charge.rate)
  }
}

function graduated(tiers: readonly Tier[], billable: bigint, whole: bigint): bigint {
  let amount = 0n
  let above = 0n
  for (const tier of tiers) {
    if (billable <= above) break
    const up_to = tier.up_to === null ? billable : units(tier.up_to) * whole
    const reached = up_to < billable ? up_to : billable
    amount += (reached - above) * units(tier.unit_price) + units(tier.flat_price) * UNIT * whole
    above = up_to
  }
  return amount
}

/** A decimal string as an integer count of its twelfth place. */
function units(text: string | null | undefined): bigint {
  if (text === null || text === undefined) return 0n
  const point = text.indexOf('.')
  if (point === -1) return BigInt(text) * UNIT
  const fraction = text.slice(point + 1)
  return BigInt(text.slice(0, point) + fraction) * (POWERS_OF_TEN[PLACES - fraction.length] ?? 0n)
}

/** Half up; nothing here is negative but what is lacking to a minimum, where below 0 is nothing. */
function divided(value: bigint, by: bigint): bigint {
  return value < 0n ? 0n : (2n * value + by) / (2n * by)
}
