import { type Static, Type } from 'typebox'
import { decimal, POSITIVE_DECIMAL_PATTERN } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { monthOf, type Period } from '../../kernel/period.ts'
import { problem } from '../../kernel/problem.ts'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App, Request } from '../../platform/http.ts'
import { spoolFiles } from '../../platform/spool.ts'
import {
  AnyObject,
  Body,
  callerOf,
  CurrencyCode,
  CursorNumber,
  CursorText,
  Data,
  DateOut,
  DateText,
  found,
  Id,
  IdParams,
  InstantOut,
  InstantText,
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
  requireCurrency,
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import { CHARGE_CATEGORIES, SERVICE_CATEGORIES } from '../../providers/bill-line.ts'
import { inventoryJobs, requireProvider } from '../inventory/index.ts'
import { type Basis, BASES } from './allocation.ts'
import { closePeriod, reopenPeriod } from './closing.ts'
import { addAllocationRule, assignLine, deleteAllocationRule } from './commands.ts'
import { DIFFERENCE_MAX_LINES, type DifferingSide } from './difference.ts'
import { recordExchangeRate } from './exchange-rates.ts'
import { importBills } from './import-bills.ts'
import { type Check, controlTotals } from './control-totals.ts'
import { type CostsDeps, readBillingHistoryJob, readPreviewJob, takeBalanceJob } from './jobs.ts'
import { matchLines } from './match-lines.ts'
import { previewMatches } from './preview.ts'
import { noBalance } from './problems.ts'
import {
  type BalanceRow,
  type BillingPeriodRow,
  type CostLineRow,
  type ExchangeRateRow,
  findAllocationRule,
  findBillingPeriod,
  findCostLine,
  type DifferenceRow,
  findDifference,
  findProviderInvoices,
  latestBalance,
  listAllocationRules,
  listBalances,
  listBillingEntries,
  listBillingPeriods,
  listCostLines,
  listExchangeRates,
  listProducts,
  listProviderInvoices,
  loadProductTotals,
  PRODUCT_KEY,
  type ProductRow,
  type ProviderInvoiceRow,
} from './queries.ts'
import { PROVIDER } from './sync.ts'

const IMPORT_FILE_MAX_BYTES = 1024 * 1024 * 1024
const IMPORT_MAX_FILES = 50
const RULE_MAX_SHARES = 500

const tags = ['costs']
const config = { access: ['platform_admin'] as const }

export const costsRoutes =
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

    app.get(
      '/billing/cost-lines',
      {
        config,
        schema: {
          tags,
          summary: 'Lines of provider bills, matched to deployments',
          querystring: CostLinesQuery,
          response: { 200: List(CostLineOut) },
        },
      },
      async ({ query: { limit, cursor, period, ...filter } }) => {
        const inPeriod = period === undefined ? {} : { period: readPeriodText(period) }
        const page = { limit, after: readCursor(cursor, [Id, CursorNumber]) }
        const rows = await listCostLines(edge.db.read, { ...filter, ...inPeriod }, page)
        const { data, next_cursor } = pageOf(rows, limit, (row) => [row.provider_invoice_id, String(row.position)])
        return { data: data.map(costLineOut), next_cursor }
      },
    )

    app.post(
      '/billing/cost-lines/:id/assignment',
      {
        config,
        schema: {
          tags,
          summary: 'Assign a line by hand; null lets it be matched again',
          params: IdParams,
          querystring: PreviewQuery,
          body: AssignmentBody,
          response: { 200: Data(Type.Union([CostLineOut, MatchChangesOut])) },
        },
      },
      async ({ params: { id }, query: { preview }, body: { deployment_id, remember }, caller }) => {
        const assignment = { line_id: id, deployment_id, remember: remember ?? false }
        const assign = (tx: Tx) => assignLine(tx, assignment, actOf(edge, { caller }))
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, assign)) }
        await edge.db.transaction(assign)
        return { data: costLineOut(found(await findCostLine(edge.db.read, id), 'cost line')) }
      },
    )

    app.get(
      '/billing/provider-invoices',
      {
        config,
        schema: {
          tags,
          summary: 'Provider invoices with their control totals, newest first',
          querystring: ProviderInvoicesQuery,
          response: { 200: List(ProviderInvoiceOut) },
        },
      },
      async ({ query: { limit, cursor, period, ...filter } }) => {
        const inPeriod = period === undefined ? {} : { period: readPeriodText(period) }
        const page = { limit, after: readCursor(cursor, [DateText, Id]) }
        const rows = await listProviderInvoices(edge.db.read, { ...filter, ...inPeriod }, page)
        const { data, next_cursor } = pageOf(rows, limit, (row) => [row.period_start.toString(), row.id])
        return { data: await withControlTotals(edge, data), next_cursor }
      },
    )

    app.get(
      '/billing/provider-invoices/:id',
      {
        config,
        schema: {
          tags,
          summary: 'One provider invoice with its control totals',
          params: IdParams,
          response: { 200: Data(ProviderInvoiceOut) },
        },
      },
      async ({ params: { id } }) => ({ data: await readProviderInvoice(edge, id) }),
    )

    app.get(
      '/billing/provider-invoices/:id/difference',
      {
        config,
        schema: {
          tags,
          summary: 'How what was received later differs from an issued invoice',
          params: IdParams,
          response: { 200: Data(DifferenceOut) },
        },
      },
      async ({ params: { id } }) => ({
        data: differenceOut(found(await findDifference(edge.db.read, id), 'difference')),
      }),
    )

    app.get(
      '/billing/products',
      {
        config,
        schema: {
          tags,
          summary: 'Products seen on bills and what they are classified as, the unclassified first',
          querystring: ProductsQuery,
          response: { 200: List(ProductOut) },
        },
      },
      async ({ query: { limit, cursor, period, ...filter } }) => {
        const inPeriod = period === undefined ? {} : { period: readPeriodText(period) }
        const page = { limit, after: readCursor(cursor, PRODUCT_CURSOR) }
        const rows = await listProducts(edge.db.read, { ...filter, ...inPeriod }, page)
        const { data, next_cursor } = pageOf(rows, limit, (row) => [
          String(row.classified),
          ...PRODUCT_KEY.map((column) => row[column]),
        ])
        return { data: data.map(productOut), next_cursor }
      },
    )

    app.get(
      '/billing/allocation-rules',
      {
        config,
        schema: {
          tags,
          summary: 'How shared cost is split, oldest rule first',
          querystring: Query(ListQuery),
          response: { 200: List(AllocationRuleOut) },
        },
      },
      async ({ query: { limit, cursor } }) => {
        const rows = await listAllocationRules(edge.db.read, { limit, after: readCursor(cursor, [InstantText, Id]) })
        return pageOf(rows, limit, (row) => [row.created_at.toString(), row.id])
      },
    )

    app.post(
      '/billing/allocation-rules',
      {
        config,
        schema: {
          tags,
          summary: 'Share the cost of lines that belong to no single deployment',
          querystring: PreviewQuery,
          body: AllocationRuleBody,
          response: { 200: Data(MatchChangesOut), 201: Data(AllocationRuleOut) },
        },
      },
      async ({ query: { preview }, body, caller }, reply) => {
        const rule = { ...ANY_RULE, ...body }
        const act = { ...actOf(edge, { caller }), ids: edge.ids }
        const add = (tx: Tx) => addAllocationRule(tx, rule, act)
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, add)) }
        const id = await edge.db.transaction(add)
        void reply.code(201)
        return { data: found(await findAllocationRule(edge.db.read, id), 'allocation rule') }
      },
    )

    app.delete(
      '/billing/allocation-rules/:id',
      {
        config,
        schema: {
          tags,
          summary: 'Remove a rule; its lines are matched again',
          params: IdParams,
          querystring: PreviewQuery,
          response: { 200: Data(MatchChangesOut), 204: Type.Null() },
        },
      },
      async ({ params: { id }, query: { preview } }, reply) => {
        const remove = (tx: Tx) => deleteAllocationRule(tx, id)
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, remove)) }
        await edge.db.transaction(remove)
        return reply.code(204).send(null)
      },
    )

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
        const act = { ...actOf(edge, { caller }), ids: edge.ids }
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
          body: Body({ reason: Text }),
          response: { 200: Data(BillingPeriodOut) },
        },
      },
      async ({ params, body: { reason }, caller }) => {
        const period = readPeriodText(params.period)
        await edge.db.transaction((tx) => reopenPeriod(tx, { period, reason }, actOf(edge, { caller })))
        return { data: await readBillingPeriod(edge, period) }
      },
    )

    app.get(
      '/billing/exchange-rates',
      {
        config,
        schema: {
          tags,
          summary: 'Dated exchange rates, newest first',
          querystring: ExchangeRatesQuery,
          response: { 200: List(ExchangeRateOut) },
        },
      },
      async ({ query: { limit, cursor, ...filter } }) => {
        const page = { limit, after: readCursor(cursor, [DateText, CursorText, CursorText]) }
        const rows = await listExchangeRates(edge.db.read, filter, page)
        const { data, next_cursor } = pageOf(rows, limit, ({ date, from_currency, to_currency }) => [
          date.toString(),
          from_currency,
          to_currency,
        ])
        return { data: data.map(exchangeRateOut), next_cursor }
      },
    )

    app.post(
      '/billing/exchange-rates',
      {
        config,
        schema: {
          tags,
          summary: 'Record what a currency was worth in another on a day; it stays as it is',
          description: 'Margin converts by the latest rate of a pair up to the end of the month, either way round.',
          body: ExchangeRateBody,
          response: { 200: Data(ExchangeRateOut), 201: Data(ExchangeRateOut) },
        },
      },
      async ({ body: { from, to, date, rate, source }, caller }, reply) => {
        const given = {
          from_currency: requireCurrency(from, 'from'),
          to_currency: requireCurrency(to, 'to'),
          date: Temporal.PlainDate.from(date),
          rate,
          source,
        }
        const { is_new, stored } = await edge.db.transaction((tx) =>
          recordExchangeRate(tx, given, actOf(edge, { caller })),
        )
        void reply.code(is_new ? 201 : 200)
        return { data: exchangeRateOut(stored) }
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

    void app.register(async (scope) => importRoute(edge, deps, scope as App))
  }

/** In a scope of its own, because only here a body may be a file. */
function importRoute(edge: Edge, deps: CostsDeps, app: App): void {
  const limits = { file_max_bytes: IMPORT_FILE_MAX_BYTES, files_max: IMPORT_MAX_FILES }
  const filesOf = spoolFiles(app, ['text/csv', 'application/gzip'], limits)
  app.post(
    '/billing/provider-invoices/import',
    {
      config,
      schema: {
        tags,
        summary: 'Store bills from CSV files, of the provider or in FOCUS: all of them, or nothing',
        description: 'The answer is the first bill; `bills` are all of them. 201 when one of them is new.',
        consumes: Object.keys(BILL_BODY.content),
        querystring: ImportQuery,
        body: BILL_BODY,
        response: { 200: ImportOut, 201: ImportOut },
      },
    },
    async (request, reply) => {
      const { filename, ...stated } = request.query
      const sent = await filesOf(request)
      const [first, ...others] = sent
      if (first === undefined) {
        throw noFile('Send the CSV as the body (text/csv, application/gzip), or as files (multipart/form-data).')
      }
      const files = [{ ...first, name: filename ?? first.name }, ...others]
      const imported = await edge.db.transaction((tx) =>
        importBills(
          tx,
          { ...stated, files },
          { now: edge.clock.now(), ids: edge.ids, onBillIssued: (bill) => deps.onBillIssued(tx, bill) },
        ),
      )
      void reply.code(imported.some(({ outcome }) => outcome === 'created') ? 201 : 200)
      const ids = imported.map(({ provider_invoice_id }) => provider_invoice_id)
      const bills = await readProviderInvoices(edge, ids)
      return { data: present(bills[0], 'an upload has a bill'), bills }
    },
  )
}

/** For readers of the documentation: a file is checked row by row, not by a schema. */
const BILL_BODY = {
  content: {
    'text/csv': { schema: { description: 'The file, in UTF-8' } },
    'application/gzip': { schema: { description: 'The file, packed' } },
    'multipart/form-data': {
      schema: { description: 'Files that are the parts of one input; their names may carry period and number' },
    },
  },
}

const noFile = problem({ code: 'costs/no-file', status: 422, title: 'The request carries no file' })

function actOf(edge: Edge, request: Pick<Request, 'caller'>): { now: Temporal.Instant; actor: string } {
  return { now: edge.clock.now(), actor: callerOf(request).sub }
}

async function readBillingPeriod(edge: Edge, { start }: Period): Promise<Static<typeof BillingPeriodOut>> {
  return billingPeriodOut(found(await findBillingPeriod(edge.db.read, start), 'billing period'))
}

/** A closing that was ended still says by whom and why. */
function billingPeriodOut({ period_start, ...row }: BillingPeriodRow): Static<typeof BillingPeriodOut> {
  const isClosed = row.closed_at !== null && row.reopened_at === null
  return { ...row, period: monthOf(period_start), status: isClosed ? 'closed' : 'open' }
}

async function readProviderInvoice(edge: Edge, id: string): Promise<Static<typeof ProviderInvoiceOut>> {
  const [invoice] = await readProviderInvoices(edge, [id])
  return found(invoice, 'provider invoice')
}

/** In the order of the ids. */
async function readProviderInvoices(edge: Edge, ids: readonly string[]): Promise<Static<typeof ProviderInvoiceOut>[]> {
  const rows = await findProviderInvoices(edge.db.read, ids)
  return withControlTotals(
    edge,
    rows.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id)),
  )
}

