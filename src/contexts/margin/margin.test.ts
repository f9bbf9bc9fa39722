import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { toMinor } from '../../kernel/money.ts'
import { period } from '../../kernel/period.ts'
import { convertBooks } from './conversion.ts'
import { type Books, type GroupBy, type Margin, marginOf } from './margin.ts'

const BOAB = { tenant_id: 'boab', deployment_id: 'd1', deployment: 'shop' }
const MULGA = { tenant_id: 'mulga', deployment_id: 'd2', deployment: 'blog' }

/** A bill of 86.92 with 7.90 tax and 1.00 credit: 70.02 of it has a deployment, 10.00 has none. */
const BOOKS: Books = {
  period: period('2026-04-01', '2026-05-01'),
  revenue: [
    { ...BOAB, kind: 'plan_base', currency: 'USD', revenue_cents: 5_000n, draft_cents: 0n },
    { ...BOAB, kind: 'overage', currency: 'USD', revenue_cents: 672n, draft_cents: 0n },
    { ...MULGA, kind: 'plan_base', currency: 'USD', revenue_cents: 2_000n, draft_cents: 0n },
  ],
  bills: [{ status: 'issued', currency: 'USD', amount: '86.92', tax_amount: '7.90', credit_amount: '-1.00' }],
  costs: [
    { ...BOAB, kind: 'droplet', currency: 'USD', amount: '40.01' },
    { ...BOAB, kind: 'volume', currency: 'USD', amount: '10.01' },
    { ...MULGA, kind: 'droplet', currency: 'USD', amount: '20.00' },
  ],
  resources: [
    { ...BOAB, kind: 'droplet', alive: 3, covered: 2 },
    { ...MULGA, kind: 'droplet', alive: 1, covered: 1 },
  ],
  rates: [],
}
const ANNOUNCED: Books = { ...BOOKS, bills: [], costs: [] }

test('a deployment’s margin is what it brings in less what it costs', () => {
  const { rows, currency } = report(BOOKS, 'deployment')
  assert.equal(currency, 'USD')
  assert.deepEqual(rows, [
    {
      ...BOAB,
      kind: null,
      revenue_cents: 5_672n,
      draft_revenue_cents: 0n,
      cost_cents: 5_002n,
      margin_cents: 670n,
      margin_percent: '11.81',
      coverage: '0.6667',
    },
    {
      ...MULGA,
      kind: null,
      revenue_cents: 2_000n,
      draft_revenue_cents: 0n,
      cost_cents: 2_000n,
      margin_cents: 0n,
      margin_percent: '0',
      coverage: '1',
    },
  ])
})

test('the totals add up to both books', () => {
  assert.deepEqual(report(BOOKS, 'tenant').totals, {
    revenue_cents: 7_672n,
    draft_revenue_cents: 0n,
    attributed_cost_cents: 7_002n,
    unmatched_cost_cents: 1_000n,
    tax_cents: 790n,
    credit_cents: -100n,
    bill_total_cents: 8_692n,
    margin_cents: -1_020n,
    coverage: '0.875',
  })
})

test('by kind, what was sold and what was rented stand apart', () => {
  const rows = report(BOOKS, 'kind').rows.map((row) => [row.kind, row.revenue_cents, row.cost_cents, row.margin_cents])
  assert.deepEqual(rows, [
    ['overage', 672n, null, null],
    ['plan_base', 7_000n, null, null],
    ['droplet', null, 6_001n, null],
    ['volume', null, 1_001n, null],
  ])
})

test('without a bill the cost is unknown, and never 0', () => {
  const { rows, totals, hints } = report(ANNOUNCED, 'deployment')
  assert.deepEqual(
    rows.map((row) => [row.cost_cents, row.margin_cents, row.margin_percent]),
    [
      [null, null, null],
      [null, null, null],
    ],
  )
  assert.equal(totals.margin_cents, null)
  assert.match(hints.join(), /not known/)
})

test('the cost of a deployment that no line names is unknown, with resources or without', () => {
  const books: Books = { ...BOOKS, costs: [], resources: [{ ...BOAB, kind: 'droplet', alive: 1, covered: 0 }] }
  const { rows } = report(books, 'deployment')
  assert.deepEqual(
    rows.map((row) => [row.deployment, row.cost_cents, row.coverage]),
    [
      ['shop', null, '0'],
      ['blog', null, null],
    ],
  )
})

test('a gap between the bill and its lines is cost that has no deployment', () => {
  const bills = BOOKS.bills.map((bill) => Object.assign({}, bill, { amount: '87.00' }))
  assert.equal(report({ ...BOOKS, bills }, 'tenant').totals.unmatched_cost_cents, 1_008n)
})

test('a preview bill and tax are pointed out', () => {
  const bills = BOOKS.bills.map((bill) => Object.assign({}, bill, { status: 'preview' as const }))
  const { hints } = report({ ...BOOKS, bills }, 'tenant')
  assert.deepEqual(hints.length, 2)
})

