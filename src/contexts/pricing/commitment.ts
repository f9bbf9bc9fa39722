import { type Decimal, plain, sum } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import { type LineDraft, postedAmount, totalCents } from './line.ts'
import type { Part } from './part.ts'
import { prorate, type Proration, prorationOf } from './proration.ts'

/**
 * What the lines lack to the least that the subscription comes to in the month, as one line without a meter. `lines` are
 * the month's own: what belongs to a whole plan year is not among them. The commitment is prorated like a base price,
 * over the charged segments; days under one commitment count together.
 */
export function commitmentDraft(groups: readonly Part[][], lines: readonly LineDraft[]): LineDraft | null {
  const charged = groups.flatMap((group) => group.filter(({ is_charged }) => is_charged))
  const [first, last] = [charged[0], charged.at(-1)]
  if (first === undefined || last === undefined || charged.every(({ plan }) => plan.commitment === null)) return null
  const { currency } = first.segment.plan
  const committed = committedOf(groups)
  const posted = fromMinor(totalCents(lines), currency)
  const lacking = postedAmount(sum(committed.map(dueOf)).minus(posted), currency)
  if (lacking.amount_cents <= 0n) return null
  return {
    kind: 'minimum',
    meter: null,
    description: 'Minimum commitment',
    quantity: null,
    unit_price: null,
    ...lacking,
    service_period: { start: first.segment.active.start, end: last.segment.active.end },
    details: {
      commitments: committed.map(({ commitment, part, proration }) => ({
        plan_code: part.segment.plan.code,
        plan_version: part.segment.plan.version,
        plan_name: part.segment.plan.name,
        commitment_amount: plain(commitment),
        ...proration.details,
      })),
      charged_amount: plain(posted),
    },
  }
}

type Committed = { commitment: Decimal; part: Part; proration: Proration }

function dueOf({ commitment, proration }: Committed): Decimal {
  return prorate(commitment, proration)
}

/** One entry per commitment of a plan version, with all days under it; under the rule `none` the first one holds. */
function committedOf(groups: readonly Part[][]): Committed[] {
  const due = groups.flatMap((group) => {
    const part = group.find(({ is_charged }) => is_charged)
    return part === undefined || part.plan.commitment === null ? [] : [{ commitment: part.plan.commitment, part }]
  })
  const same = Map.groupBy(due, ({ commitment, part: { segment, proration } }) =>
    JSON.stringify([segment.plan.code, segment.plan.version, proration.rule, plain(commitment)]),
  )
  return [...same.values()].flatMap((entries) => {
    const [first] = entries
    if (first === undefined) return []
    const active = entries.reduce((total, { part }) => total + Number(part.proration.details.days_active), 0)
    const in_period = Number(first.part.proration.details.days_in_period)
    return [{ ...first, proration: prorationOf(first.part.proration.rule, { active, in_period }) }]
  })
}
