import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal, plain } from '../../kernel/decimal.ts'
import { InvariantError } from '../../kernel/invariant.ts'
import { toMinor } from '../../kernel/money.ts'
import { period } from '../../kernel/period.ts'
import { anyFacts, APRIL, attached, quoteFacts, segmentFacts, STORAGE, STUDIO } from './facts.fixture.ts'
import type { LlmFacts, Quote, QuoteLine } from './facts.ts'
import { quote } from './quote.ts'

test('a month of Studio with storage and three droplets comes to 70.64', () => {
  const made = quote(quoteFacts([segmentFacts({ usage: { droplet_hours: '2160' } })], { addons: [attached(STORAGE)] }))
  assert.deepEqual(rows(made), [
    'plan_base "studio v1 base price" 1 × 50 = 5000',
    'addon "Addon: storage_50gb" 1 × 7.5 = 750',
    'overage "droplet_hours overage" 672 × 0.01 = 672',
    'tax "GST 10 %" null × null = 642',
  ])
  assert.deepEqual([made.subtotal_cents, made.tax_cents, made.total_cents], [6422n, 642n, 7064n])
  assert.deepEqual([made.currency, made.engine_version], ['AUD', '3'])
})

test('half a month costs half the base price, half the add-on and includes half the quantity', () => {
  const active = period('2026-04-16', '2026-05-01')
  const facts = quoteFacts([segmentFacts({ active, usage: { droplet_hours: '1000' } })], {
    addons: [attached(STORAGE)],
  })
  const made = quote(facts)
  assert.deepEqual(rows(made).slice(0, 3), [
    'plan_base "studio v1 base price" 1 × 50 = 2500',
    'addon "Addon: storage_50gb" 1 × 7.5 = 375',
    'overage "droplet_hours overage" 256 × 0.01 = 256',
  ])
  for (const line of made.lines.slice(0, 3)) assert.deepEqual(line.service_period, active)
})

test('a plan change bills each segment by its own plan version and usage', () => {
  const larger = { ...STUDIO, version: 2, base_price_cents: 9000n, charges: [] }
  const made = quote(
    quoteFacts([
      segmentFacts({ active: period('2026-04-01', '2026-04-11'), usage: { droplet_hours: '500' } }),
      segmentFacts({ active: period('2026-04-11', '2026-05-01'), plan: larger, usage: { droplet_hours: '9999' } }),
    ]),
  )
  assert.deepEqual(rows(made).slice(0, -1), [
    'plan_base "studio v1 base price" 1 × 50 = 1667',
    'overage "droplet_hours overage" 4 × 0.01 = 4',
    'plan_base "studio v2 base price" 1 × 90 = 6000',
  ])
})

test('a base price of 0 gives no line', () => {
  assert.deepEqual(quote(quoteFacts([segmentFacts({ plan: { ...STUDIO, base_price_cents: 0n } })])).lines, [])
})

test('a plan without a code is called by its name, or not at all', () => {
  const description = (name: string | null): string | undefined =>
    quote(quoteFacts([segmentFacts({ plan: { ...STUDIO, code: null, version: null, name } })])).lines[0]?.description
  assert.equal(description('Trial balloon'), 'Trial balloon base price')
  assert.equal(description(null), 'Base price')
})

test('a trial is free, but shows its usage; LLM usage is charged in it', () => {
  const trial = segmentFacts({ mode: 'trial', usage: { droplet_hours: '2160' } })
  const facts = quoteFacts([trial], { addons: [attached(STORAGE)] })
  const made = quote({ ...facts, llm: [llm('0.50', 3)] })
  assert.deepEqual(rows(made).slice(0, -1), [
    'overage "droplet_hours overage" 672 × 0.01 = 0',
    'llm_usage "LLM usage" 3 × null = 50',
  ])
  assert.equal(made.lines[0]?.details['trial'], true)
})

test('a pause stops base price, add-ons and what they include; usage is still rated', () => {
  const addons = [attached({ ...STORAGE, grants_meter: 'droplet_hours' })]
  const made = quote(quoteFacts([segmentFacts({ mode: 'paused', usage: { droplet_hours: '2160' } })], { addons }))
  assert.deepEqual(rows(made).slice(0, -1), ['usage "droplet_hours usage" 2160 × 0.01 = 2160'])
})

test('exact LLM charges are rounded once, and none are no line', () => {
  const made = quote(quoteFacts([], { llm: [llm('0.0149999999', 2), llm('0', 0)] }))
  assert.deepEqual(
    made.lines.filter((line) => line.kind === 'llm_usage').map((line) => [line.amount_precise, line.amount_cents]),
    [['0.0149999999', 1n]],
  )
})

