import { formatMinor } from '../kernel/money.ts'
import { readPeriodText } from '../platform/wire.ts'
import { monthLabel } from '../kernel/period.ts'
import { watched, withApi } from './connect.ts'
import { heading, print, printJson, table, wrapText } from './output.ts'

type Amounts = Record<'revenue_now_cents' | 'revenue_then_cents' | 'difference_cents', Cents> &
  Record<'cost_cents' | 'margin_now_cents' | 'margin_then_cents', Cents | null> & { coverage: string | null }
type Cents = bigint | number

/** As `POST /what-if` answers. */
export type WhatIf = {
  plan_code: string
  plan_version: number | null
  from: string
  to: string
  currency: string
  tenants: (Amounts & { tenant_id: string; legal_name: string; outcome: 'winner' | 'loser' | 'same' })[]
  totals: Amounts & { tenants: number; winners: number; losers: number }
  left_out: { tenant_id: string; month: string; code: string; detail: string }[]
  hints: string[]
}

export async function runWhatIf(options: {
  plan: string
  version: number
  from: string
  to: string
  json?: true
}): Promise<void> {
  const months = {
    from: monthLabel(readPeriodText(options.from, 'from')),
    to: monthLabel(readPeriodText(options.to, 'to')),
  }
  const body = { plan: { code: options.plan, version: options.version }, ...months }
  const answer = await withApi((api) =>
    watched(api, 'Rating', (headers) => api.post<WhatIf>('/what-if', body, headers)),
  )
  if (options.json) printJson(answer)
  else print(textOf(answer))
  if (answer.left_out.length > 0) process.exitCode = 1
}

/** More would hide what matters; `--json` has them all. */
const SHOWN_MAX_TENANTS = 20

/** The answer for people: every tenant, by what would become of it, each group up to a limit. */
export function textOf(answer: WhatIf): string {
  const { plan_code, plan_version, from, to, currency, tenants, totals, left_out, hints } = answer
  const { winner = [], loser = [], same = [] } = Object.groupBy(tenants, ({ outcome }) => outcome)
  const all = { ...totals, tenant_id: `${totals.tenants} tenants`, legal_name: '' }
  return [
    `${plan_code} version ${plan_version}, ${from} to ${to}, amounts in ${currency} without tax`,
    ...tenantsText(`${winner.length} would have paid less`, winner, currency),
    ...tenantsText(`${loser.length} would have paid more`, loser.toReversed(), currency),
    ...tenantsText(`${same.length} would have paid the same`, same, currency),
    heading('All'),
    amountsTable([all], currency),
    ...leftOutText(left_out),
    ...hints.map((hint) => `\n${wrapText(hint)}`),
  ].join('\n')
}

type Row = Omit<WhatIf['tenants'][number], 'outcome'>

function tenantsText(title: string, rows: readonly Row[], currency: string): string[] {
  if (rows.length === 0) return []
  const hidden = rows.length - SHOWN_MAX_TENANTS
  return [
    heading(title),
    amountsTable(rows.slice(0, SHOWN_MAX_TENANTS), currency),
    ...(hidden > 0 ? [`and ${hidden} more: see --json`] : []),
  ]
}

function leftOutText(left_out: WhatIf['left_out']): string[] {
  if (left_out.length === 0) return []
  const columns = [
    { title: 'tenant', value: (row: LeftOut) => row.tenant_id },
    { title: 'month', value: (row: LeftOut) => row.month },
    { title: 'code', value: (row: LeftOut) => row.code },
    { title: 'detail', value: (row: LeftOut) => row.detail },
  ]
  return [heading('Left out'), table(columns, left_out)]
}

type LeftOut = WhatIf['left_out'][number]

function amountsTable(rows: readonly Row[], currency: string): string {
  const amount = (title: string, cents: (row: Row) => Cents | null) => ({
    title,
    align: 'right' as const,
    value: (row: Row) => {
      const value = cents(row)
      return value === null ? 'unknown' : formatMinor(BigInt(value), currency)
    },
  })
  return table(
    [
      { title: 'tenant', value: (row) => row.tenant_id },
      { title: 'name', value: (row) => row.legal_name },
      amount('revenue now', (row) => row.revenue_now_cents),
      amount('then', (row) => row.revenue_then_cents),
      amount('difference', (row) => row.difference_cents),
      amount('cost', (row) => row.cost_cents),
      amount('margin now', (row) => row.margin_now_cents),
      amount('then', (row) => row.margin_then_cents),
    ],
    rows,
  )
}
