import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { CentsOut, Data, Nullable, OneOf, PeriodOut, PeriodText, Query, readPeriodText } from '../../platform/wire.ts'
import { marginOf } from './margin.ts'
import { readBooks } from './queries.ts'

export const marginRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/margin',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['margin'],
          summary: 'Revenue, cost and margin of a month; adds up to the invoices and to the bills',
          querystring: MarginQuery,
          response: { 200: Data(MarginOut) },
        },
      },
      async ({ query: { period: text, group_by } }) => {
        const period = readPeriodText(text)
        return { data: { period, ...marginOf(await readBooks(edge.db.read, period), group_by) } }
      },
    )
  }

const GroupBy = OneOf(['tenant', 'deployment', 'kind'], {
  default: 'deployment',
})
const MarginQuery = Query({ period: PeriodText, group_by: GroupBy })

const Text = Nullable(Type.String())
const MarginOut = Type.Object({
  period: PeriodOut,
  currency: Text,
  rows: Type.Array(
    Type.Object({
      tenant_id: Text,
      deployment_id: Text,
      deployment: Text,
      kind: Text,
      revenue_cents: Nullable(CentsOut),
      cost_cents: Nullable(CentsOut),
      margin_cents: Nullable(CentsOut),
      margin_percent: Text,
      coverage: Text,
    }),
  ),
  totals: Type.Object({
    revenue_cents: CentsOut,
    attributed_cost_cents: Nullable(CentsOut),
    unmatched_cost_cents: Nullable(CentsOut),
    tax_cents: Nullable(CentsOut),
    credit_cents: Nullable(CentsOut),
    bill_total_cents: Nullable(CentsOut),
    margin_cents: Nullable(CentsOut),
    coverage: Text,
  }),
  hints: Type.Array(Type.String()),
})
