import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlTotals, type ProductTotal } from './control-totals.ts'

const TOTALS: ProductTotal[] = [
  total('Droplets', 'droplet', 'Usage', '70'),
  total('Spaces Subscription', 'spaces', 'Purchase', '5'),
  total('Bandwidth', 'bandwidth', 'Usage', '4'),
  total('Taxes', 'tax', 'Tax', '7.9'),
  total('Credits', 'credit', 'Credit', '-2'),
  total('Adjustments', 'adjustment', 'Adjustment', '2'),
]
const SUMMARY = {
  amount: '86.90',
  product_charges: {
    amount: '75.00',
    items: [
      { name: 'Droplets', amount: '70.00' },
      { name: 'Spaces Subscription', amount: '5.00' },
    ],
  },
  overages: '4.00',
  taxes: '7.90',
  credits_and_adjustments: '0.00',
}
const BILL = { amount: '86.9', summary: SUMMARY, totals: TOTALS }

test('a bill is checked by its lines, by the four parts of its summary and by product', () => {
  assert.deepEqual(
    controlTotals(BILL).map(({ name, expected, found, ok }) => [name, expected, found, ok]),
    [
      ['lines', '86.9', '86.9', true],
      ['summary', '86.9', '86.9', true],
      ['summary_parts', '86.9', '86.9', true],
      ['product_charges', '75', '75', true],
      ['overages', '4', '4', true],
      ['taxes', '7.9', '7.9', true],
      ['credits_and_adjustments', '0', '0', true],
      ['product: Droplets', '70', '70', true],
      ['product: Spaces Subscription', '5', '5', true],
    ],
  )
})

test('each total that differs is named with both sides, and no other', () => {
  const { product_charges } = SUMMARY
  const other = [{ name: 'Functions', amount: '1' }, ...product_charges.items.slice(1)]
  const cases: [summary: Partial<typeof SUMMARY>, failed: string[]][] = [
    [{ taxes: '7.91' }, ['summary_parts: 86.91', 'taxes: 7.9']],
    [{ overages: '3' }, ['summary_parts: 85.9', 'overages: 4']],
    [{ credits_and_adjustments: '-2' }, ['summary_parts: 84.9', 'credits_and_adjustments: 0']],
    [{ amount: '86.91' }, ['summary: 86.9', 'summary_parts: 86.9']],
    [{ product_charges: { ...product_charges, items: other } }, ['product: Droplets: 70', 'product: Functions: 0']],
  ]
  for (const [change, failed] of cases) {
    assert.deepEqual(failures({ ...BILL, summary: { ...SUMMARY, ...change } }), failed)
  }
  assert.deepEqual(failures({ ...BILL, totals: TOTALS.slice(1) }), [
    'lines: 16.9',
    'product_charges: 5',
    'product: Droplets: 0',
  ])
})

test('an overage that the summary names among the product charges is one of them', () => {
  const items = [...SUMMARY.product_charges.items, { name: 'Bandwidth', amount: '4' }]
  const summary = { ...SUMMARY, product_charges: { amount: '79', items }, overages: '0' }
  assert.deepEqual(failures({ ...BILL, summary }), [])
})

test('a bill without a summary, and one whose lines are not read, name the checks that cannot be made', () => {
  const open = (checks: ReturnType<typeof controlTotals>) =>
    checks.filter(({ ok }) => ok === null).map(({ name }) => name)
  const parts = ['product_charges', 'overages', 'taxes', 'credits_and_adjustments', 'products']
  assert.deepEqual(open(controlTotals({ ...BILL, summary: null })), ['summary', 'summary_parts', ...parts])
  assert.deepEqual(open(controlTotals({ ...BILL, totals: null })), ['lines', ...parts])
})

function failures(bill: Parameters<typeof controlTotals>[0]): string[] {
  return controlTotals(bill).flatMap(({ name, found, ok }) => (ok === false ? `${name}: ${found}` : []))
}

function total(
  product: string,
  kind: string,
  charge_category: ProductTotal['charge_category'],
  amount: string,
): ProductTotal {
  return { product, kind, charge_category, amount }
}
