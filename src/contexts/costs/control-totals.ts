import { type Decimal, decimal, plain, sum } from '../../kernel/decimal.ts'
import type { ChargeCategory } from '../../providers/bill-line.ts'
import type { InvoiceSummary } from '../../providers/digitalocean/index.ts'
import { sumOf } from './bill.ts'

/** What a bill's lines of one product and category add up to, exact, in major units. */
export type ProductTotal = {
  readonly product: string
  readonly kind: string
  readonly charge_category: ChargeCategory
  readonly amount: string
}

/** One control: what the provider says, and what was found. `ok` is null where one of the two is not known. */
export type Check = {
  readonly name: string
  readonly expected: string | null
  readonly found: string | null
  readonly ok: boolean | null
}

/**
 * Everything by which a bill can be checked: its lines against its amount, and the provider's summary against the
 * bill, in its four parts and by product. A bill without a summary, such as one from a CSV file, names the checks that
 * it cannot pass. `totals` is null while the lines are not read.
 */
export function controlTotals(bill: {
  readonly amount: string
  readonly summary: InvoiceSummary | null
  readonly totals: readonly ProductTotal[] | null
}): Check[] {
  const { amount, summary, totals } = bill
  const parts = totals && partsOf(totals, summary)
  return [
    check('lines', amount, totals && sumOf(totals)),
    check('summary', summary?.amount ?? null, decimal(amount)),
    check('summary_parts', summary?.amount ?? null, summary && sumOfParts(summary)),
    check('product_charges', summary?.product_charges.amount ?? null, parts && sumOf(parts.product_charges)),
    check('overages', summary?.overages ?? null, parts && sumOf(parts.overages)),
    check('taxes', summary?.taxes ?? null, parts && sumOf(parts.taxes)),
    check('credits_and_adjustments', summary?.credits_and_adjustments ?? null, parts && sumOf(parts.credits)),
    ...productChecks(summary, parts?.product_charges ?? null),
  ]
}

type Parts = Record<'product_charges' | 'overages' | 'taxes' | 'credits', readonly ProductTotal[]>

/** The provider's own parts. A product that the summary names among the product charges is one of them. */
function partsOf(totals: readonly ProductTotal[], summary: InvoiceSummary | null): Parts {
  const named = new Set(summary?.product_charges.items.map(({ name }) => name))
  const partOf = ({ product, kind, charge_category }: ProductTotal): keyof Parts => {
    if (charge_category === 'Tax') return 'taxes'
    if (charge_category === 'Credit' || charge_category === 'Adjustment') return 'credits'
    return isOverage(product, kind) && !named.has(product) ? 'overages' : 'product_charges'
  }
  const { product_charges = [], overages = [], taxes = [], credits = [] } = Object.groupBy(totals, partOf)
  return { product_charges, overages, taxes, credits }
}

function isOverage(product: string, kind: string): boolean {
  return kind === 'bandwidth' || /\boverages?\b/i.test(product)
}

/** A product on one side only is compared with 0. */
function productChecks(summary: InvoiceSummary | null, charges: readonly ProductTotal[] | null): Check[] {
  if (summary === null || charges === null) return [check('products', null, null)]
  const expected = Map.groupBy(summary.product_charges.items, ({ name }) => name)
  const found = Map.groupBy(charges, ({ product }) => product)
  const names = new Set([...expected.keys(), ...found.keys()])
  return [...names]
    .toSorted()
    .map((name) => check(`product: ${name}`, plain(sumOf(expected.get(name) ?? [])), sumOf(found.get(name) ?? [])))
}

function sumOfParts({ product_charges, overages, taxes, credits_and_adjustments }: InvoiceSummary): Decimal {
  return sum([product_charges.amount, overages, taxes, credits_and_adjustments].map((part) => decimal(part)))
}

function check(name: string, expected: string | null, found: Decimal | null): Check {
  return {
    name,
    expected: expected === null ? null : plain(decimal(expected)),
    found: found === null ? null : plain(found),
    ok: expected === null || found === null ? null : found.eq(decimal(expected)),
  }
}