async function withControlTotals(
  edge: Edge,
  invoices: readonly ProviderInvoiceRow[],
): Promise<Static<typeof ProviderInvoiceOut>[]> {
  const totals = await loadProductTotals(
    edge.db.read,
    invoices.map(({ id }) => id),
  )
  return invoices.map((invoice) => {
    const { amount, summary, lines_amount } = invoice
    const isRead = lines_amount !== null
    return providerInvoiceOut(
      invoice,
      controlTotals({ amount, summary, totals: isRead ? (totals.get(invoice.id) ?? []) : null }),
    )
  })
}

function costLineOut({ charge_start, charge_end, ...line }: CostLineRow): Static<typeof CostLineOut> {
  return { ...line, charge_period: { start: charge_start, end: charge_end } }
}

function productOut({
  first_period_start,
  first_period_end,
  last_period_start,
  last_period_end,
  ...product
}: ProductRow): Static<typeof ProductOut> {
  return {
    ...product,
    first_period: { start: first_period_start, end: first_period_end },
    last_period: { start: last_period_start, end: last_period_end },
  }
}

function providerInvoiceOut(
  { period_start, period_end, ...invoice }: ProviderInvoiceRow,
  checks: readonly Check[],
): Static<typeof ProviderInvoiceOut> {
  const isAgreed = checks.every(({ ok }) => ok !== false)
  return {
    ...invoice,
    period: { start: period_start, end: period_end },
    balanced: invoice.gap === null ? null : invoice.gap === '0',
    summary_check: invoice.summary === null ? 'not_available' : isAgreed ? 'agrees' : 'differs',
    checks: [...checks],
  }
}

