import { type Decimal, decimal, plain, round, sum, ZERO } from '../../kernel/decimal.ts'
import { type Currency, minorUnitPlaces, toMinor } from '../../kernel/money.ts'
import { problem } from '../../kernel/problem.ts'

export type GroupBy = 'tenant' | 'deployment' | 'kind'

/** Both books of one month, as far as they are known. Amounts of the provider are exact, in major units. */
export type Books = {
  revenue: readonly RevenueCell[]
  /** Issued bills; of a provider that has issued none yet, its preview. */
  bills: readonly BillTotals[]
  /** What the lines of these bills cost each deployment, by kind of resource. */
  costs: readonly CostCell[]
  /** Resources alive in the month, and how many of them the bills have a line for. */
  resources: readonly ResourceCell[]
}

export type RevenueCell = Owner & { kind: string; currency: Currency; revenue_cents: bigint }
export type CostCell = Owner & { kind: string; amount: string }
export type ResourceCell = Owner & { kind: string; alive: number; covered: number }
export type BillTotals = {
  status: 'issued' | 'preview'
  currency: Currency
  amount: string
  tax_amount: string
  credit_amount: string
}

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
  attributed_cost_cents: bigint | null
  unmatched_cost_cents: bigint | null
  tax_cents: bigint | null
  credit_cents: bigint | null
  bill_total_cents: bigint | null
  margin_cents: bigint | null
  /** The part of the net cost that has a deployment: a decimal from 0 to 1. */
  coverage: string | null
}

export type Margin = { currency: Currency | null; rows: MarginRow[]; totals: MarginTotals; hints: string[] }

const PERCENT_PLACES = 2
const COVERAGE_PLACES = 4

export const mixedCurrencies = problem({
  code: 'margin/mixed-currencies',
  status: 422,
  title: 'Amounts in different currencies cannot be added',
})

/** Throws `margin/mixed-currencies` when revenue and cost of the month are not in one currency. */
export function marginOf(books: Books, group_by: GroupBy): Margin {
  const currency = currencyOf(books)
  const totals = totalsOf(books, currency)
  return { currency, rows: rowsOf(books, { group_by, currency, totals }), totals, hints: hintsOf(books, totals) }
}

function currencyOf({ revenue, bills }: Books): Currency | null {
  const currencies = [...new Set([...revenue, ...bills].map((entry) => entry.currency))].toSorted()
  if (currencies.length <= 1) return currencies[0] ?? null
  throw mixedCurrencies(
    `The month has amounts in ${currencies.join(' and ')}, and there is no rate to convert them with.`,
  )
}

function totalsOf(books: Books, currency: Currency | null): MarginTotals {
  const revenue_cents = books.revenue.reduce((total, cell) => total + cell.revenue_cents, 0n)
  if (books.bills.length === 0 || currency === null) return { ...NO_BILL, revenue_cents }
  const bill = sum(books.bills.map((each) => decimal(each.amount)))
  const tax = sum(books.bills.map((each) => decimal(each.tax_amount)))
  const credit = sum(books.bills.map((each) => decimal(each.credit_amount)))
  const attributed = sum(books.costs.map((cell) => decimal(cell.amount)))
  const net = bill.minus(tax).minus(credit)
  const bill_total_cents = toMinor(bill, currency)
  const [attributed_cost_cents = 0n, unmatched_cost_cents = 0n, tax_cents = 0n, credit_cents = 0n] = roundTogether(
    [attributed, net.minus(attributed), tax, credit].map((amount) => inMinor(amount, currency)),
    bill_total_cents,
  )
  return {
    revenue_cents,
    attributed_cost_cents,
    unmatched_cost_cents,
    tax_cents,
    credit_cents,
    bill_total_cents,
    margin_cents: revenue_cents - bill_total_cents,
    coverage: ratio(attributed, net),
  }
}

const NO_BILL: Omit<MarginTotals, 'revenue_cents'> = {
  attributed_cost_cents: null,
  unmatched_cost_cents: null,
  tax_cents: null,
  credit_cents: null,
  bill_total_cents: null,
  margin_cents: null,
  coverage: null,
}

type RowKey = Pick<MarginRow, 'tenant_id' | 'deployment_id' | 'deployment' | 'kind'>
type Group = RowKey & { revenue_cents: bigint | null; costs: CostCell[]; alive: number; covered: number }

