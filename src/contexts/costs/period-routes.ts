import { type Static, Type } from 'typebox'
import { monthOf, type Period } from '../../kernel/period.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  Data,
  DateText,
  Example,
  found,
  InstantOut,
  List,
  ListQuery,
  NoBody,
  Nullable,
  OneOf,
  pageOf,
  PeriodOut,
  PeriodText,
  Query,
  readCursor,
  readPeriodText,
  Reason,
} from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import { closePeriod, reopenPeriod } from './closing.ts'
import { type BillingPeriodRow, findBillingPeriod, listBillingPeriods } from './period-queries.ts'
import { config, DecimalOut, tags } from './wire.ts'

export const periodRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/billing/periods',
      {
        config,
        schema: {
          tags,
          summary: 'Months with bills: what of them is whose cost, and whether they are closed; newest first',
          querystring: Query(ListQuery),
          response: { 200: List(BillingPeriodOut) },
        },
      },
      async ({ query: { limit, cursor } }) => {
        const rows = await listBillingPeriods(edge.db.read, { limit, after: readCursor(cursor, [DateText]) })
        const { data, next_cursor } = pageOf(rows, limit, (row) => [row.period_start.toString()])
        return { data: data.map(billingPeriodOut), next_cursor }
      },
    )

    app.post(
      '/billing/periods/:period/close',
      {
        config,
        schema: {
          tags,
          summary: 'Close a month that is over: whose cost its lines are no longer changes',
          params: PeriodParams,
          body: NoBody,
          response: { 200: Data(BillingPeriodOut) },
        },
      },
      async ({ params, caller }) => {
        const period = readPeriodText(params.period)
        const act = actOf(edge, { caller })
        await edge.db.transaction((tx) => closePeriod(tx, period, act))
        return { data: await readBillingPeriod(edge, period) }
      },
    )

    app.post(
      '/billing/periods/:period/reopen',
      {
        config,
        schema: {
          tags,
          summary: 'Open a closed month again, with a reason',
          params: PeriodParams,
          body: Example(Body({ reason: Reason }), { reason: 'a bill for April came late' }),
          response: { 200: Data(BillingPeriodOut) },
        },
      },
      async ({ params, body: { reason }, caller }) => {
        const period = readPeriodText(params.period)
        await edge.db.transaction((tx) => reopenPeriod(tx, { period, reason }, actOf(edge, { caller })))
        return { data: await readBillingPeriod(edge, period) }
      },
    )
  }

async function readBillingPeriod(edge: Edge, { start }: Period): Promise<Static<typeof BillingPeriodOut>> {
  return billingPeriodOut(found(await findBillingPeriod(edge.db.read, start), 'billing period'))
}

/** A closing that was ended still says by whom and why. */
function billingPeriodOut({ period_start, ...row }: BillingPeriodRow): Static<typeof BillingPeriodOut> {
  const isClosed = row.closed_at !== null && row.reopened_at === null
  return { ...row, period: monthOf(period_start), status: isClosed ? 'closed' : 'open' }
}

const PeriodParams = Type.Object({ period: PeriodText })

const BillingPeriodOut = Type.Object({
  period: PeriodOut,
  status: OneOf(['open', 'closed']),
  closed_at: Nullable(InstantOut),
  closed_by: Nullable(Type.String()),
  reopened_at: Nullable(InstantOut),
  reopened_by: Nullable(Type.String()),
  reopen_reason: Nullable(Type.String()),
  totals: Type.Array(
    Type.Object({
      currency: Type.String(),
      bills: Type.Integer(),
      amount: DecimalOut,
      matched_amount: DecimalOut,
      allocated_amount: DecimalOut,
      unmatched_amount: DecimalOut,
      tax_amount: DecimalOut,
      credit_amount: DecimalOut,
    }),
  ),
})
