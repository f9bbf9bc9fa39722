import { type Decimal, decimal, plain, sum, ZERO } from '../../kernel/decimal.ts'
import { type Expected, keyOf, type Subject } from './expected.ts'

/** What a bill charges for one subject, exact, in major units. */
export type Billed = Subject & { readonly amount: string }

/**
 * - `as_expected`, `differs`: both sides know an amount
 * - `not_billed`, `not_expected`: only one side knows of it
 * - `unpriced`: its price is not known, so no amount was expected
 * - `not_listed`: nothing was expected, because its kind was not listed
 * - `open`: the month's bill is not issued yet
 */
export const COMPARISON_STATUSES = [
  'as_expected',
  'differs',
  'not_billed',
  'not_expected',
  'unpriced',
  'not_listed',
  'open',
] as const

/** Amounts are exact, in major units; `difference` is billed less expected, null where one of the two is not known. */
export type ComparisonRow = Subject & {
  readonly status: (typeof COMPARISON_STATUSES)[number]
  readonly so_far: string | null
  readonly month_end: string | null
  readonly billed: string | null
  readonly difference: string | null
  readonly unpriced: readonly string[]
}

/**
 * Expected beside billed, the largest difference first, then what is not known, then the dearest. `billed` is null
 * while there is no bill at all; a bill that is not issued is shown and not compared. Of the kinds in `not_listed`, that
 * nothing is expected does not mean that nothing is rented.
 */
export function compare(
  expected: readonly Expected[],
  {
    bill,
    not_listed = new Set(),
  }: {
    readonly bill: { readonly is_issued: boolean; readonly lines: readonly Billed[] } | null
    readonly not_listed?: ReadonlySet<string>
  },
): ComparisonRow[] {
  const charges = Map.groupBy(bill?.lines ?? [], keyOf)
  const keys = new Set(expected.map(keyOf))
  const rows = expected.map((each) => rowOf(each, { charges: charges.get(keyOf(each)) ?? [], bill }))
  const others = [...charges].flatMap(([key, lines]) =>
    keys.has(key) || lines[0] === undefined
      ? []
      : rowOf(
          { ...subjectFrom(lines[0]), ...(not_listed.has(lines[0].kind) ? NOT_LISTED : NOTHING) },
          { charges: lines, bill },
        ),
  )
  return [...rows, ...others].toSorted(byWeight)
}

const NOT_LISTED = { so_far: null, month_end: null, unpriced: [], is_expected: false }
const NOTHING = { so_far: '0', month_end: '0', unpriced: [], is_expected: false }

type Side = { readonly charges: readonly Billed[]; readonly bill: { readonly is_issued: boolean } | null }

function rowOf(
  { is_expected = true, ...expected }: Expected & { is_expected?: boolean },
  { charges, bill }: Side,
): ComparisonRow {
  const billed = sum(charges.map(({ amount }) => decimal(amount)))
  const { month_end } = expected
  const difference = bill?.is_issued === true && month_end !== null ? billed.minus(decimal(month_end)) : null
  return {
    ...expected,
    status: statusOf({ month_end, difference, is_billed: charges.length > 0, is_expected }),
    billed: bill === null ? null : plain(billed),
    difference: difference && plain(difference),
  }
}

function statusOf(of: {
  month_end: string | null
  difference: Decimal | null
  is_billed: boolean
  is_expected: boolean
}): ComparisonRow['status'] {
  if (of.month_end === null) return of.is_expected ? 'unpriced' : 'not_listed'
  if (of.difference === null) return 'open'
  if (!of.is_expected) return 'not_expected'
  if (!of.is_billed) return 'not_billed'
  return of.difference.eq(ZERO) ? 'as_expected' : 'differs'
}

function subjectFrom({ kind, resource_id, name }: Billed): Subject {
  return { kind, resource_id, name }
}

function byWeight(a: ComparisonRow, b: ComparisonRow): number {
  return (
    weightOf(b.difference).cmp(weightOf(a.difference)) ||
    Number(b.status === 'unpriced') - Number(a.status === 'unpriced') ||
    weightOf(b.month_end).cmp(weightOf(a.month_end)) ||
    (keyOf(a) < keyOf(b) ? -1 : 1)
  )
}

function weightOf(amount: string | null): Decimal {
  return amount === null ? ZERO : decimal(amount).abs()
}
