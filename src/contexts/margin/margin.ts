import { type Decimal, decimal, plain, round, roundPrecise, sum, ZERO } from '../../kernel/decimal.ts'
import { type Currency, roundTogether, toMinor } from '../../kernel/money.ts'
import { isBefore, type Period } from '../../kernel/period.ts'
import { type Conversion, convertBooks, type ExchangeRate, reportingCurrency } from './conversion.ts'

export type GroupBy = 'tenant' | 'deployment' | 'kind'

/**
 * Both books of one month, as far as they are known, each amount in its own currency. Amounts of the provider are exact,
 * in major units.
 */
export type Books = {
  period: Period
  revenue: readonly RevenueCell[]
  /** Issued bills; of a provider's account without one yet, its preview. */
  bills: readonly BillTotals[]
  /** What the lines of these bills cost each deployment, by kind of resource. */
  costs: readonly CostCell[]
  /** Resources alive in the month, and how many of them the bills have a line for. */
  resources: readonly ResourceCell[]
  /** The latest rate of each pair of these currencies up to the last day of the month. */
  rates: readonly ExchangeRate[]
}

/** The same in one currency: exact, in major units. */
export type ConvertedBooks = {
  revenue: readonly SoldCell[]
  bills: readonly {
    status: BillTotals['status']
    amount: Decimal
    tax_amount: Decimal
    credit_amount: Decimal
  }[]
  costs: readonly Cell[]
  resources: readonly ResourceCell[]
}

/** `draft_cents` of the revenue are on invoices that are not issued yet. */
export type RevenueCell = Owner & { kind: string; currency: Currency; revenue_cents: bigint; draft_cents: bigint }
export type CostCell = Owner & { kind: string; currency: Currency; amount: string }
export type ResourceCell = Owner & { kind: string; alive: number; covered: number }
export type BillTotals = {
  status: 'issued' | 'preview'
  currency: Currency
  amount: string
  tax_amount: string
  credit_amount: string
}

type Cell = Owner & { kind: string; amount: Decimal }
type SoldCell = Cell & { draft: Decimal }
type Owner = { tenant_id: string; deployment_id: string | null; deployment: string | null }

/** A cost that is not known is null, never 0. What a row is not about is null too. */
export type MarginRow = {
  tenant_id: string | null
  deployment_id: string | null
  /** The deployment's slug. */
  deployment: string | null
  /** Of a line, or of a resource; only when grouped by kind. */
  kind: string | null
  revenue_cents: bigint | null
  /** What of the revenue is on drafts, which may still change. */
  draft_revenue_cents: bigint | null
  cost_cents: bigint | null
  margin_cents: bigint | null
  margin_percent: string | null
  /** The part of the living resources that the bills have a line for: a decimal from 0 to 1. */
  coverage: string | null
}

/**
 * Revenue is the invoices' subtotals less the net of their credit notes; the four costs add up to the bills; the margin
 * is what is between the two.
 */
export type MarginTotals = {
  revenue_cents: bigint
  draft_revenue_cents: bigint
  attributed_cost_cents: bigint | null
  unmatched_cost_cents: bigint | null
  tax_cents: bigint | null
  credit_cents: bigint | null
  bill_total_cents: bigint | null
  margin_cents: bigint | null
  /** The part of the net cost that has a deployment: a decimal from 0 to 1. */
  coverage: string | null
}

export type Margin = {
  currency: Currency | null
  rows: MarginRow[]
  totals: MarginTotals
  /** What was in another currency than the margin. */
  conversions: Conversion[]
  hints: string[]
}

const PERCENT_PLACES = 2
const COVERAGE_PLACES = 4

/**
 * In `currency`; where that is null, in the one that the books share. Throws `margin/mixed-currencies` where they share
 * none, and `margin/no-exchange-rate`.
 */
export function marginOf(
  books: Books,
  { group_by, currency: wanted }: { group_by: GroupBy; currency: Currency | null },
): Margin {
  const currency = wanted ?? reportingCurrency(books)
  const { converted, conversions } = convertBooks(books, currency)
  const totals = totalsOf(converted, currency)
  return {
    currency,
    rows: rowsOf(converted, { group_by, currency, totals }),
    totals,
    conversions,
    hints: [...hintsOf(converted, totals), ...oldRateHints(conversions, books.period)],
  }
}

