import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, array, integer, property } from 'fast-check'
import { decimal, plain, sum, ZERO } from '../../kernel/decimal.ts'
import { parseMonth, type Period } from '../../kernel/period.ts'
import { type Bill, chargesOf, type Line } from './bill-charges.ts'
import { focusRow } from './charge.ts'
import type { FocusColumn } from './row.ts'

const BILL: Bill = {
  id: 'bill',
  provider: 'example-cloud',
  invoice_number: null,
  status: 'issued',
  currency: 'USD',
  period: parseMonth('2026-04') as Period,
  amount: '10',
  lines_amount: '10',
}

/** What a file said of the whole line: each column, and what its shares must add up to. */
const GIVEN = {
  ListCost: '12.5',
  ContractedCost: '11',
  EffectiveCost: '7.77',
  CommitmentDiscountQuantity: '100.1',
  PricingCurrencyEffectiveCost: '15.3',
  ConsumedQuantity: '1000',
} as const satisfies Partial<Record<FocusColumn, string>>

test('whatever the shares, every cost and quantity of them adds up to that of the line', () => {
  const parts = array(integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 6 })
  check(
    property(parts, (cents) => {
      const amounts = cents.map((part) => plain(decimal(BigInt(part)).div(decimal('100'))))
      const rows = rowsOf(amounts, { quantity: '720', unit: 'hours', extra: GIVEN })
      const whole = plain(sum(amounts.map(decimal)))
      for (const [column, expected] of Object.entries({ ...GIVEN, BilledCost: whole, PricingQuantity: '720' })) {
        assert.equal(totalOf(rows, column as FocusColumn), expected, column)
      }
    }),
  )
})

test('what is not told apart from the billed cost is shared as it is', () => {
  const rows = rowsOf(['-6.67', '-3.33'], {})
  for (const column of ['ListCost', 'ContractedCost', 'EffectiveCost'] as const) {
    assert.deepEqual(
      rows.map((row) => row[column]),
      ['-6.67', '-3.33'],
    )
  }
})

test('shares of a line that nobody counted are parts of one charge, without a unit price', () => {
  const rows = rowsOf(['6', '3', '1'], {})
  assert.deepEqual(
    rows.map((row) => [row.PricingQuantity, row.ConsumedQuantity, row.PricingUnit, row.ListUnitPrice]),
    ['0.6', '0.3', '0.1'].map((part) => [part, part, 'Units', null]),
  )
})

test('a line that costs nothing is shared by the weights', () => {
  const rows = rowsOf(['0', '0'], { quantity: '9', unit: 'hours', extra: { ListCost: '3' } }, ['2', '1'])
  assert.deepEqual(
    rows.map((row) => [row.BilledCost, row.PricingQuantity, row.ListCost]),
    [
      ['0', '6', '2'],
      ['0', '3', '1'],
    ],
  )
})

test('another issuer is named where nothing is billed, as the format has it', () => {
  const extra = { InvoiceIssuerName: 'A marketplace' }
  assert.deepEqual(
    [...rowsOf(['0'], { extra }), ...rowsOf(['1'], { extra })].map((row) => row.InvoiceIssuerName),
    ['A marketplace', 'example-cloud'],
  )
})

test('a bill without a number has no InvoiceId', () => {
  assert.equal(rowsOf(['1'], {})[0]?.InvoiceId, null)
})

function rowsOf(amounts: readonly string[], line: Partial<Line>, weights: readonly string[] = []) {
  const shares = amounts.map((amount, index) => ({
    tenant_id: 't',
    deployment: `d${index}`,
    amount,
    weight: weights[index] ?? null,
  }))
  const amount = plain(sum(amounts.map(decimal)))
  return chargesOf(BILL, { ...LINE, ...line, amount, shares }).map(focusRow)
}

function totalOf(rows: ReturnType<typeof rowsOf>, column: FocusColumn): string {
  return plain(rows.reduce((total, row) => total.plus(decimal(row[column] ?? 'none')), ZERO))
}

const LINE: Line = {
  position: 0,
  kind: 'virtual_machine',
  description: 'a line',
  charge_category: 'Usage',
  amount: '0',
  charge_start: Temporal.Instant.from('2026-04-01T00:00:00Z'),
  charge_end: Temporal.Instant.from('2026-05-01T00:00:00Z'),
  quantity: null,
  unit: null,
  project: null,
  external_resource_id: null,
  resource_name: null,
  service_category: 'Compute',
  service_name: 'Machines',
  region: null,
  extra: null,
  owner: null,
  shares: [],
}
