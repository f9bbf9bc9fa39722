import assert from 'node:assert/strict'
import { test } from 'node:test'
import { period } from '../../kernel/period.ts'
import type { QuoteFacts } from '../pricing/index.ts'
import { contentHash } from '../../platform/json.ts'
import { owedCents } from './invoice.ts'

const INVOICE = { total_cents: 7_064n }

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