function differenceOut({ difference, differing_lines, id, ...stored }: DifferenceRow): Static<typeof DifferenceOut> {
  const {
    seen_at,
    read_from = null,
    amount = null,
    lines_amount = amount,
    tax_amount = null,
    line_count = null,
  } = difference
  return {
    provider_invoice_id: id,
    seen_at,
    read_from,
    stored: { ...stored, ...differingOut(differing_lines?.stored) },
    received: { lines_amount, tax_amount, line_count, ...differingOut(differing_lines?.received) },
  }
}

function differingOut(side: DifferingSide | undefined) {
  const lines = (side?.lines ?? []).map(({ charge_start, charge_end, ...line }) => ({
    ...line,
    charge_period: { start: charge_start, end: charge_end },
  }))
  return { differing_count: side?.count ?? null, lines }
}

function exchangeRateOut({ from_currency, to_currency, ...rate }: ExchangeRateRow): Static<typeof ExchangeRateOut> {
  return { ...rate, from: from_currency, to: to_currency }
}

function balanceOut(balance: BalanceRow): Static<typeof BalanceOut> {
  const { account_balance, entries_amount } = balance
  const isExplained = entries_amount !== null && decimal(entries_amount).eq(decimal(account_balance))
  return {
    ...balance,
    balance_check: entries_amount === null ? 'not_available' : isExplained ? 'agrees' : 'differs',
  }
}

