import { type Static, Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { PlanVersionBody } from '../catalog/index.ts'
import {
  Body,
  CentsOut,
  CurrencyCode,
  Data,
  DateOut,
  Example,
  Nullable,
  OneOf,
  PeriodOut,
  PeriodText,
  Query,
  readPeriodText,
  requireCurrency,
  TextOf,
} from '../../platform/wire.ts'
import { marginOf } from './margin.ts'
import { readBooks } from './queries.ts'
import { whatIf } from './what-if.ts'

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
          description:
            'In the currency that is named, else in that of the invoices, else of the bills. What is in another is converted by the latest rate of POST /billing/exchange-rates up to the last day of the month.',
          querystring: MarginQuery,
          response: { 200: Data(MarginOut) },
        },
      },
      async ({ query: { period: text, group_by, currency: wanted } }) => {
        const period = readPeriodText(text)
        const currency = wanted === undefined ? null : requireCurrency(wanted, 'currency')
        const books = await readBooks(edge.db.read, { period, currency })
        return { data: { period, ...marginOf(books, { group_by, currency }) } }
      },
    )

    app.post(
      '/what-if',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['margin'],
          summary: 'Rates history under other prices: revenue and margin by tenant, now and then; stores nothing',
          body: Example(WhatIfBody, ...WHAT_IFS),
          response: { 200: Data(WhatIfOut) },
        },
      },
      async (request) => {
        const { plan, from, to } = request.body
        const months = { from: readPeriodText(from, 'from'), to: readPeriodText(to, 'to') }
        const on_progress = ({ done, total }: { done: number; total: number }) => request.progress(done, total)
        return { data: await whatIf(edge.db.read, { plan, ...months, now: edge.clock.now(), on_progress }) }
      },
    )
  }

const GroupBy = OneOf(['tenant', 'deployment', 'kind'], {
  default: 'deployment',
  examples: ['tenant'],
})
const MarginQuery = Query({ period: PeriodText, group_by: GroupBy, currency: Type.Optional(CurrencyCode) })

const Text = Nullable(Type.String())
const DraftCents = Type.Unsafe<bigint>({
  ...CentsOut,
  description: 'What of the revenue is on invoices that are drafts',
})
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
      draft_revenue_cents: Nullable(DraftCents),
      cost_cents: Nullable(CentsOut),
      margin_cents: Nullable(CentsOut),
      margin_percent: Text,
      coverage: Text,
    }),
  ),
  totals: Type.Object({
    revenue_cents: CentsOut,
    draft_revenue_cents: DraftCents,
    attributed_cost_cents: Nullable(CentsOut),
    unmatched_cost_cents: Nullable(CentsOut),
    tax_cents: Nullable(CentsOut),
    credit_cents: Nullable(CentsOut),
    bill_total_cents: Nullable(CentsOut),
    margin_cents: Nullable(CentsOut),
    coverage: Text,
  }),
  conversions: Type.Array(
    Type.Object({
      of: OneOf(['revenue', 'cost']),
      from: Type.String(),
      to: Type.String(),
      date: DateOut,
      rate: Type.String({ description: 'What one unit of `from` was worth in `to`' }),
      inverse_of: Nullable(Type.String({ description: 'The rate as recorded, where it is one from `to` to `from`' })),
      source: Type.String(),
      amount_from: Type.String({ description: 'An exact decimal, in major units' }),
      amount_to: Type.String({ description: 'An exact decimal, in major units: the totals are rounded from it' }),
    }),
  ),
  hints: Type.Array(Type.String()),
})

const Code = TextOf({ minLength: 1, maxLength: 63 })
const WhatIfBody = Body({
  plan: Type.Union([
    Body({ code: Code, version: Type.Integer({ minimum: 1 }) }),
    Body({ code: Code, terms: PlanVersionBody }),
  ]),
  from: PeriodText,
  to: Type.String({ ...PeriodText, description: 'The last month, inclusive' }),
})
const WHAT_IFS: [Static<typeof WhatIfBody>, Static<typeof WhatIfBody>] = [
  { plan: { code: 'starter', version: 1 }, from: '2026-04', to: '2026-04' },
  { plan: { code: 'studio', terms: { currency: 'USD', base_price_cents: 5500 } }, from: '2026-04', to: '2026-04' },
]
const comparisonFields = {
  revenue_now_cents: CentsOut,
  revenue_then_cents: CentsOut,
  difference_cents: CentsOut,
  cost_cents: Nullable(CentsOut),
  margin_now_cents: Nullable(CentsOut),
  margin_then_cents: Nullable(CentsOut),
  coverage: Text,
}
const WhatIfOut = Type.Object({
  plan_code: Type.String(),
  plan_version: Nullable(Type.Integer()),
  from: Type.String(),
  to: Type.String(),
  currency: Type.String(),
  tenants: Type.Array(
    Type.Object({
      tenant_id: Type.String(),
      legal_name: Type.String(),
      ...comparisonFields,
      outcome: OneOf(['winner', 'loser', 'same']),
    }),
  ),
  totals: Type.Object({
    ...comparisonFields,
    tenants: Type.Integer(),
    winners: Type.Integer(),
    losers: Type.Integer(),
  }),
  left_out: Type.Array(
    Type.Object({ tenant_id: Type.String(), month: Type.String(), code: Type.String(), detail: Type.String() }),
  ),
  hints: Type.Array(Type.String()),
})
