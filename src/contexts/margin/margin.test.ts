import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { type Books, marginOf, roundTogether } from './margin.ts'

const BOAB = { tenant_id: 'boab', deployment_id: 'd1', deployment: 'shop' }
const MULGA = { tenant_id: 'mulga', deployment_id: 'd2', deployment: 'blog' }

/** A bill of 86.92 with 7.90 tax and 1.00 credit: 70.02 of it has a deployment, 10.00 has none. */
const BOOKS: Books = {
  revenue: [
    { ...BOAB, kind: 'plan_base', currency: 'USD', revenue_cents: 5_000n },
    { ...BOAB, kind: 'overage', currency: 'USD', revenue_cents: 672n },
    { ...MULGA, kind: 'plan_base', currency: 'USD', revenue_cents: 2_000n },
  ],
  bills: [{ status: 'issued', currency: 'USD', amount: '86.92', tax_amount: '7.90', credit_amount: '-1.00' }],
  costs: [
    { ...BOAB, kind: 'droplet', amount: '40.01' },
    { ...BOAB, kind: 'volume', amount: '10.01' },
    { ...MULGA, kind: 'droplet', amount: '20.00' },
  ],
  resources: [
    { ...BOAB, kind: 'droplet', alive: 3, covered: 2 },
    { ...MULGA, kind: 'droplet', alive: 1, covered: 1 },
  ],
}
const ANNOUNCED: Books = { ...BOOKS, bills: [], costs: [] }

test('a deployment’s margin is what it brings in less what it costs', () => {
  const { rows, currency } = marginOf(BOOKS, 'deployment')
  assert.equal(currency, 'USD')
  assert.deepEqual(rows, [
    {
      ...BOAB,
      kind: null,
      revenue_cents: 5_672n,
      cost_cents: 5_002n,
      margin_cents: 670n,
      margin_percent: '11.81',
      coverage: '0.6667',
    },
    {
      ...MULGA,
      kind: null,
      revenue_cents: 2_000n,
      cost_cents: 2_000n,
      margin_cents: 0n,
      margin_percent: '0',
      coverage: '1',
    },
  ])
})

test('the totals add up to both books', () => {
  assert.deepEqual(marginOf(BOOKS, 'tenant').totals, {
    revenue_cents: 7_672n,
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
  const rows = marginOf(BOOKS, 'kind').rows.map((row) => [
    row.kind,
    row.revenue_cents,
    row.cost_cents,
    row.margin_cents,
  ])
  assert.deepEqual(rows, [
    ['overage', 672n, null, null],
    ['plan_base', 7_000n, null, null],
    ['droplet', null, 6_001n, null],
    ['volume', null, 1_001n, null],
  ])
})

test('without a bill the cost is unknown, and never 0', () => {
  const { rows, totals, hints } = marginOf(ANNOUNCED, 'deployment')
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
  const { rows } = marginOf(books, 'deployment')
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
  assert.equal(marginOf({ ...BOOKS, bills }, 'tenant').totals.unmatched_cost_cents, 1_008n)
})

test('currencies are not added to each other', () => {
  const revenue = BOOKS.revenue.map((cell) => Object.assign({}, cell, { currency: 'AUD' }))
  assert.throws(() => marginOf({ ...BOOKS, revenue }, 'tenant'), { code: 'margin/mixed-currencies' })
})

test('a preview bill and tax are pointed out', () => {
  const bills = BOOKS.bills.map((bill) => Object.assign({}, bill, { status: 'preview' as const }))
  const { hints } = marginOf({ ...BOOKS, bills }, 'tenant')
  assert.deepEqual(hints.length, 2)
})

test('a month without books is empty', () => {
  const { currency, rows, totals } = marginOf({ revenue: [], bills: [], costs: [], resources: [] }, 'deployment')
  assert.deepEqual([currency, rows, totals.revenue_cents], [null, [], 0n])
})

const owners = fc.constantFrom(BOAB, MULGA, { tenant_id: 'boab', deployment_id: 'd3', deployment: 'api' })
/** Amounts finer than a cent, as some bills have them. */
const amounts = fc.bigInt({ min: -50_000n, max: 500_000n }).map((count) => plain(decimal(count).div(decimal('10000'))))
const anyBooks: fc.Arbitrary<Books> = fc
  .record({
    revenue: fc.array(
      fc.record({
        owner: owners,
        kind: fc.constantFrom('plan_base', 'overage'),
        revenue_cents: fc.bigInt({ min: -1_000n, max: 10_000n }),
      }),
    ),
    costs: fc.array(
      fc.record({ owner: owners, kind: fc.constantFrom('droplet', 'volume', 'kubernetes'), amount: amounts }),
    ),
    unmatched: amounts,
    tax_amount: amounts,
    credit_amount: amounts,
    resources: fc.array(fc.record({ owner: owners, kind: fc.constant('droplet'), alive: fc.nat(3) })),
  })
  .map(({ revenue, costs, unmatched, tax_amount, credit_amount, resources }) => ({
    revenue: revenue.map(({ owner, kind, revenue_cents }) => ({ ...owner, kind, currency: 'USD', revenue_cents })),
    costs: costs.map(({ owner, kind, amount }) => ({ ...owner, kind, amount })),
    resources: resources.map(({ owner, kind, alive }) => ({ ...owner, kind, alive, covered: alive })),
    bills: [
      {
        status: 'issued' as const,
        currency: 'USD',
        amount: plain(sum([...costs.map((cell) => cell.amount), unmatched, tax_amount, credit_amount].map(decimal))),
        tax_amount,
        credit_amount,
      },
    ],
  }))

test('whatever the books, the rows add up to the totals and the totals to the bill, to the cent', () => {
  fc.assert(
    fc.property(
      anyBooks,
      fc.constantFrom('tenant' as const, 'deployment' as const, 'kind' as const),
      (books, group_by) => {
        const { rows, totals } = marginOf(books, group_by)
        assert.equal(total(rows.map((row) => row.cost_cents)), totals.attributed_cost_cents)
        assert.equal(total(rows.map((row) => row.revenue_cents)), totals.revenue_cents)
        const costs = [totals.attributed_cost_cents, totals.unmatched_cost_cents, totals.tax_cents, totals.credit_cents]
        assert.equal(total(costs), totals.bill_total_cents)
        assert.equal(totals.revenue_cents, total(books.revenue.map((cell) => cell.revenue_cents)))
      },
    ),
  )
})

test('amounts rounded together are each within one of their own, and whole ones stay', () => {
  fc.assert(
    fc.property(fc.array(amounts, { minLength: 1 }), (texts) => {
      const exact = texts.map(decimal)
      const goal = BigInt(plain(sum(exact).round(0)))
      const rounded = roundTogether(exact, goal)
      assert.equal(total(rounded), goal)
      rounded.forEach((part, index) => {
        const by = decimal(part)
          .minus(exact[index] ?? decimal('0'))
          .abs()
        assert.ok(by.lt(decimal('1')))
      })
    }),
  )
})

function total(cents: readonly (bigint | null)[]): bigint {
  return cents.reduce<bigint>((acc, part) => acc + (part ?? 0n), 0n)
}
