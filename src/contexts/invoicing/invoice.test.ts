import assert from 'node:assert/strict'
import { test } from 'node:test'
import { period } from '../../kernel/period.ts'
import type { QuoteFacts } from '../pricing/index.ts'
import { contentHash } from '../../platform/json.ts'
import { owedCents, settlementOf } from './invoice.ts'

const INVOICE = { status: 'issued' as const, total_cents: 7_064n }

test('of a void invoice nothing is owed, and a reversed payment pays nothing', () => {
  const paid = { amount_cents: 7_000n, reversed_at: null }
  const reversed = { amount_cents: 64n, reversed_at: Temporal.Instant.from('2026-05-03T00:00:00Z') }
  const settled = settlementOf([paid, reversed], [{ amount_cents: 4n }])
  assert.deepEqual(settled, { paid_cents: 7_000n, credited_cents: 4n })
  assert.equal(owedCents(INVOICE, settled), 60n)
  assert.equal(owedCents({ ...INVOICE, status: 'void' }, { paid_cents: 0n, credited_cents: 0n }), 0n)
})

test('what is owed falls with payments and with credit, below zero when a refund is due', () => {
  assert.equal(owedCents(INVOICE, { paid_cents: 7_000n, credited_cents: 0n }), 64n)
  assert.equal(owedCents(INVOICE, { paid_cents: 7_064n, credited_cents: 100n }), -100n)
})

test('the hash of the facts does not depend on the order of keys, and on nothing less than the facts', () => {
  assert.equal(contentHash(factsWith({ a: '1', b: '2' })), contentHash(factsWith({ b: '2', a: '1' })))
  assert.notEqual(contentHash(factsWith({ a: '1', b: '2' })), contentHash(factsWith({ a: '2', b: '1' })))
})

function factsWith(usage: Record<string, string>): QuoteFacts {
  return {
    currency: 'AUD',
    period: period('2026-04-01', '2026-05-01'),
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
    subscriptions: [
      {
        deployment_id: 'd',
        subscription_id: 's',
        addons: [],
        segments: [
          {
            active: period('2026-04-01', '2026-05-01'),
            mode: 'normal',
            plan: {
              code: 'studio',
              version: 1,
              name: 'Studio',
              currency: 'AUD',
              interval: 'month',
              base_price_cents: 5_000n,
              proration: 'daily',
              commitment_cents: null,
              charges: [],
            },
            usage,
            year: null,
          },
        ],
        discounts: [],
      },
    ],
    llm: [],
    adjustments: [],
  }
}