const Text = Type.String({ minLength: 1, maxLength: 500 })
const DecimalOut = Type.String({ description: 'An exact decimal, in major units where it is money' })
const MatchStatus = OneOf(['matched', 'allocated', 'unmatched', 'not_applicable'])
const InvoiceStatus = OneOf(['announced', 'preview', 'issued'])
const Provider = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$', description: 'A lower-case word' })

const CostLinesQuery = Query({
  ...ListQuery,
  period: Type.Optional(PeriodText),
  kind: Type.Optional(Text),
  match_status: Type.Optional(MatchStatus),
  deployment_id: Type.Optional(Id),
  provider_invoice_id: Type.Optional(Id),
})

const ProviderInvoicesQuery = Query({
  ...ListQuery,
  period: Type.Optional(PeriodText),
  status: Type.Optional(InvoiceStatus),
})

const ProductsQuery = Query({
  ...ListQuery,
  period: Type.Optional(PeriodText),
  classified: Type.Optional(Type.Boolean()),
})

const PRODUCT_CURSOR = [CursorText, ...PRODUCT_KEY.map(() => CursorText)]

const ImportQuery = Query({
  provider: Type.Optional(Provider),
  period: Type.Optional(PeriodText),
  invoice_number: Type.Optional(Text),
  filename: Type.Optional(Text),
})