function totalsOf({ revenue, bills, costs }: ConvertedBooks, currency: Currency | null): MarginTotals {
  if (currency === null) return { ...NO_BILL, revenue_cents: 0n, draft_revenue_cents: 0n }
  const sold = amountOf(revenue)
  const revenue_cents = toMinor(sold, currency)
  const draft = sum(revenue.map((cell) => cell.draft))
  const draft_revenue_cents = draftCents({ revenue: sold, draft }, { revenue_cents, currency })
  if (bills.length === 0) return { ...NO_BILL, revenue_cents, draft_revenue_cents }
  const net = sum(bills.map((bill) => bill.amount.minus(bill.tax_amount).minus(bill.credit_amount)))
  const credit = sum(bills.map((bill) => bill.credit_amount))
  const attributed = amountOf(costs)
  // Each bill is rounded by itself, as it is in the books.
  const bill_total_cents = totalCents(bills.map((bill) => toMinor(bill.amount, currency)))
  const tax_cents = totalCents(bills.map((bill) => toMinor(bill.tax_amount, currency)))
  // Where there is nothing of a part, what rounding leaves over is not put there.
  const [attributed_cost_cents, unmatched_cost_cents, credit_cents] = roundKnown(
    [costs.length > 0 ? attributed : null, net.minus(attributed), credit.eq(ZERO) ? null : credit],
    { total: bill_total_cents - tax_cents, currency },
  )
  return {
    revenue_cents,
    draft_revenue_cents,
    attributed_cost_cents: attributed_cost_cents ?? 0n,
    unmatched_cost_cents: unmatched_cost_cents ?? 0n,
    tax_cents,
    credit_cents: credit_cents ?? 0n,
    bill_total_cents,
    margin_cents: revenue_cents - bill_total_cents,
    coverage: ratio(attributed, net),
  }
}

/** Of what is all draft, all; else rounded by itself. */
function draftCents(
  { revenue, draft }: { revenue: Decimal; draft: Decimal },
  { revenue_cents, currency }: { revenue_cents: bigint; currency: Currency },
): bigint {
  return draft.eq(revenue) ? revenue_cents : toMinor(draft, currency)
}

const NO_BILL: Omit<MarginTotals, 'revenue_cents' | 'draft_revenue_cents'> = {
  attributed_cost_cents: null,
  unmatched_cost_cents: null,
  tax_cents: null,
  credit_cents: null,
  bill_total_cents: null,
  margin_cents: null,
  coverage: null,
}

type RowKey = Pick<MarginRow, 'tenant_id' | 'deployment_id' | 'deployment' | 'kind'>
/** `revenue` is null where the group is not about what was sold, `cost` where no line names it. */
type Group = RowKey & { revenue: Decimal | null; draft: Decimal; cost: Decimal | null; alive: number; covered: number }

function rowsOf(
  books: ConvertedBooks,
  { group_by, currency, totals }: { group_by: GroupBy; currency: Currency | null; totals: MarginTotals },
): MarginRow[] {
  const groups = group_by === 'kind' ? groupsByKind(books) : groupsByOwner(books, group_by)
  const revenue_cents = roundKnown(
    groups.map((group) => group.revenue),
    { total: totals.revenue_cents, currency },
  )
  const cost_cents = roundKnown(
    groups.map((group) => group.cost),
    { total: totals.attributed_cost_cents ?? 0n, currency },
  )
  return groups.map((group, index) =>
    rowOf(group, {
      currency,
      revenue_cents: revenue_cents[index] ?? null,
      cost_cents: cost_cents[index] ?? (costsNothing(group, { books, group_by }) ? 0n : null),
    }),
  )
}

/** What no line of a bill names has a cost that is not known; it is not 0. What is of no deployment costs nothing. */
function costsNothing(
  { deployment_id }: Group,
  { books, group_by }: { books: ConvertedBooks; group_by: GroupBy },
): boolean {
  return group_by === 'deployment' && deployment_id === null && books.bills.length > 0
}

function rowOf(
  { revenue, draft, cost, alive, covered, ...group }: Group,
  {
    revenue_cents,
    cost_cents,
    currency,
  }: Pick<MarginRow, 'revenue_cents' | 'cost_cents'> & { currency: Currency | null },
): MarginRow {
  const margin_cents = revenue_cents === null || cost_cents === null ? null : revenue_cents - cost_cents
  return {
    ...group,
    revenue_cents,
    draft_revenue_cents:
      revenue === null || revenue_cents === null || currency === null
        ? revenue_cents
        : draftCents({ revenue, draft }, { revenue_cents, currency }),
    cost_cents,
    margin_cents,
    margin_percent: percent(margin_cents, revenue_cents),
    coverage: alive === 0 && cost !== null ? '1' : ratio(decimal(BigInt(covered)), decimal(BigInt(alive))),
  }
}

