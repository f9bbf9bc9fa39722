import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plain } from '../../kernel/decimal.ts'
import { period } from '../../kernel/period.ts'
import { convertBooks, type ExchangeRate, reportingCurrency } from './conversion.ts'
import { type Books, marginOf } from './margin.ts'

const BOAB = { tenant_id: 'boab', deployment_id: 'd1', deployment: 'shop' }
const MULGA = { tenant_id: 'mulga', deployment_id: 'd2', deployment: 'blog' }

const USD_TO_AUD = rateOf('USD', 'AUD', '1.5')

/** Invoices in AUD, a bill of 86.92 USD. */
const BOOKS: Books = {
  period: period('2026-04-01', '2026-05-01'),
  revenue: [
    { ...BOAB, kind: 'plan_base', currency: 'AUD', revenue_cents: 10_000n, draft_cents: 0n },
    { ...MULGA, kind: 'plan_base', currency: 'AUD', revenue_cents: 5_000n, draft_cents: 0n },
  ],
  bills: [{ status: 'issued', currency: 'USD', amount: '86.92', tax_amount: '7.90', credit_amount: '-1.00' }],
  costs: [
    { ...BOAB, kind: 'droplet', currency: 'USD', amount: '50.01' },
    { ...MULGA, kind: 'droplet', currency: 'USD', amount: '20.01' },
  ],
  resources: [],
  rates: [USD_TO_AUD],
}

test('cost in another currency is converted for the margin, which says by which rate', () => {
  const { currency, rows, totals, conversions } = marginOf(BOOKS, { group_by: 'deployment', currency: null })
  assert.equal(currency, 'AUD')
  // 75.015 and 30.015 are halves: rounded together, only one of them goes up.
  assert.deepEqual(
    rows.map((row) => [row.deployment, row.revenue_cents, row.cost_cents, row.margin_cents]),
    [
      ['shop', 10_000n, 7_501n, 2_499n],
      ['blog', 5_000n, 3_002n, 1_998n],
    ],
  )
  assert.deepEqual(totals, {
    revenue_cents: 15_000n,
    draft_revenue_cents: 0n,
    attributed_cost_cents: 10_503n,
    unmatched_cost_cents: 1_500n,
    tax_cents: 1_185n,
    credit_cents: -150n,
    bill_total_cents: 13_038n,
    margin_cents: 1_962n,
    coverage: '0.875',
  })
  assert.deepEqual(conversions, [
    { of: 'cost', ...USD_TO_AUD, inverse_of: null, amount_from: '86.92', amount_to: '130.38' },
  ])
})

test('revenue in several currencies is converted to the one that is named', () => {
  const revenue = [
    ...BOOKS.revenue,
    { ...MULGA, kind: 'overage', currency: 'JPY', revenue_cents: 1_001n, draft_cents: 1_001n },
  ]
  const rates = [USD_TO_AUD, rateOf('JPY', 'AUD', '0.0105')]
  const { rows, totals, conversions } = marginOf({ ...BOOKS, revenue, rates }, { group_by: 'tenant', currency: 'AUD' })
  assert.deepEqual(
    rows.map((row) => row.revenue_cents),
    [10_000n, 6_051n],
  )
  assert.equal(totals.revenue_cents, 16_051n)
  assert.deepEqual(
    conversions.map(({ of, from, amount_from, amount_to }) => [of, from, amount_from, amount_to]),
    [
      ['revenue', 'JPY', '1001', '10.5105'],
      ['cost', 'USD', '86.92', '130.38'],
    ],
  )
})

test('a currency of both books is converted in each, and both say so', () => {
  const { conversions } = convertBooks({ ...BOOKS, revenue: inCurrency('USD') }, 'AUD')
  assert.deepEqual(
    conversions.map(({ of, amount_from, amount_to }) => [of, amount_from, amount_to]),
    [
      ['revenue', '150', '225'],
      ['cost', '86.92', '130.38'],
    ],
  )
})

test('the other way round is as good: it is divided by, exactly', () => {
  const inverse = rateOf('AUD', 'USD', '0.66')
  const { converted, conversions } = convertBooks(
    { ...BOOKS, bills: BOOKS.bills.map((bill) => ({ ...bill, amount: '66' })), rates: [inverse] },
    'AUD',
  )
  assert.equal(converted.bills.map((bill) => plain(bill.amount)).join(), '100')
  assert.deepEqual(
    conversions.map(({ from, to, rate, inverse_of, amount_to }) => [from, to, rate, inverse_of, amount_to]),
    [['USD', 'AUD', '1.51515151515151515152', '0.66', '100']],
  )
})

test('of both ways round the later one is used; on the same day the one that need not be inverted', () => {
  const inverseOf = (direct: string, inverse: string) => {
    const rates = [rateOf('AUD', 'USD', '0.5', inverse), rateOf('USD', 'AUD', '1.5', direct)]
    return convertBooks({ ...BOOKS, rates }, 'AUD').conversions.map((conversion) => conversion.inverse_of)
  }
  assert.deepEqual(
    [
      inverseOf('2026-04-30', '2026-04-29'),
      inverseOf('2026-04-29', '2026-04-30'),
      inverseOf('2026-04-30', '2026-04-30'),
    ],
    [[null], ['0.5'], [null]],
  )
})

test('a rate that is older than the month is pointed out', () => {
  const hintsWith = (date: string) =>
    marginOf(
      { ...BOOKS, rates: [rateOf('USD', 'AUD', '1.5', date)] },
      { group_by: 'tenant', currency: null },
    ).hints.filter((hint) => hint.includes('rate'))
  assert.deepEqual(hintsWith('2026-04-01'), [])
  assert.deepEqual(hintsWith('2026-03-31'), ['The rate from USD to AUD is of 2026-03-31, before the month.'])
})

test('without a rate nothing is guessed: every pair that lacks one is named, and how to record it', () => {
  const revenue = inCurrency('EUR')
  assert.throws(() => convertBooks({ ...BOOKS, revenue, rates: [] }, 'AUD'), {
    code: 'margin/no-exchange-rate',
    message: /EUR to AUD, USD to AUD\. Record it with POST \/billing\/exchange-rates .*"date": "2026-04-30"/,
  })
})

test('the margin is in the currency of the invoices, else of the bills', () => {
  const { revenue, bills } = BOOKS
  const mixed = [...revenue, ...inCurrency('USD')]
  assert.equal(reportingCurrency({ revenue, bills }), 'AUD')
  assert.equal(reportingCurrency({ revenue: mixed, bills }), 'USD')
  assert.equal(reportingCurrency({ revenue: [], bills }), 'USD')
  assert.equal(reportingCurrency({ revenue: [], bills: [] }), null)
})

test('where neither book has one currency, the caller names it', () => {
  const revenue = [...BOOKS.revenue, ...inCurrency('USD')]
  assert.throws(() => reportingCurrency({ revenue, bills: [] }), {
    code: 'margin/mixed-currencies',
    message: /AUD, USD.*\?currency=AUD/,
  })
})

function inCurrency(currency: string): Books['revenue'] {
  return BOOKS.revenue.map((cell) => ({ ...cell, currency }))
}

function rateOf(from: string, to: string, rate: string, date = '2026-04-30'): ExchangeRate {
  return { from, to, date: Temporal.PlainDate.from(date), rate, source: 'Reserve Bank' }
}