test('two bills finer than a cent are rounded each by itself, as in the books', () => {
  const bill = { status: 'issued' as const, currency: 'USD', amount: '10.004', tax_amount: '0.004', credit_amount: '0' }
  const { totals } = report({ ...BOOKS, bills: [bill, bill], costs: [] }, 'tenant')
  assert.deepEqual([totals.bill_total_cents, totals.tax_cents, totals.unmatched_cost_cents], [2_000n, 0n, 2_000n])
})

test('a month without books is empty', () => {
  const { currency, rows, totals } = report(
    { ...BOOKS, revenue: [], bills: [], costs: [], resources: [] },
    'deployment',
  )
  assert.deepEqual([currency, rows, totals.revenue_cents], [null, [], 0n])
})

const owners = fc.constantFrom(BOAB, MULGA, { tenant_id: 'boab', deployment_id: 'd3', deployment: 'api' })
/** Amounts finer than a cent, as some bills have them. */
const amounts = fc.bigInt({ min: -50_000n, max: 500_000n }).map((count) => plain(decimal(count).div(decimal('10000'))))
/** Of three currencies whose minor units differ, with a rate between each two, one way round or the other. */
const currencies = fc.constantFrom('USD', 'JPY', 'BHD')
const thousandths = fc.integer({ min: 1, max: 999_999 })
const rates = fc
  .tuple(thousandths, thousandths, thousandths)
  .map(([first, second, third]) => [
    rateOf('USD', 'JPY', first),
    rateOf('BHD', 'USD', second),
    rateOf('JPY', 'BHD', third),
  ])
const anyBooks: fc.Arbitrary<Books> = fc
  .record({
    revenue: fc.array(
      fc.record({
        owner: owners,
        kind: fc.constantFrom('plan_base', 'overage'),
        currency: currencies,
        revenue_cents: fc.bigInt({ min: -1_000n, max: 10_000n }),
        is_draft: fc.boolean(),
      }),
    ),
    bills: fc.array(
      fc.record({
        currency: currencies,
        costs: fc.array(
          fc.record({ owner: owners, kind: fc.constantFrom('droplet', 'volume', 'kubernetes'), amount: amounts }),
        ),
        unmatched: amounts,
        tax_amount: amounts,
        credit_amount: fc.oneof(fc.constant('0'), amounts),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    resources: fc.array(fc.record({ owner: owners, kind: fc.constant('droplet'), alive: fc.nat(3) })),
    rates,
  })
  .map(({ revenue, bills, resources, ...books }) => ({
    ...books,
    period: BOOKS.period,
    revenue: revenue.map(({ owner, is_draft, ...cell }) => ({
      ...owner,
      ...cell,
      draft_cents: is_draft ? cell.revenue_cents : 0n,
    })),
    costs: bills.flatMap(({ currency, costs }) =>
      costs.map(({ owner, kind, amount }) => ({ ...owner, kind, currency, amount })),
    ),
    resources: resources.map(({ owner, kind, alive }) => ({ ...owner, kind, alive, covered: alive })),
    bills: bills.map(({ currency, costs, unmatched, tax_amount, credit_amount }) => ({
      status: 'issued' as const,
      currency,
      amount: plain(sum([...costs.map((cell) => cell.amount), unmatched, tax_amount, credit_amount].map(decimal))),
      tax_amount,
      credit_amount,
    })),
  }))

test('whatever the books and their currencies, the rows add up to the totals and the totals to the bills, to the cent', () => {
  fc.assert(
    fc.property(
      anyBooks,
      currencies,
      fc.constantFrom('tenant' as const, 'deployment' as const, 'kind' as const),
      (books, currency, group_by) => {
        const { rows, totals } = marginOf(books, { group_by, currency })
        assert.equal(total(rows.map((row) => row.cost_cents)), totals.attributed_cost_cents)
        assert.equal(total(rows.map((row) => row.revenue_cents)), totals.revenue_cents)
        if (books.revenue.every((cell) => cell.draft_cents === cell.revenue_cents))
          for (const row of [...rows, totals]) assert.equal(row.draft_revenue_cents, row.revenue_cents)
        const costs = [totals.attributed_cost_cents, totals.unmatched_cost_cents, totals.tax_cents, totals.credit_cents]
        assert.equal(total(costs), totals.bill_total_cents)
        const { converted } = convertBooks(books, currency)
        assert.equal(totals.revenue_cents, toMinor(sum(converted.revenue.map((cell) => cell.amount)), currency))
        assert.equal(totals.bill_total_cents, total(converted.bills.map((bill) => toMinor(bill.amount, currency))))
      },
    ),
  )
})

function report(books: Books, group_by: GroupBy): Margin {
  return marginOf(books, { group_by, currency: null })
}

function rateOf(from: string, to: string, count: number): Books['rates'][number] {
  const rate = plain(decimal(BigInt(count)).div(decimal('1000')))
  return { from, to, date: BOOKS.period.start, rate, source: 'a bank' }
}

function total(cents: readonly (bigint | null)[]): bigint {
  return cents.reduce<bigint>((acc, part) => acc + (part ?? 0n), 0n)
}
