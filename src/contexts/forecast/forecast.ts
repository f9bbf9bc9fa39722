import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { instantsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { PROVIDER_ZONE } from '../../providers/bill-line.ts'
import { RESOURCE_KINDS } from '../inventory/index.ts'
import { compare, type ComparisonRow } from './comparison.ts'
import { CURRENCY, type Expected, expectedCosts } from './expected.ts'
import {
  type BalanceFacts,
  type BillFacts,
  findBalance,
  findBill,
  loadBilled,
  loadListings,
  loadSpans,
  type NotListed,
} from './queries.ts'

/**
 * Amounts are exact, in major units. What has no known price is counted in `unpriced`, what could not be listed is named
 * in `not_listed`; neither is in a sum. A sum is null where nothing is known of the month: then the inventory was never
 * listed, or first after it.
 */
export type Forecast = {
  readonly period: Period
  readonly currency: string
  readonly as_of: Temporal.Instant
  readonly so_far: string | null
  readonly month_end: string | null
  readonly unpriced: number
  readonly not_listed: NotListed[]
  readonly bill: BillFacts | null
  readonly balance: BalanceFacts | null
  /** Billed charges less what was expected of the priced; null until the bill is issued, or where a sum is null. */
  readonly difference: string | null
  readonly rows: readonly ComparisonRow[]
}

/** What a month is expected to cost, beside its balance and its bill. */
export async function forecastOf(reader: Reader, period: Period, now: Temporal.Instant): Promise<Forecast> {
  const spans = await loadSpans(reader, period)
  const expected = expectedCosts(spans, period, now)
  const bill = (await findBill(reader, period)) ?? null
  const balance = (await findBalance(reader, period)) ?? null
  const is_issued = bill?.status === 'issued'
  const lines = bill && (await loadBilled(reader, bill.provider_invoice_ids))
  const { known_since, not_listed } = await loadListings(reader)
  const isKnown =
    spans.some(({ resource_id }) => resource_id !== null) ||
    isBefore(known_since, instantsOf(period, PROVIDER_ZONE).end)
  const unknown = isKnown ? not_listed.map(({ kind }) => kind) : RESOURCE_KINDS
  const rows = compare(expected, { bill: lines && { is_issued, lines }, not_listed: new Set(unknown) })
  return {
    period,
    currency: CURRENCY,
    as_of: now,
    ...(isKnown ? totalsOf(expected) : NOTHING_KNOWN),
    not_listed,
    bill,
    balance,
    difference: is_issued && isKnown ? sumOf(rows.map((row) => row.difference)) : null,
    rows,
  }
}

const NOTHING_KNOWN = { so_far: null, month_end: null, unpriced: 0 }

function isBefore(known_since: Temporal.Instant | null, end: Temporal.Instant): boolean {
  return known_since !== null && Temporal.Instant.compare(known_since, end) < 0
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
