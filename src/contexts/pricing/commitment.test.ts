import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { period } from '../../kernel/period.ts'
import { anyFacts, APRIL, attached, quoteFacts, segmentFacts, STORAGE, STUDIO, yearFrom } from './facts.fixture.ts'
import type { AttachedAddon, PlanTerms, QuoteLine, SegmentFacts } from './facts.ts'
import { quote } from './quote.ts'

const COMMITTED: PlanTerms = { ...STUDIO, commitment_cents: 30_000n }
const [FIRST, SECOND] = [period('2026-04-01', '2026-04-11'), period('2026-04-11', '2026-05-01')]

test('what a subscription lacks to its commitment is one line without a meter, after all others', () => {
  const lines = linesOf([segmentFacts({ plan: COMMITTED, usage: { droplet_hours: '2160' } })], [attached(STORAGE)])
  const minimum = lines.at(-1)
  assert.deepEqual(
    [minimum?.kind, minimum?.meter, minimum?.description, minimum?.amount_cents, minimum?.service_period],
    ['minimum', null, 'Minimum commitment', 23_578n, APRIL],
  )
  assert.equal(quote(quoteFacts([segmentFacts({ plan: COMMITTED })])).subtotal_cents, 30_000n)
})

test('a commitment that is reached asks for nothing', () => {
  const reached = linesOf([segmentFacts({ plan: COMMITTED, usage: { droplet_hours: '26488' } })])
  assert.deepEqual(
    reached.map(({ kind }) => kind),
    ['plan_base', 'overage'],
  )
  const nothing = linesOf([segmentFacts({ plan: { ...COMMITTED, commitment_cents: 0n } })])
  assert.deepEqual(
    nothing.map(({ kind }) => kind),
    ['plan_base'],
  )
})

test('a commitment is prorated like a base price, over the charged days', () => {
  assert.deepEqual(posted([segmentFacts({ active: FIRST, plan: COMMITTED })]), ['plan_base 1667', 'minimum 8333'])
  const paused = segmentFacts({ active: SECOND, plan: COMMITTED, mode: 'paused', usage: { droplet_hours: '9000' } })
  // The usage of the pause counts, its days do not.
  assert.deepEqual(posted([segmentFacts({ active: FIRST, plan: COMMITTED }), paused]), ['plan_base 1667', 'usage 9000'])
  assert.deepEqual(posted([segmentFacts({ plan: COMMITTED, mode: 'trial' })]), [])
})

test('commitments of two plan versions add up', () => {
  const next = { ...COMMITTED, version: 2, commitment_cents: 60_000n }
  const lines = linesOf([
    segmentFacts({ active: FIRST, plan: COMMITTED }),
    segmentFacts({ active: SECOND, plan: next }),
  ])
  // 300.00 × 10 of 30 days + 600.00 × 20 of 30 days = 500.00
  assert.equal(
    lines.reduce((total, line) => total + line.amount_cents, 0n),
    50_000n,
  )
})

test('where nothing is prorated, a commitment is due once in the month', () => {
  const plan: PlanTerms = { ...COMMITTED, proration: 'none' }
  const parts = [FIRST, SECOND].map((active) => segmentFacts({ active, plan }))
  const facts = quoteFacts(parts, { addons: [attached(STORAGE, SECOND)] })
  assert.equal(quote(facts).subtotal_cents, 30_000n)
})

test('the base price of a year is not counted towards the month’s commitment', () => {
  const plan: PlanTerms = { ...COMMITTED, interval: 'year' }
  assert.deepEqual(posted([segmentFacts({ plan, year: yearFrom(APRIL.start) })], [attached(STORAGE)]), [
    'plan_base 5000',
    'addon 750',
    'minimum 29250',
  ])
  const year = yearFrom(Temporal.PlainDate.from('2026-01-01'))
  assert.deepEqual(posted([segmentFacts({ plan, year })], [attached(STORAGE)]), ['addon 750', 'minimum 29250'])
})

test('a subscription comes to its commitment before discounts, whatever cuts its month', () => {
  fc.assert(
    fc.property(
      anyFacts,
      fc.bigInt({ min: 0n, max: 1_000_000n }),
      fc.integer({ min: 1, max: 29 }),
      (facts, commitment_cents, day) => {
        const middle = APRIL.start.add({ days: day })
        const [any] = facts.subscriptions.flatMap(({ segments }) => segments)
        const plan: PlanTerms = { ...(any?.plan ?? STUDIO), interval: 'month', commitment_cents }
        const usage = any === undefined ? {} : { usage: any.usage, events: any.events ?? {} }
        const segments = [
          segmentFacts({ plan, active: { start: APRIL.start, end: middle } }),
          segmentFacts({ plan, active: { start: middle, end: APRIL.end }, ...usage }),
        ]
        const lines = linesOf(segments)
        assert.ok(lines.reduce((total, line) => total + line.amount_cents, 0n) >= commitment_cents)
      },
    ),
  )
})

function linesOf(segments: readonly SegmentFacts[], addons: readonly AttachedAddon[] = []): QuoteLine[] {
  return quote(quoteFacts(segments, { addons })).lines.filter(({ kind }) => kind !== 'tax')
}

function posted(segments: readonly SegmentFacts[], addons?: readonly AttachedAddon[]): string[] {
  return linesOf(segments, addons).map((line) => `${line.kind} ${line.amount_cents}`)
}
