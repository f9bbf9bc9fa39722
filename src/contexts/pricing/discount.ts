import { decimal, plain, smaller } from '../../kernel/decimal.ts'
import { invariant } from '../../kernel/invariant.ts'
import { type Currency, fromMinor, splitByLargestRemainder, toMinor } from '../../kernel/money.ts'
import type { DiscountTerms } from './facts.ts'
import { type LineDraft, postedAmount } from './line.ts'

/**
 * The discounts on a subscription's own lines, in their order, each on what the one before left: a credit line per
 * discounted line, with its meter and service period, so that every line keeps its own tax, meter and deployment. A
 * discount is rounded once, is never more than the lines have left, and is spread by largest remainder over those with
 * something left. What a plan year gives back is without its discounts already, and is left alone.
 */
export function discountDrafts(
  lines: readonly LineDraft[],
  { discounts, currency }: { discounts: readonly DiscountTerms[]; currency: Currency },
): LineDraft[] {
  const left = lines.flatMap((line): Left[] => (line.kind === 'credit' ? [] : [{ line, cents: line.amount_cents }]))
  return discounts.flatMap((discount) => {
    const { line_kinds } = discount
    const among = left.filter(({ line, cents }) => cents > 0n && (line_kinds?.includes(line.kind) ?? true))
    const base_cents = centsOf(among)
    const total_cents = discountCents(discount, { base_cents, currency })
    if (total_cents === 0n) return []
    const shares = spread(total_cents, among)
    return among.flatMap((one) => {
      const share_cents = shares.get(one) ?? 0n
      if (share_cents === 0n) return []
      const draft = discountDraft(one, { discount, share_cents, total_cents, base_cents, currency })
      one.cents -= share_cents
      return [draft]
    })
  })
}

/**
 * Among other lines, a year's base price gets its share rounded down. Its discounts are then never more than those of
 * the base price alone, which is what a year is given back at.
 */
function spread(total_cents: bigint, among: readonly Left[]): Map<Left, bigint> {
  const [years, others] = [among.filter(isOfYear), among.filter((one) => !isOfYear(one))]
  const of_years = others.length === 0 ? total_cents : (total_cents * centsOf(years)) / centsOf(among)
  return new Map([...split(of_years, years), ...split(total_cents - of_years, others)])
}

function isOfYear({ line }: Left): boolean {
  return line.details['interval'] === 'year'
}

function split(cents: bigint, lines: readonly Left[]): [Left, bigint][] {
  if (lines.length === 0) return []
  const shares = splitByLargestRemainder(
    cents,
    lines.map((line) => decimal(line.cents)),
  )
  return lines.map((line, index) => [line, shares[index] ?? 0n])
}

type Left = { line: LineDraft; cents: bigint }

function centsOf(lines: readonly Left[]): bigint {
  return lines.reduce((total, { cents }) => total + cents, 0n)
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** In minor units; never more than there is. */
function discountCents(
  { name, rate, amount_cents }: DiscountTerms,
  { base_cents, currency }: { base_cents: bigint; currency: Currency },
): bigint {
  invariant((rate === null) !== (amount_cents === null), `discount ${name} has either a rate or an amount`)
  if (amount_cents !== null) return least(amount_cents, base_cents)
  const base = fromMinor(base_cents, currency)
  return toMinor(smaller(base.times(decimal(rate ?? '0')), base), currency)
}

function discountDraft(
  { line, cents }: Left,
  of: {
    discount: DiscountTerms
    share_cents: bigint
    total_cents: bigint
    base_cents: bigint
    currency: Currency
  },
): LineDraft {
  const { discount, currency } = of
  const major = (amount_cents: bigint): string => plain(fromMinor(amount_cents, currency))
  return {
    kind: 'credit',
    meter: line.meter,
    description: `${discount.name}: ${line.description}`,
    quantity: null,
    unit_price: null,
    ...postedAmount(fromMinor(-of.share_cents, currency), currency),
    service_period: line.service_period,
    details: {
      discount_id: discount.id,
      discount_name: discount.name,
      ...(discount.rate === null ? {} : { discount_rate: plain(decimal(discount.rate)) }),
      ...(discount.amount_cents === null ? {} : { discount_amount: major(discount.amount_cents) }),
      discounted_kind: line.kind,
      discounted_line: line.description,
      line_amount: major(cents),
      discounted_amount: major(of.base_cents),
      total_discount: major(of.total_cents),
    },
  }
}
