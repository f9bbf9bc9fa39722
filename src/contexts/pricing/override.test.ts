import assert from 'node:assert/strict'
import { test } from 'node:test'
import { period } from '../../kernel/period.ts'
import { quoteFacts, segmentFacts, STUDIO } from './facts.fixture.ts'
import type { Charge, PlanTerms } from './facts.ts'
import { overridden } from './override.ts'
import { quote } from './quote.ts'

const HOURS: Charge = { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.008' }
const SYDNEY: Charge = { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.02', filter: { region: ['syd1'] } }

test('what an override does not name stays as the plan version has it', () => {
  assert.equal(overridden(STUDIO, null), STUDIO)
  assert.deepEqual(overridden(STUDIO, {}), STUDIO)
  assert.deepEqual(overridden(STUDIO, { base_price_cents: null, charges: null, commitment_cents: null }), STUDIO)
  assert.deepEqual(overridden(STUDIO, { base_price_cents: 0n, commitment_cents: 9n }), {
    ...STUDIO,
    base_price_cents: 0n,
    commitment_cents: 9n,
  })
})

test('a charge takes the place of the one with the same usage key, or comes after all others', () => {
  const plan: PlanTerms = { ...STUDIO, charges: [...STUDIO.charges, { ...HOURS, meter: 'emails' }] }
  const { charges } = overridden(plan, { charges: [SYDNEY, HOURS] })
  assert.deepEqual(charges, [HOURS, plan.charges[1], SYDNEY])
})

test('an override in the middle of a month prices the days and the usage that are under it', () => {
  const plan = overridden(STUDIO, { base_price_cents: 3_000n, charges: [HOURS] })
  const { lines } = quote(
    quoteFacts([
      segmentFacts({ active: period('2026-04-01', '2026-04-16'), usage: { droplet_hours: '1000' } }),
      segmentFacts({ active: period('2026-04-16', '2026-05-01'), plan, usage: { droplet_hours: '1000' } }),
    ]),
  )
  assert.deepEqual(lines.map(({ kind, amount_cents }) => [kind, amount_cents]).slice(0, -1), [
    ['plan_base', 2_500n],
    ['overage', 256n],
    ['plan_base', 1_500n],
    ['usage', 800n],
  ])
})

test('where nothing is prorated, the month keeps the base price it began with, and each charge what is due once', () => {
  const none: PlanTerms = { ...STUDIO, proration: 'none' }
  const plan = overridden(none, { base_price_cents: 3_000n, charges: [HOURS] })
  const { lines } = quote(
    quoteFacts([
      segmentFacts({ active: period('2026-04-01', '2026-04-16'), plan: none, usage: { droplet_hours: '1000' } }),
      segmentFacts({ active: period('2026-04-16', '2026-05-01'), plan, usage: { droplet_hours: '1000' } }),
    ]),
  )
  assert.deepEqual(lines.map(({ kind, amount_cents }) => [kind, amount_cents]).slice(0, -1), [
    ['plan_base', 5_000n],
    ['overage', 0n],
    ['usage', 800n],
  ])
})
