import { type Static, Type } from 'typebox'
import { decimal } from '../../kernel/decimal.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  CursorText,
  Data,
  Id,
  InstantOut,
  InstantText,
  List,
  ListQuery,
  NoBody,
  Nullable,
  OneOf,
  pageOf,
  PeriodText,
  Query,
  readCursor,
  readPeriodText,
} from '../../platform/wire.ts'
import { inventoryJobs, requireProvider } from '../inventory/index.ts'
import { type BalanceRow, latestBalance, listBalances, listBillingEntries } from './account-queries.ts'
import { type CostsDeps, readBillingHistoryJob, readPreviewJob, takeBalanceJob } from './jobs.ts'
import { matchLines } from './match-lines.ts'
import { noBalance } from './problems.ts'
import { config, DecimalOut, tags, Text } from './wire.ts'

export const accountRoutes =
  (edge: Edge, deps: CostsDeps) =>
  (app: App): void => {
    app.get(
      '/billing/balance',
      { config, schema: { tags, summary: 'The latest balance snapshot', response: { 200: Data(BalanceOut) } } },
      async () => {
        const balance = await latestBalance(edge.db.read)
        if (balance === undefined) {
          throw noBalance('Set DIGITALOCEAN_TOKEN, then POST /billing/sync or wait for the hourly run.')
        }
        return { data: balanceOut(balance) }
      },
    )

    app.get(
      '/billing/balances',
      {
        config,
        schema: {
          tags,
          summary: 'Balance snapshots, newest first, each beside what the billing history adds up to',
          querystring: Query(ListQuery),
          response: { 200: List(BalanceOut) },
        },
      },
      async ({ query: { limit, cursor } }) => {
        const rows = await listBalances(edge.db.read, { limit, after: readCursor(cursor, [InstantText, CursorText]) })
        const { data, next_cursor } = pageOf(rows, limit, (row) => [row.generated_at.toString(), row.provider])
        return { data: data.map(balanceOut), next_cursor }
      },
    )

    app.get(
      '/billing/history',
      {
        config,
        schema: {
          tags,
          summary: "Entries of the provider's billing history, newest first; none is ever dropped",
          querystring: BillingHistoryQuery,
          response: { 200: List(BillingEntryOut) },
        },
      },
      async ({ query: { limit, cursor, period, ...filter } }) => {
        const inPeriod = period === undefined ? {} : { period: readPeriodText(period) }
        const page = { limit, after: readCursor(cursor, [InstantText, Id]) }
        const rows = await listBillingEntries(edge.db.read, { ...filter, ...inPeriod }, page)
        return pageOf(rows, limit, (row) => [row.occurred_at.toString(), row.id])
      },
    )

    app.post(
      '/billing/sync',
      {
        config,
        schema: {
          tags,
          summary: 'Fetch inventory, balance, invoices and the preview from the provider now',
          body: NoBody,
          response: { 202: Data(Type.Object({ enqueued: Type.Array(Type.String()) })) },
        },
      },
      async (_request, reply) => {
        const provider = requireProvider(deps.provider)
        const jobs = [
          ...inventoryJobs(edge, { provider, onInventoryChanged: matchLines }),
          takeBalanceJob(edge, deps),
          readBillingHistoryJob(edge, deps),
          readPreviewJob(edge, deps),
        ]
        await edge.db.transaction(async (tx) => {
          for (const job of jobs) await edge.later(tx, job, {})
        })
        void reply.code(202)
        return { data: { enqueued: jobs.map(({ name }) => name) } }
      },
    )
  }

function balanceOut(balance: BalanceRow): Static<typeof BalanceOut> {
  const { account_balance, entries_amount } = balance
  const isExplained = entries_amount !== null && decimal(entries_amount).eq(decimal(account_balance))
  return {
    ...balance,
    balance_check: entries_amount === null ? 'not_available' : isExplained ? 'agrees' : 'differs',
  }
}

const BalanceOut = Type.Object({
  provider: Type.String(),
  generated_at: InstantOut,
  month_to_date_balance: DecimalOut,
  account_balance: DecimalOut,
  month_to_date_usage: DecimalOut,
  currency: Type.String(),
  taken_at: InstantOut,
  entries_amount: Nullable(Type.String({ description: 'What the billing history adds up to, up to generated_at' })),
  balance_check: OneOf(['agrees', 'differs', 'not_available']),
})

const BillingHistoryQuery = Query({ ...ListQuery, period: Type.Optional(PeriodText), type: Type.Optional(Text) })

const BillingEntryOut = Type.Object({
  id: Id,
  provider: Type.String(),
  occurred_at: InstantOut,
  type: Type.String({ description: "The provider's word: Invoice, Payment, Credit, …" }),
  amount: DecimalOut,
  currency: Type.String(),
  description: Type.String(),
  invoice_number: Nullable(Type.String()),
  invoice_uuid: Nullable(Type.String()),
  first_seen_at: InstantOut,
  missing_since: Nullable(InstantOut),
})