test('an adjustment keeps its own service period and may turn the bill negative', () => {
  const march = period('2026-03-01', '2026-04-01')
  const made = quote(
    quoteFacts([], {
      adjustments: [
        {
          deployment_id: 'dep_1',
          subscription_id: null,
          description: 'Late usage of March',
          amount_cents: -1005n,
          service_period: march,
          details: {},
        },
      ],
    }),
  )
  assert.equal(made.lines[0]?.service_period, march)
  assert.deepEqual([made.subtotal_cents, made.tax_cents, made.total_cents], [-1005n, -101n, -1106n])
})

test('amounts are rounded to the minor unit of their currency', () => {
  const charges = [{ meter: 'a', model: 'per_unit' as const, unit_price: '0.0055' }]
  const cents = (currency: string): bigint => {
    const plan = { ...STUDIO, currency, base_price_cents: 0n, charges }
    return quote(quoteFacts([segmentFacts({ plan, usage: { a: '100' } })], { currency })).subtotal_cents
  }
  assert.deepEqual([cents('JPY'), cents('AUD'), cents('BHD')], [1n, 55n, 550n])
})

test('what a quotient has lost decides no tie: 20 minutes at 0.015 an hour are half a cent', () => {
  const charges = [{ meter: 'a', model: 'per_unit' as const, unit_price: '0.015' }]
  const plan = { ...STUDIO, base_price_cents: 0n, charges }
  const a = plain(decimal('1200').div(decimal('3600')))
  const [line] = quote(quoteFacts([segmentFacts({ plan, usage: { a } })])).lines
  assert.deepEqual([line?.amount_precise, line?.amount_cents], ['0.005', 1n])
  assert.equal(line?.quantity, `0.${'3'.repeat(20)}`)
})

test('facts that contradict each other are a bug', () => {
  const tax = { treatment: 'taxable' as const, name: null, rate: null }
  assert.throws(() => quote(quoteFacts([segmentFacts()], { currency: 'USD' })), InvariantError)
  assert.throws(() => quote(quoteFacts([segmentFacts()], { tax })), InvariantError)
  const active = period('2026-04-30', '2026-05-02')
  assert.throws(() => quote(quoteFacts([segmentFacts({ active })])), InvariantError)
})

test('totals are the sums of the posted lines, and every line is rounded once', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const made = quote(facts)
      const posted = (isTax: boolean): bigint =>
        made.lines.filter((line) => (line.kind === 'tax') === isTax).reduce((sum, line) => sum + line.amount_cents, 0n)
      assert.equal(made.subtotal_cents, posted(false))
      assert.equal(made.tax_cents, posted(true))
      assert.equal(made.total_cents, made.subtotal_cents + made.tax_cents)
      for (const line of made.lines) assert.equal(line.amount_cents, toMinor(decimal(line.amount_precise), 'AUD'))
    }),
  )
})

test('the order of usage keys, of events and of add-ons changes nothing', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const subscriptions = facts.subscriptions.map((subscription) => ({
        ...subscription,
        addons: subscription.addons.toReversed(),
        segments: subscription.segments.map((segment) => ({
          ...segment,
          usage: Object.fromEntries(Object.entries(segment.usage).toReversed()),
          events: Object.fromEntries(
            Object.entries(segment.events ?? {}).map(([key, counted]) => [key, counted.toReversed()]),
          ),
        })),
      }))
      assert.deepEqual(quote({ ...facts, subscriptions }), quote(facts))
    }),
  )
})

test('the order of subscriptions moves their lines and changes no amount', () => {
  fc.assert(
    fc.property(anyFacts, anyFacts, (one, other) => {
      const subscriptions = [...one.subscriptions, ...other.subscriptions]
      const there = quote({ ...one, subscriptions })
      const back = quote({ ...one, subscriptions: subscriptions.toReversed() })
      assert.deepEqual([back.subtotal_cents, back.tax_cents], [there.subtotal_cents, there.tax_cents])
      assert.deepEqual(amounts(back), amounts(there))
    }),
  )
})

function amounts({ lines }: Quote): string[] {
  return lines.map(row).toSorted()
}

function llm(charge: string, event_count: number): LlmFacts {
  return { deployment_id: 'dep_1', subscription_id: 'sub_1', charge, event_count, service_period: APRIL }
}

function rows(made: Quote): string[] {
  return made.lines.map(row)
}

function row(line: QuoteLine): string {
  return `${line.kind} "${line.description}" ${line.quantity} × ${line.unit_price} = ${line.amount_cents}`
}