const AssignmentBody = Body({ deployment_id: Nullable(Id), remember: Type.Optional(Type.Boolean()) })

const ANY_RULE = {
  provider: PROVIDER,
  product: null,
  project: null,
  description: null,
  basis: 'fixed' as const,
  meter: null,
  shares: [],
  deployment_ids: [],
}

const PreviewQuery = Query({
  preview: Type.Optional(Type.Boolean({ description: 'Store nothing, and answer what would change' })),
})

const PeriodParams = Type.Object({ period: PeriodText })

const AllocationRuleBody = Type.Unsafe<{
  provider?: string
  product?: string
  project?: string
  description?: string
  basis?: Basis
  meter?: string
  shares?: { deployment_id: string; weight: string }[]
  deployment_ids?: string[]
}>({
  ...Body({
    provider: Type.Optional(Provider),
    product: Type.Optional(Text),
    project: Type.Optional(Text),
    description: Type.Optional(
      Type.String({ minLength: 1, maxLength: 500, description: 'Exact, but for `*`, which stands for any text' }),
    ),
    basis: Type.Optional(OneOf(BASES, { default: 'fixed' })),
    meter: Type.Optional(Text),
    shares: Type.Optional(
      Type.Array(Body({ deployment_id: Id, weight: UnsignedDecimalText }), { minItems: 1, maxItems: RULE_MAX_SHARES }),
    ),
    deployment_ids: Type.Optional(
      Type.Array(Id, {
        maxItems: RULE_MAX_SHARES,
        description: 'Between whom a rule that is not fixed shares; without it, between all that its basis finds',
      }),
    ),
  }),
  anyOf: [{ required: ['product'] }, { required: ['project'] }, { required: ['description'] }],
})

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

