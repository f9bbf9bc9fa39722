import { type WhatIf, whatIf } from '../contexts/margin/index.ts'
import { formatMinor } from '../kernel/money.ts'
import { readPeriodText } from '../platform/wire.ts'
import { heading, print, printJson, progress, table } from './output.ts'
import { withApp } from './with-app.ts'

export async function runWhatIf(options: {
  plan: string
  version: number
  from: string
  to: string
  json?: true
}): Promise<void> {
  const months = { from: readPeriodText(options.from, 'from'), to: readPeriodText(options.to, 'to') }
  const answer = await withApp(async ({ edge }) => {
    const bar = progress('Rating')
    try {
      return await whatIf(edge.db.read, {
        plan: { code: options.plan, version: options.version },
        ...months,
        now: edge.clock.now(),
        on_progress: ({ done, total }) => bar.update(done, total),
      })
    } finally {
      bar.done()
    }
  })
  if (options.json) printJson(answer)
  else printAnswer(answer)
  if (answer.left_out.length > 0) process.exitCode = 1
}

/** More would hide what matters; `--json` has them all. */
const SHOWN_MAX_TENANTS = 20

function printAnswer(answer: WhatIf): void {
  const { plan_code, plan_version, from, to, currency, tenants, totals, left_out, hints } = answer
  print(`${plan_code} version ${plan_version}, ${from} to ${to}, amounts in ${currency} without tax`)
  const winners = tenants.filter(({ outcome }) => outcome === 'winner')
  const losers = tenants.filter(({ outcome }) => outcome === 'loser').toReversed()
  printTenants(`${winners.length} would have paid less`, winners, currency)
  printTenants(`${losers.length} would have paid more`, losers, currency)
  const all = { ...totals, tenant_id: `${totals.tenants} tenants`, legal_name: '' }
  print(heading('All'))
  print(amountsTable([all], currency))
  if (left_out.length > 0) {
    print(heading('Left out'))
    print(
      table(
        [
          { title: 'tenant', value: (row) => row.tenant_id },
          { title: 'month', value: (row) => row.month },
          { title: 'code', value: (row) => row.code },
          { title: 'detail', value: (row) => row.detail },
        ],
        left_out,
      ),
    )
  }
  for (const hint of hints) print(`\n${hint}`)
}

type Row = Omit<WhatIf['tenants'][number], 'outcome'>

function printTenants(title: string, rows: readonly Row[], currency: string): void {
  if (rows.length === 0) return
  print(heading(title))
  print(amountsTable(rows.slice(0, SHOWN_MAX_TENANTS), currency))
  if (rows.length > SHOWN_MAX_TENANTS) print(`and ${rows.length - SHOWN_MAX_TENANTS} more: see --json`)
}

function amountsTable(rows: readonly Row[], currency: string): string {
  const amount = (title: string, cents: (row: Row) => bigint | null) => ({
    title,
    align: 'right' as const,
    value: (row: Row) => {
      const value = cents(row)
      return value === null ? 'unknown' : formatMinor(value, currency)
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
