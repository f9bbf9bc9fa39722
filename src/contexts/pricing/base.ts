import { decimal, plain, share } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import { days, isBefore, type Period } from '../../kernel/period.ts'
import type { PlanTerms, PlanYear } from './facts.ts'
import { postedAmount } from './line.ts'
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
 * days of a pause, and when the plan is left the days to the end of the year. A plan that is not prorated gives nothing
 * back.
 */
export function yearDrafts(part: Part): PartDraft[] {
  const { plan, active, mode, year } = part.segment
  if (plan.interval === 'month' || year === null) return []
  const price_cents = year.base_price_cents ?? plan.base_price_cents
  if (price_cents === 0n) return []
  const begins = active.start.equals(year.period.start)
  return [
    ...(begins ? [yearDraft(part, year)] : []),
    ...(mode === 'paused' ? givenBack(part, { year, of: active, reason: 'paused' }) : []),
    ...(year.is_left ? givenBack(part, { year, of: { start: active.end, end: year.period.end }, reason: 'left' }) : []),
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

function givenBack(
  part: Part,
  { year, of, reason }: { year: PlanYear; of: Period; reason: 'paused' | 'left' },
): PartDraft[] {
  const { plan } = part.segment
  if (plan.proration === 'none' || !isBefore(of.start, of.end)) return []
  const price = yearPrice(part, year)
  const [days_credited, days_in_year] = [days(of).toString(), days(year.period).toString()]
  return [
    {
      at: part.at,
      kind: 'credit',
      meter: null,
      description: `${baseDescription(plan)}, ${reason === 'paused' ? 'days paused' : 'rest of the year'}`,
      quantity: null,
      unit_price: null,
      ...postedAmount(share(price, decimal(days_credited), decimal(days_in_year)).times(decimal(-1n)), plan.currency),
      service_period: of,
      details: {
        ...planDetails(plan),
        interval: 'year',
        reason,
        base_price: plain(price),
        days_credited,
        days_in_year,
        year_start: year.period.start.toString(),
        year_end: year.period.end.toString(),
      },
    },
  ]
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