function groupsByOwner(books: ConvertedBooks, group_by: 'tenant' | 'deployment'): Group[] {
  // A deployment that costs something and earns nothing has a revenue of 0.
  const groups = new Groups({ revenue: ZERO })
  const keyOf = ({ tenant_id, deployment_id, deployment }: Owner): RowKey =>
    group_by === 'tenant'
      ? { tenant_id, deployment_id: null, deployment: null, kind: null }
      : { tenant_id, deployment_id, deployment, kind: null }
  for (const cell of books.revenue) groups.addRevenue(keyOf(cell), cell)
  for (const cell of books.costs) groups.addCost(keyOf(cell), cell)
  for (const cell of books.resources) groups.addResources(keyOf(cell), cell)
  return groups.sorted()
}

/** What was sold and what was rented are of different kinds: each has rows of its own. */
function groupsByKind(books: ConvertedBooks): Group[] {
  const sold = new Groups({ revenue: ZERO })
  const rented = new Groups({ revenue: null })
  for (const cell of books.revenue) sold.addRevenue(kindKey(cell), cell)
  for (const cell of books.costs) rented.addCost(kindKey(cell), cell)
  for (const cell of books.resources) rented.addResources(kindKey(cell), cell)
  return [...sold.sorted(), ...rented.sorted()]
}

function kindKey({ kind }: { kind: string }): RowKey {
  return { tenant_id: null, deployment_id: null, deployment: null, kind }
}

class Groups {
  readonly #groups = new Map<string, Group>()
  readonly #start: Pick<Group, 'revenue'>

  constructor(start: Pick<Group, 'revenue'>) {
    this.#start = start
  }

  addRevenue(key: RowKey, { amount, draft }: SoldCell): void {
    const group = this.#at(key)
    group.revenue = (group.revenue ?? ZERO).plus(amount)
    group.draft = group.draft.plus(draft)
  }

  addCost(key: RowKey, { amount }: Cell): void {
    const group = this.#at(key)
    group.cost = (group.cost ?? ZERO).plus(amount)
  }

  addResources(key: RowKey, { alive, covered }: ResourceCell): void {
    const group = this.#at(key)
    group.alive += alive
    group.covered += covered
  }

  /** By tenant, deployment slug and kind. */
  sorted(): Group[] {
    return [...this.#groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
  }

  #at(key: RowKey): Group {
    const id = JSON.stringify([key.tenant_id, key.deployment, key.deployment_id, key.kind])
    const group = this.#groups.get(id) ?? { ...key, ...this.#start, draft: ZERO, cost: null, alive: 0, covered: 0 }
    this.#groups.set(id, group)
    return group
  }
}

/** What is null stays so; the others add up to the total. */
function roundKnown(
  amounts: readonly (Decimal | null)[],
  { total, currency }: { total: bigint; currency: Currency | null },
): (bigint | null)[] {
  const known = amounts.filter((amount) => amount !== null)
  const cents = currency === null || known.length === 0 ? [] : roundTogether(known, { total, currency })
  const inOrder = cents.values()
  return amounts.map((amount) => (amount === null ? null : (inOrder.next().value ?? 0n)))
}

function amountOf(cells: readonly Cell[]): Decimal {
  return sum(cells.map((cell) => cell.amount))
}

function totalCents(cents: readonly bigint[]): bigint {
  return cents.reduce((total, part) => total + part, 0n)
}

function percent(part: bigint | null, whole: bigint | null): string | null {
  if (part === null || whole === null || whole === 0n) return null
  return plain(round(decimal(part).times(decimal('100')).div(decimal(whole)), PERCENT_PLACES))
}

/** A fraction, or null where there is nothing to be part of, but for what conversions have lost. */
function ratio(part: Decimal, whole: Decimal): string | null {
  return roundPrecise(whole).eq(ZERO) ? null : plain(round(part.div(whole), COVERAGE_PLACES))
}

function hintsOf({ bills, revenue }: ConvertedBooks, { tax_cents }: MarginTotals): string[] {
  return [
    ...(revenue.some(({ draft }) => !draft.eq(ZERO))
      ? ['Some of the revenue is on drafts, which may still change: draft_revenue_cents.']
      : []),
    ...(bills.length === 0 ? ['No provider bill is stored for this month yet, so its cost is not known.'] : []),
    ...(bills.some((bill) => bill.status === 'preview') ? ['The bill is a preview: the month is not billed yet.'] : []),
    ...(tax_cents !== null && tax_cents > 0n
      ? ['The provider’s tax is counted as cost; where it can be reclaimed, the margin is higher by tax_cents.']
      : []),
  ]
}

function oldRateHints(conversions: readonly Conversion[], { start }: Period): string[] {
  const old = conversions.filter(({ date }) => isBefore(date, start))
  return [
    ...new Set(old.map(({ from, to, date }) => `The rate from ${from} to ${to} is of ${date}, before the month.`)),
  ]
}
