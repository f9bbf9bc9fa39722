import { decimal, plain, sum } from '../../kernel/decimal.ts'
import type { Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { compare, type ComparisonRow } from './comparison.ts'
import { CURRENCY, type Expected, expectedCosts } from './expected.ts'
import { type BalanceFacts, type BillFacts, findBalance, findBill, loadBilled, loadSpans } from './queries.ts'

/** Amounts are exact, in major units. What has no known price is counted in `unpriced` and in no sum. */
export type Forecast = {
  readonly period: Period
  readonly currency: string
  readonly as_of: Temporal.Instant
  readonly so_far: string
  readonly month_end: string
  readonly unpriced: number
  readonly bill: BillFacts | null
  readonly balance: BalanceFacts | null
  /** Billed charges less what was expected of the priced; null until the bill is issued. */
  readonly difference: string | null
  readonly rows: readonly ComparisonRow[]
}

/** What a month is expected to cost, beside its balance and its bill. */
export async function forecastOf(reader: Reader, period: Period, now: Temporal.Instant): Promise<Forecast> {
  const expected = expectedCosts(await loadSpans(reader, period), period, now)
  const bill = (await findBill(reader, period)) ?? null
  const balance = (await findBalance(reader, period)) ?? null
  const is_issued = bill?.status === 'issued'
  const lines = bill && (await loadBilled(reader, bill.provider_invoice_id))
  const rows = compare(expected, lines && { is_issued, lines })
  return {
    period,
    currency: CURRENCY,
    as_of: now,
    ...totalsOf(expected),
    bill,
    balance,
    difference: is_issued ? sumOf(rows.map((row) => row.difference)) : null,
    rows,
  }
}

function totalsOf(expected: readonly Expected[]): Pick<Forecast, 'so_far' | 'month_end' | 'unpriced'> {
  return {
    so_far: sumOf(expected.map(({ so_far }) => so_far)),
    month_end: sumOf(expected.map(({ month_end }) => month_end)),
    unpriced: expected.filter(({ unpriced }) => unpriced.length > 0).length,
  }
}

/** Of what is known. */
function sumOf(amounts: readonly (string | null)[]): string {
  return plain(sum(amounts.flatMap((amount) => (amount === null ? [] : decimal(amount)))))
}