function rowsOf(
  books: Books,
  { group_by, currency, totals }: { group_by: GroupBy; currency: Currency | null; totals: MarginTotals },
): MarginRow[] {
  const groups = group_by === 'kind' ? groupsByKind(books) : groupsByOwner(books, group_by)
  const known = groups.filter((group) => isCostKnown(group, { books, group_by }))
  const amounts = known.map((group) => sum(group.costs.map((cell) => decimal(cell.amount))))
  const cents = roundTogether(
    currency === null ? [] : amounts.map((amount) => inMinor(amount, currency)),
    totals.attributed_cost_cents ?? 0n,
  )
  const costs = new Map(known.map((group, index) => [group, cents[index] ?? null]))
  return groups.map((group) => rowOf(group, costs.get(group) ?? null))
}

/** What no line of a bill names has a cost that is not known; it is not 0. What is of no deployment costs nothing. */
function isCostKnown(
  { costs, deployment_id }: Group,
  { books, group_by }: { books: Books; group_by: GroupBy },
): boolean {
  return costs.length > 0 || (group_by === 'deployment' && deployment_id === null && books.bills.length > 0)
}

function rowOf({ costs, alive, covered, ...group }: Group, cost_cents: bigint | null): MarginRow {
  const { revenue_cents } = group
  const margin_cents = revenue_cents === null || cost_cents === null ? null : revenue_cents - cost_cents
  return {
    ...group,
    cost_cents,
    margin_cents,
    margin_percent: percent(margin_cents, revenue_cents),
    coverage: alive === 0 && costs.length > 0 ? '1' : ratio(decimal(BigInt(covered)), decimal(BigInt(alive))),
  }
}

function groupsByOwner(books: Books, group_by: 'tenant' | 'deployment'): Group[] {
  // A deployment that costs something and earns nothing has a revenue of 0.
  const groups = new Groups({ revenue_cents: 0n })
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
function groupsByKind(books: Books): Group[] {
  const sold = new Groups({ revenue_cents: 0n })
  const rented = new Groups({ revenue_cents: null })
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
  readonly #start: Pick<Group, 'revenue_cents'>

  constructor(start: Pick<Group, 'revenue_cents'>) {
    this.#start = start
  }

  addRevenue(key: RowKey, { revenue_cents }: RevenueCell): void {
    const group = this.#at(key)
    group.revenue_cents = (group.revenue_cents ?? 0n) + revenue_cents
  }

  addCost(key: RowKey, cell: CostCell): void {
    this.#at(key).costs.push(cell)
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
    const group = this.#groups.get(id) ?? { ...key, ...this.#start, costs: [], alive: 0, covered: 0 }
    this.#groups.set(id, group)
    return group
  }
}

/**
 * Whole numbers that add up to `total`, which the exact amounts add up to but for less than 1. Each is its amount
 * rounded half up; what is then still wrong is put right, a unit each, where rounding has moved most.
 */
export function roundTogether(amounts: readonly Decimal[], total: bigint): bigint[] {
  const rounded = amounts.map((amount) => BigInt(plain(round(amount, 0))))
  const wrong = total - rounded.reduce((acc, part) => acc + part, 0n)
  const step = wrong < 0n ? -1n : 1n
  const moved = amounts.map((amount, index) => ({
    index,
    by: amount.minus(decimal(rounded[index] ?? 0n)).times(decimal(step)),
  }))
  const first = moved.toSorted((a, b) => b.by.cmp(a.by) || a.index - b.index).slice(0, Number(wrong * step))
  for (const { index } of first) rounded[index] = (rounded[index] ?? 0n) + step
  return rounded
}

function inMinor(amount: Decimal, currency: Currency): Decimal {
  return amount.times(decimal(10n ** BigInt(minorUnitPlaces(currency))))
}

function percent(part: bigint | null, whole: bigint | null): string | null {
  if (part === null || whole === null || whole === 0n) return null
  return plain(round(decimal(part).times(decimal('100')).div(decimal(whole)), PERCENT_PLACES))
}

/** A fraction, or null where there is nothing to be part of. */
function ratio(part: Decimal, whole: Decimal): string | null {
  return whole.eq(ZERO) ? null : plain(round(part.div(whole), COVERAGE_PLACES))
}

function hintsOf({ bills }: Books, { tax_cents }: MarginTotals): string[] {
  return [
    ...(bills.length === 0 ? ['No provider bill is stored for this month yet, so its cost is not known.'] : []),
    ...(bills.some((bill) => bill.status === 'preview') ? ['The bill is a preview: the month is not billed yet.'] : []),
    ...(tax_cents !== null && tax_cents > 0n
      ? ['The provider’s tax is counted as cost; where it can be reclaimed, the margin is higher by tax_cents.']
      : []),
  ]
}
