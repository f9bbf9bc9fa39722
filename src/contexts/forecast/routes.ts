import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  CursorNumber,
  Data,
  Id,
  InstantOut,
  ListQuery,
  Nullable,
  OneOf,
  pageOf,
  PeriodOut,
  PeriodText,
  Query,
  readCursor,
  readPeriodText,
} from '../../platform/wire.ts'
import { RESOURCE_KINDS } from '../inventory/index.ts'
import { COMPARISON_STATUSES } from './comparison.ts'
import { forecastOf } from './forecast.ts'

export const forecastRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/billing/expected',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['forecast'],
          summary: 'What a month is expected to cost, beside its bill: per resource, the largest difference first',
          querystring: ExpectedQuery,
          response: { 200: ForecastOut },
        },
      },
      async ({ query: { period, status, whole, limit, cursor } }) => {
        const [skipped = '0'] = readCursor(cursor, [CursorNumber]) ?? []
        const { rows, ...totals } = await forecastOf(edge.db.read, readPeriodText(period), edge.clock.now())
        const wanted = rows
          .filter((row) => status === undefined || row.status === status)
          .map((row, index) => ({ ...row, unpriced: [...row.unpriced], position: index + 1 }))
          .slice(Number(skipped))
        const { data, next_cursor } = pageOf(wanted, whole ? wanted.length : limit, ({ position }) => [
          String(position),
        ])
        return { data: { ...totals, rows: data }, next_cursor }
      },
    )
  }

const ExpectedQuery = Query({
  ...ListQuery,
  period: PeriodText,
  status: Type.Optional(OneOf(COMPARISON_STATUSES)),
  // Each page compares the whole month again.
  whole: Type.Optional(Type.Boolean({ description: 'Every row in one answer, whatever the limit' })),
})

const DecimalOut = Type.String({ description: 'An exact decimal, in major units' })

const RowOut = Type.Object({
  kind: Type.String(),
  resource_id: Nullable(Id),
  name: Type.String(),
  status: OneOf(COMPARISON_STATUSES),
  so_far: Nullable(DecimalOut),
  month_end: Nullable(DecimalOut),
  billed: Nullable(DecimalOut),
  difference: Nullable(Type.String({ description: 'Billed less expected; null until the bill is issued' })),
  unpriced: Type.Array(Type.String({ description: 'Kind and size whose price is not known' })),
  position: Type.Integer(),
})

const ForecastOut = Type.Object({
  ...Data(
    Type.Object({
      period: PeriodOut,
      currency: Type.String(),
      as_of: InstantOut,
      so_far: Nullable(DecimalOut),
      month_end: Nullable(DecimalOut),
      unpriced: Type.Integer({ description: 'Resources without a known price: in no sum' }),
      not_listed: Type.Array(
        Type.Object({ kind: OneOf(RESOURCE_KINDS), listed_at: Nullable(InstantOut), scope: Nullable(Type.String()) }),
        {
          description:
            'Kinds whose last listing failed, or that never had one: what is rented of them is in no sum. Give the token the scope, then POST /billing/sync',
        },
      ),
      bill: Nullable(
        Type.Object({
          provider_invoice_ids: Type.Array(Id),
          status: OneOf(['preview', 'issued']),
          invoice_numbers: Type.Array(Type.String()),
          amount: DecimalOut,
          tax_amount: DecimalOut,
          credit_amount: DecimalOut,
          charges_amount: DecimalOut,
          read_at: InstantOut,
        }),
      ),
      balance: Nullable(Type.Object({ generated_at: InstantOut, month_to_date_usage: DecimalOut })),
      difference: Nullable(DecimalOut),
      rows: Type.Array(RowOut),
    }),
  ).properties,
  next_cursor: Nullable(Type.String()),
})
