import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvariantError } from '../../kernel/invariant.ts'
import { anyFacts, APRIL, attached, quoteFacts, segmentFacts, STORAGE, STUDIO, yearFrom } from './facts.fixture.ts'
import type { DiscountTerms, PlanTerms, Quote, QuoteFacts, QuoteLine, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const TENTH: DiscountTerms = { id: 'disc_1', name: 'Partner', rate: '0.10', amount_cents: null, line_kinds: null }
const TWENTY: DiscountTerms = { id: 'disc_2', name: 'Welcome', rate: null, amount_cents: 2_000n, line_kinds: null }
const MONTH = segmentFacts({ usage: { droplet_hours: '2160' } })

test('a rate takes its part of each line, as credits that add up to the rounded part of the whole', () => {
  const made = discounted([TENTH])
  // 10 % of 64.22 is 6.42: 5.00, 0.75 and 0.67 each rounded down leave nothing to be given out.
  assert.deepEqual(credits(made), [
    'Partner: studio v1 base price -500',
    'Partner: Addon: storage_50gb -75',
    'Partner: droplet_hours overage -67',
  ])
  assert.deepEqual([made.subtotal_cents, made.tax_cents], [5_780n, 578n])
})

test('a credit has the meter, the owner, the period and the tax of its line', () => {
  const overage = discounted([TENTH]).lines.find(({ kind }) => kind === 'overage')
  const credit = discounted([TENTH]).lines.find(({ kind, meter }) => kind === 'credit' && meter !== null)
  for (const field of ['meter', 'deployment_id', 'subscription_id', 'service_period', 'taxable'] as const) {
    assert.deepEqual(credit?.[field], overage?.[field])
  }
  assert.deepEqual(credit?.details, {
    discount_id: 'disc_1',
    discount_name: 'Partner',
    discount_rate: '0.1',
    discounted_kind: 'overage',
    discounted_line: 'droplet_hours overage',
    line_amount: '6.72',
    discounted_amount: '64.22',
    total_discount: '6.42',
    currency: 'AUD',
  })
})

test('a fixed amount is not prorated, and takes no more than there is', () => {
  assert.equal(discounted([TWENTY]).subtotal_cents, 4_422n)
  const active = { start: APRIL.start, end: APRIL.start.add({ days: 1 }) }
  assert.equal(discounted([TWENTY], [{ ...MONTH, active, usage: {} }]).subtotal_cents, 0n)
})

test('a discount on a kind of line leaves the others alone', () => {
  assert.deepEqual(credits(discounted([{ ...TWENTY, line_kinds: ['addon', 'overage'] }])), [
    'Welcome: Addon: storage_50gb -750',
    'Welcome: droplet_hours overage -672',
  ])
  assert.deepEqual(credits(discounted([{ ...TWENTY, line_kinds: ['usage'] }])), [])
})

test('each discount is on what the one before left', () => {
  assert.equal(discounted([TENTH, TENTH]).subtotal_cents, 6_422n - 642n - 578n)
  assert.equal(discounted([TWENTY, TENTH]).subtotal_cents, 4_422n - 442n)
  assert.equal(discounted([TENTH, { ...TENTH, rate: '1' }, TWENTY]).subtotal_cents, 0n)
})

test('a commitment is met before discounts, and discounted with the rest', () => {
  const plan: PlanTerms = { ...STUDIO, commitment_cents: 10_000n }
  const made = discounted([TENTH], [segmentFacts({ plan })])
  assert.deepEqual(credits(made), ['Partner: studio v1 base price -500', 'Partner: Minimum commitment -500'])
  assert.equal(made.subtotal_cents, 9_000n)
})

test('what a year gives back is without its discounts already, and left alone', () => {
  const plan: PlanTerms = { ...STUDIO, interval: 'year', charges: [], base_price_cents: 36_500n }
  const paused = segmentFacts({ plan, mode: 'paused', year: yearFrom(APRIL.start) })
  assert.deepEqual(credits(discounted([TENTH], [paused])), [
    'studio v1 base price, days paused -3000',
    'Partner: studio v1 base price -3650',
  ])
  // 365.00 − 36.50 − 30 days of 0.90 each.
  const under = { ...paused, year: { ...yearFrom(APRIL.start), discounts: [TENTH] } }
  assert.equal(discounted([TENTH], [under]).subtotal_cents, 30_150n)
  const earlier = { ...paused, year: yearFrom(Temporal.PlainDate.from('2026-01-01')) }
  assert.deepEqual(credits(discounted([TENTH], [earlier])), ['studio v1 base price, days paused -3000'])
})

test('LLM usage and adjustments are not discounted', () => {
  const owner = { deployment_id: 'dep_1', subscription_id: null, service_period: APRIL }
  const made = quote({
    ...factsWith([{ ...TENTH, rate: '1' }]),
    llm: [{ ...owner, charge: '5', event_count: 1 }],
    adjustments: [{ ...owner, description: 'Late usage', amount_cents: 100n, details: {} }],
  })
  assert.equal(made.subtotal_cents, 600n)
})

test('a discount with both a rate and an amount, or neither, is a bug', () => {
  assert.throws(() => discounted([{ ...TENTH, amount_cents: 1n }]), InvariantError)
  assert.throws(() => discounted([{ ...TENTH, rate: null }]), InvariantError)
})

test('discounts never take more than is charged or turn a line below 0, and each adds up to what it says', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const own = { ...facts, llm: [], adjustments: [] }
      const plain = quote(withDiscounts(own, []))
      const made = quote(own)
      const given = made.lines.filter(({ details }) => details['discount_name'] !== undefined)
      const taken_cents = given.reduce((total, line) => total - line.amount_cents, 0n)
      assert.equal(made.subtotal_cents, plain.subtotal_cents - taken_cents)
      const charged = plain.lines.filter(({ kind }) => kind !== 'credit' && kind !== 'tax')
      assert.ok(taken_cents <= charged.reduce((total, line) => total + line.amount_cents, 0n))
      for (const line of given) assert.ok(line.amount_cents < 0n)
      const rest = Map.groupBy(
        made.lines.filter(({ kind }) => kind !== 'tax'),
        lineKey,
      )
      for (const of_line of rest.values()) {
        const charged = of_line.filter(({ kind }) => kind !== 'credit')
        if (charged.length > 0) assert.ok(of_line.reduce((total, line) => total + line.amount_cents, 0n) >= 0n)
      }
    }),
  )
})

/** What a line and the discounts on it have in common. */
function lineKey({ kind, description, service_period, details }: QuoteLine): string {
  const on = details['discounted_line']
  return `${kind === 'credit' && typeof on === 'string' ? on : description} ${service_period.start}/${service_period.end}`
}

function withDiscounts(facts: QuoteFacts, discounts: readonly DiscountTerms[]): QuoteFacts {
  return { ...facts, subscriptions: facts.subscriptions.map((subscription) => ({ ...subscription, discounts })) }
}

/** By default of the month with an add-on. */
function factsWith(discounts: readonly DiscountTerms[], segments?: readonly SegmentFacts[]): QuoteFacts {
  const facts = segments === undefined ? quoteFacts([MONTH], { addons: [attached(STORAGE)] }) : quoteFacts(segments)
  return withDiscounts(facts, discounts)
}

function discounted(discounts: readonly DiscountTerms[], segments?: readonly SegmentFacts[]): Quote {
  return quote(factsWith(discounts, segments))
}

function credits({ lines }: Quote): string[] {
  return lines.filter(({ kind }) => kind === 'credit').map((line) => `${line.description} ${line.amount_cents}`)
}
