import { decimal, type Decimal, plain, share, smaller } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import { days, isBefore, type Period } from '../../kernel/period.ts'
import { discountDrafts } from './discount.ts'
import type { PlanTerms, PlanYear } from './facts.ts'
import { postedAmount, totalCents } from './line.ts'
import type { Part, PartDraft } from './part.ts'
import { prorate } from './proration.ts'

/** The base price of a monthly plan, in the first of the segments that share it that pays. */
export function baseDrafts(group: readonly Part[]): PartDraft[] {
  const first = group.find(({ is_charged }) => is_charged)
  if (first === undefined) return []
  const { at, segment, plan, proration } = first
  const { active, plan: terms } = segment
  if (terms.interval === 'year' || terms.base_price_cents === 0n) return []
  return [
    {
      at,
      kind: 'plan_base',
      meter: null,
      description: baseDescription(terms),
      quantity: '1',
      unit_price: plain(plan.base_price),
      ...postedAmount(prorate(plan.base_price, proration), terms.currency),
      service_period: active,
      details: { ...planDetails(terms), ...proration.details },
    },
  ]
}

/**
 * The base price of a yearly plan, whole in the segment that its year begins with; and what is given back of it: the
 * days of a pause, and when the plan is left the days to the end of the year, at the price less the year's discounts. A
 * plan that is not prorated gives nothing back.
 */
export function yearDrafts(part: Part): PartDraft[] {
  const { plan, active, mode, year } = part.segment
  if (plan.interval === 'month' || year === null) return []
  const price_cents = year.base_price_cents ?? plan.base_price_cents
  if (price_cents === 0n) return []
  const begins = active.start.equals(year.period.start)
  const { days_given_back = 0 } = year
  const paused_days = mode === 'paused' ? days(active) : 0
  const rest = { start: active.end, end: year.period.end }
  return [
    ...(begins ? [yearDraft(part, year)] : []),
    ...(mode === 'paused' ? givenBack(part, { year, of: active, days_before: days_given_back, reason: 'paused' }) : []),
    ...(year.is_left
      ? givenBack(part, { year, of: rest, days_before: days_given_back + paused_days, reason: 'left' })
      : []),
  ]
}

function yearDraft(part: Part, year: PlanYear): PartDraft {
  const { plan } = part.segment
  const price = yearPrice(part, year)
  return {
    at: part.at,
    kind: 'plan_base',
    meter: null,
    description: baseDescription(plan),
    quantity: '1',
    unit_price: plain(price),
    ...postedAmount(price, plan.currency),
    service_period: year.period,
    details: { ...planDetails(plan), interval: 'year' },
  }
}

/**
 * What all days so far come to, less what those before were given back at: so all credits of a year add up to no more
 * than the year was billed, to the minor unit; nor, with the credit notes that gave it back before, do they.
 */
function givenBack(
  part: Part,
  { year, of, days_before, reason }: { year: PlanYear; of: Period; days_before: number; reason: 'paused' | 'left' },
): PartDraft[] {
  const { plan } = part.segment
  if (plan.proration === 'none' || !isBefore(of.start, of.end)) return []
  const { net_cents, price } = netOf(part, year)
  if (net_cents === 0n) return []
  const net = fromMinor(net_cents, plan.currency)
  const days_in_year = days(year.period)
  const [days_credited, days_so_far] = [days(of), days_before + days(of)]
  const most = fromMinor(year.left_cents ?? net_cents, plan.currency)
  const shareOf = (count: number): Decimal =>
    smaller(most, share(net, decimal(BigInt(count)), decimal(BigInt(days_in_year))))
  const before = fromMinor(postedAmount(shareOf(days_before), plan.currency).amount_cents, plan.currency)
  const amount = postedAmount(before.minus(shareOf(days_so_far)), plan.currency)
  if (amount.amount_cents === 0n) return []
  return [
    {
      at: part.at,
      kind: 'credit',
      meter: null,
      description: `${baseDescription(plan)}, ${reason === 'paused' ? 'days paused' : 'rest of the year'}`,
      quantity: null,
      unit_price: null,
      ...amount,
      service_period: of,
      details: {
        ...planDetails(plan),
        interval: 'year',
        reason,
        base_price: plain(price),
        net_price: plain(net),
        days_credited: days_credited.toString(),
        days_in_year: days_in_year.toString(),
        ...(year.left_cents !== undefined && { left_by_credit_notes: plain(most) }),
        ...(days_before > 0 && { days_given_back: days_before.toString(), given_back: plain(before) }),
        year_start: year.period.start.toString(),
        year_end: year.period.end.toString(),
      },
    },
  ]
}

/** The year's price, and what its discounts leave of it. */
function netOf(part: Part, year: PlanYear): { price: Decimal; net_cents: bigint } {
  const draft = yearDraft(part, year)
  const { currency } = part.segment.plan
  const discounts = discountDrafts([draft], { discounts: year.discounts ?? [], currency })
  return { price: yearPrice(part, year), net_cents: totalCents([draft, ...discounts]) }
}

function yearPrice({ plan }: Part, { base_price_cents }: PlanYear) {
  return base_price_cents === undefined ? plan.base_price : fromMinor(base_price_cents, plan.terms.currency)
}

function planDetails({ code, version, name }: PlanTerms) {
  return { plan_code: code, plan_version: version, plan_name: name }
}

function baseDescription({ code, version, name }: PlanTerms): string {
  if (code === null) return name === null ? 'Base price' : `${name} base price`
  return version === null ? `${code} base price` : `${code} v${version} base price`
}