const ShareOut = Type.Object({
  tenant_id: Type.String(),
  deployment_id: Id,
  amount: DecimalOut,
  weight: Nullable(Type.String({ description: 'What it was shared by: a weight, an amount, a quantity, or seconds' })),
})

const LineMatchOut = Type.Object({
  match_status: MatchStatus,
  match_method: Nullable(Type.String()),
  owners: Type.Array(Type.Object({ tenant_id: Type.String(), deployment_id: Id, amount: DecimalOut })),
})

const MatchChangesOut = Type.Object({
  changed_lines: Type.Integer(),
  lines: Type.Array(
    Type.Object({
      id: Id,
      provider_invoice_id: Id,
      description: Type.String(),
      amount: DecimalOut,
      currency: Type.String(),
      from: LineMatchOut,
      to: LineMatchOut,
    }),
    { description: 'The first of them' },
  ),
  deployments: Type.Array(
    Type.Object({
      tenant_id: Nullable(Type.String()),
      deployment_id: Nullable(Id),
      currency: Type.String(),
      before_amount: DecimalOut,
      after_amount: DecimalOut,
    }),
    { description: 'Of the lines that change: who bears how much of them. Null: nobody' },
  ),
})

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

const CostLineOut = Type.Object({
  id: Id,
  provider: Type.String(),
  provider_invoice_id: Id,
  position: Type.Integer(),
  kind: Type.String(),
  product: Type.String(),
  group_description: Nullable(Type.String()),
  description: Type.String(),
  charge_category: OneOf(CHARGE_CATEGORIES),
  service_category: Type.String(),
  service_name: Type.String(),
  amount: DecimalOut,
  currency: Type.String(),
  charge_period: Type.Object({ start: InstantOut, end: InstantOut }),
  quantity: Nullable(DecimalOut),
  unit: Nullable(Type.String()),
  project: Nullable(Type.String()),
  region: Nullable(Type.String()),
  extra: Nullable(AnyObject),
  resource_id: Nullable(Id),
  resource_name: Nullable(Type.String()),
  tenant_id: Nullable(Type.String()),
  deployment_id: Nullable(Id),
  match_status: MatchStatus,
  match_method: Nullable(Type.String()),
  match_reason: Type.String(),
  shares: Type.Array(ShareOut),
})

const ProductOut = Type.Object({
  provider: Type.String(),
  product: Type.String({ description: "In the provider's own words" }),
  kind: Type.String(),
  classified: Type.Boolean({ description: 'False: nobody knows the product; it is shown as it is and counted' }),
  service_category: OneOf(SERVICE_CATEGORIES),
  service_name: Type.String(),
  charge_category: OneOf(CHARGE_CATEGORIES),
  currency: Type.String(),
  lines: Type.Integer(),
  amount: DecimalOut,
  first_period: PeriodOut,
  last_period: PeriodOut,
})

