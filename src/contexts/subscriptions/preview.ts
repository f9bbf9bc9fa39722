import { present } from '../../kernel/invariant.ts'
import { dateIn, isBefore, laterDate, monthOf, type Period } from '../../kernel/period.ts'
import { invalidInput } from '../../kernel/problem.ts'
import type { Reader } from '../../platform/db.ts'
import type { Quote, QuoteLine } from '../pricing/index.ts'

/**
 * What the tenant's invoices of `months` (calendar months, in order of time) come to as the database is now, the
 * transaction's own changes included: a quote for each month, in their order. With all that the tenant is invoiced, so
 * that the tax is rounded as on the invoice; usage counts as far as it is known.
 */
export type PreviewInvoices = (
  reader: Reader,
  of: { tenant_id: string; deployment_id: string; months: readonly Period[] },
) => Promise<readonly Quote[]>

/** What a change of a subscription has changed: nothing before `from`. */
export type Touched = {
  id: string
  tenant_id: string
  deployment_id: string
  timezone: string
  from: Temporal.PlainDate
}

/** What a month's lines of one kind, meter and description come to less or more; `amount_cents` is above 0. */
export type Difference = Pick<QuoteLine, 'kind' | 'meter' | 'description'> & { amount_cents: bigint }

/** `charged` less `credited` is `difference_cents`, which is the difference of the totals. */
export type MonthPreview = {
  period: Period
  before: Quote
  after: Quote
  credited: Difference[]
  charged: Difference[]
  difference_cents: bigint
}

const PREVIEW_MAX_MONTHS = 24

/** The months from that of the change to the running one, or to the first that it touches. Throws `request/invalid`. */
export function touchedMonths({ from, timezone }: Touched, now: Temporal.Instant): Period[] {
  const last = monthOf(laterDate(from, dateIn(now, timezone)))
  const months: Period[] = []
  for (let month = monthOf(from); !isBefore(last.start, month.start); month = monthOf(month.end)) {
    months.push(month)
    if (months.length > PREVIEW_MAX_MONTHS) {
      throw invalidInput(`The change reaches back to ${from}.`, [
        { path: 'preview', message: `shows at most ${PREVIEW_MAX_MONTHS} months` },
      ])
    }
  }
  return months
}

/** What the change makes of each month. */
export function compareMonths(
  months: readonly Period[],
  { before, after }: { before: readonly Quote[]; after: readonly Quote[] },
): { months: MonthPreview[]; difference_cents: bigint } {
  const promise = 'every month has a quote'
  const compared = months.map((period, index) =>
    compareQuotes(period, { before: present(before[index], promise), after: present(after[index], promise) }),
  )
  return { months: compared, difference_cents: compared.reduce((total, month) => total + month.difference_cents, 0n) }
}

function compareQuotes(period: Period, { before, after }: { before: Quote; after: Quote }): MonthPreview {
  const groups = Map.groupBy(
    [
      ...before.lines.map((line) => ({ line, amount_cents: -line.amount_cents })),
      ...after.lines.map((line) => ({ line, amount_cents: line.amount_cents })),
    ],
    ({ line }) => JSON.stringify([line.kind, line.meter, line.description, line.deployment_id]),
  )
  const differences = [...groups.values()].map((group): Difference => {
    const { kind, meter, description } = present(group[0], 'a group has a line').line
    return { kind, meter, description, amount_cents: group.reduce((total, one) => total + one.amount_cents, 0n) }
  })
  return {
    period,
    before,
    after,
    credited: differences
      .filter(({ amount_cents }) => amount_cents < 0n)
      .map((given) => ({ ...given, amount_cents: -given.amount_cents })),
    charged: differences.filter(({ amount_cents }) => amount_cents > 0n),
    difference_cents: after.total_cents - before.total_cents,
  }
}
