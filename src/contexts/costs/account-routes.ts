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
import { syncNow } from './sync-now.ts'
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
          description: 'As jobs (202), or with `wait` while the caller waits for what came of it (200).',
          querystring: Query({ wait: Type.Boolean({ default: false }) }),
          body: NoBody,
          response: { 200: Data(SyncOut), 202: Data(Type.Object({ enqueued: Type.Array(Type.String()) })) },
        },
      },
      async (request, reply) => {
        const provider = requireProvider(deps.provider)
        if (request.query.wait) {
          const { onBillIssued } = deps
          const summary = await syncNow({ edge, provider, onBillIssued }, ({ step, done, total }) => {
            if (step === 'invoices') request.progress(done, total)
          })
          return reply.send({ data: summary })
        }
        const jobs = [
          ...inventoryJobs(edge, { provider, onInventoryChanged: matchLines }),
          takeBalanceJob(edge, deps),
          readBillingHistoryJob(edge, deps),
          readPreviewJob(edge, deps),
        ]
        await edge.db.transaction(async (tx) => {
          for (const job of jobs) await edge.later(tx, job, {})
        })
        return reply.code(202).send({ data: { enqueued: jobs.map(({ name }) => name) } })
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

const SyncOut = Type.Object({
  resources: Type.Integer(),
  not_listed: Type.Array(Type.Object({ kind: Type.String(), reason: Type.String() }), {
    description: 'Kinds that the token may not list: their resources stay as they were',
  }),
  unread: Type.Array(
    Type.Object({ kind: Type.String(), external_id: Nullable(Type.String()), reason: Type.String() }),
    { description: 'Objects that could not be read: theirs is not taken for gone' },
  ),
  invoices_new: Type.Integer(),
  invoices_unchanged: Type.Integer(),
  lines: Type.Integer({ description: 'Stored now' }),
  preview_lines: Nullable(Type.Integer({ description: "Of the running month's bill; null while there is none" })),
  history_new: Type.Integer({ description: 'Entries of the billing history that were not known' }),
  failed: Type.Array(Type.Object({ external_id: Type.String(), detail: Type.String() }), {
    description: 'Bills that could not be read; they spoil no other',
  }),
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