const ProviderInvoiceOut = Type.Object({
  id: Id,
  provider: Type.String(),
  external_id: Type.String(),
  invoice_number: Nullable(Type.String()),
  status: InvoiceStatus,
  period: PeriodOut,
  currency: Type.String(),
  amount: DecimalOut,
  lines_amount: Nullable(DecimalOut),
  gap: Nullable(DecimalOut),
  balanced: Nullable(Type.Boolean({ description: 'The lines add up to the amount; null while they are not read' })),
  tax_amount: Nullable(DecimalOut),
  credit_amount: DecimalOut,
  matched_amount: DecimalOut,
  allocated_amount: DecimalOut,
  unmatched_amount: DecimalOut,
  line_count: Nullable(Type.Integer()),
  matched_lines: Type.Integer(),
  allocated_lines: Type.Integer(),
  unmatched_lines: Type.Integer(),
  unclassified_lines: Type.Integer({
    description: 'Lines whose product nobody knows: GET /billing/products lists them',
  }),
  unclassified_amount: DecimalOut,
  coverage: Nullable(Type.String({ description: 'Part of the net usage whose deployment is known: 0 to 1, 4 places' })),
  summary_check: OneOf(['agrees', 'differs', 'not_available']),
  checks: Type.Array(
    Type.Object({
      name: Type.String({ description: 'lines, summary, summary_parts, each part of it, and each product' }),
      expected: Nullable(DecimalOut),
      found: Nullable(DecimalOut),
      ok: Nullable(Type.Boolean({ description: 'null: one of the two is not known' })),
    }),
  ),
  summary: Nullable(AnyObject),
  read_from: Nullable(OneOf(['items', 'csv', 'upload'])),
  difference: Nullable(AnyObject),
  announced_at: InstantOut,
  ingested_at: Nullable(InstantOut),
  last_error: Nullable(Type.String()),
})

const DifferingSideOut = Type.Object({
  lines_amount: Nullable(DecimalOut),
  tax_amount: Nullable(DecimalOut),
  line_count: Nullable(Type.Integer()),
  differing_count: Nullable(
    Type.Integer({ description: 'Lines that only this version has; null where only totals are known' }),
  ),
  lines: Type.Array(
    Type.Object({
      position: Type.Integer(),
      product: Type.String(),
      group_description: Nullable(Type.String()),
      description: Type.String(),
      project: Nullable(Type.String()),
      amount: DecimalOut,
      quantity: Nullable(DecimalOut),
      charge_period: Type.Object({ start: Type.String(), end: Type.String() }),
    }),
    { description: `The first ${DIFFERENCE_MAX_LINES} of them` },
  ),
})

const DifferenceOut = Type.Object({
  provider_invoice_id: Id,
  seen_at: Type.String({ format: 'date-time' }),
  read_from: Nullable(OneOf(['items', 'csv', 'upload'])),
  stored: DifferingSideOut,
  received: DifferingSideOut,
})

const ImportOut = Type.Object({ data: ProviderInvoiceOut, bills: Type.Array(ProviderInvoiceOut) })

const ExchangeRatesQuery = Query({ ...ListQuery, currency: Type.Optional(CurrencyCode) })

const ExchangeRateBody = Body({
  from: CurrencyCode,
  to: CurrencyCode,
  date: DateText,
  rate: Type.String({
    pattern: POSITIVE_DECIMAL_PATTERN,
    description: 'What one unit of `from` is worth in `to`: an exact decimal above 0',
  }),
  source: Type.String({ minLength: 1, maxLength: 500, description: 'Who says so: a central bank, a contract, …' }),
})

const ExchangeRateOut = Type.Object({
  from: Type.String(),
  to: Type.String(),
  date: DateOut,
  rate: DecimalOut,
  source: Type.String(),
  recorded_at: InstantOut,
  recorded_by: Type.String(),
})

const AllocationRuleOut = Type.Object({
  id: Id,
  provider: Type.String(),
  product: Nullable(Type.String()),
  project: Nullable(Type.String()),
  description: Nullable(Type.String()),
  basis: OneOf(BASES),
  meter: Nullable(Type.String()),
  shares: Type.Array(Type.Object({ tenant_id: Type.String(), deployment_id: Id, weight: Type.String() })),
  deployment_ids: Type.Array(Id),
  created_at: InstantOut,
  created_by: Type.String(),
})
