import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimal } from '../../kernel/decimal.ts'
import { fromMinor, toMinor } from '../../kernel/money.ts'
import { anyFacts, quoteFacts, segmentFacts, STUDIO } from './facts.fixture.ts'
import type { TaxTerms } from './facts.ts'
import { quote } from './quote.ts'

test('the tax line stands last, names its rate, and is not in the subtotal', () => {
  const { lines, subtotal_cents, tax_cents } = quote(quoteFacts([segmentFacts()]))
  const tax = lines.at(-1)
  assert.equal(tax?.description, 'GST 10 %')
  assert.deepEqual(tax.details, { name: 'GST', rate: '0.1', taxable_cents: 5000, currency: 'AUD' })
  assert.deepEqual([subtotal_cents, tax_cents], [5000n, 500n])
})

test('the tax of the sum is rounded once, not line by line', () => {
  const plan = { ...STUDIO, base_price_cents: 4n }
  // Three lines of 4 cents: 0.4 cents of tax each would round to nothing; 1.2 cents of tax on 12 round to 1.
  assert.equal(quote(quoteFacts([1, 2, 3].map(() => segmentFacts({ plan })))).tax_cents, 1n)
})

test('an export and an exempt tenant have no tax line and no taxable line', () => {
  for (const treatment of ['export', 'exempt'] as const) {
    const tax: TaxTerms = { treatment, name: 'GST', rate: '0.10' }
    const { lines, tax_cents, total_cents } = quote(quoteFacts([segmentFacts()], { tax }))
    assert.deepEqual(
      lines.map((line) => [line.kind, line.taxable]),
      [['plan_base', false]],
    )
    assert.deepEqual([tax_cents, total_cents], [0n, 5000n])
  }
})

test('an empty bill has no tax line', () => {
  assert.deepEqual(quote(quoteFacts([])).lines, [])
})

test('tax is the rounded tax of the sum of the taxable lines, below 0 too', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { lines, tax_cents } = quote(facts)
      const taxable_cents = lines.filter((line) => line.taxable).reduce((total, line) => total + line.amount_cents, 0n)
      const exact = fromMinor(taxable_cents, 'AUD').times(decimal('0.10'))
      assert.equal(tax_cents, facts.tax.treatment === 'taxable' ? toMinor(exact, 'AUD') : 0n)
    }),
  )
})
