import { type Static, Type } from 'typebox'
import { problem } from '../../kernel/problem.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App, Request } from '../../platform/http.ts'
import {
  AnyObject,
  Body,
  callerOf,
  CursorNumber,
  Data,
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
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import { inventoryJobs, requireProvider } from '../inventory/index.ts'
import { addAllocationRule, assignLine, deleteAllocationRule } from './commands.ts'
import { importCsv } from './import-csv.ts'
import { type CostsDeps, readBillingHistoryJob, takeBalanceJob } from './jobs.ts'
import { matchLines } from './match-lines.ts'
import { noBalance } from './problems.ts'
import {
  type CostLineRow,
  findAllocationRule,
  findCostLine,
  findProviderInvoice,
  latestBalance,
  listAllocationRules,
  listCostLines,
  listProviderInvoices,
  type ProviderInvoiceRow,
} from './queries.ts'
import { PROVIDER } from './sync.ts'

const IMPORT_LIMIT_BYTES = 64 * 1024 * 1024
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
        return { data: balance }
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
          body: AssignmentBody,
          response: { 200: Data(CostLineOut) },
        },
      },
      async ({ params: { id }, body: { deployment_id, remember }, caller }) => {
        const assignment = { line_id: id, deployment_id, remember: remember ?? false }
        await edge.db.transaction((tx) => assignLine(tx, assignment, actOf(edge, { caller })))
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
        return { data: data.map(providerInvoiceOut), next_cursor }
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
          body: AllocationRuleBody,
          response: { 201: Data(AllocationRuleOut) },
        },
      },
      async ({ body, caller }, reply) => {
        const rule = { provider: PROVIDER, product: null, project: null, description: null, ...body }
        const act = { ...actOf(edge, { caller }), ids: edge.ids }
        const id = await edge.db.transaction((tx) => addAllocationRule(tx, rule, act))
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
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id } }, reply) => {
        await edge.db.transaction((tx) => deleteAllocationRule(tx, id))
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/billing/sync',
      {
        config,
        schema: {
          tags,
          summary: 'Fetch inventory, balance and invoices from the provider now',
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
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('text/csv', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post(
    '/billing/provider-invoices/import',
    {
      config,
      bodyLimit: IMPORT_LIMIT_BYTES,
      schema: {
        tags,
        summary: 'Store a bill from its CSV file: all of it, or nothing',
        consumes: Object.keys(CSV_BODY.content),
        querystring: ImportQuery,
        body: CSV_BODY,
        response: { 200: Data(ProviderInvoiceOut), 201: Data(ProviderInvoiceOut) },
      },
    },
    async (request, reply) => {
      const { provider, ...query } = request.query
      const { csv, filename } = await readFile(request)
      const { provider_invoice_id, outcome } = await edge.db.transaction((tx) =>
        importCsv(
          tx,
          { csv, filename, provider: provider ?? PROVIDER, ...query },
          { now: edge.clock.now(), ids: edge.ids, onBillIssued: (bill) => deps.onBillIssued(tx, bill) },
        ),
      )
      void reply.code(outcome === 'created' ? 201 : 200)
      return { data: await readProviderInvoice(edge, provider_invoice_id) }
    },
  )
}

/** For readers of the documentation: a file is checked row by row, not by a schema. */
const CSV_BODY = {
  content: {
    'text/csv': { schema: { description: 'The file, in UTF-8' } },
    'multipart/form-data': { schema: { description: 'One part with the file; its name may carry period and number' } },
  },
}

const noFile = problem({ code: 'costs/no-file', status: 422, title: 'The request carries no file' })

async function readFile(request: Request): Promise<{ csv: Buffer; filename: string | undefined }> {
  if (Buffer.isBuffer(request.body)) return { csv: request.body, filename: undefined }
  const part = request.isMultipart() ? await request.file({ limits: { fileSize: IMPORT_LIMIT_BYTES } }) : undefined
  if (part === undefined) throw noFile('Send the CSV as the body (text/csv), or as a file (multipart/form-data).')
  return { csv: await part.toBuffer(), filename: part.filename }
}

function actOf(edge: Edge, request: Pick<Request, 'caller'>): { now: Temporal.Instant; actor: string } {
  return { now: edge.clock.now(), actor: callerOf(request).sub }
}

async function readProviderInvoice(edge: Edge, id: string): Promise<Static<typeof ProviderInvoiceOut>> {
  return providerInvoiceOut(found(await findProviderInvoice(edge.db.read, id), 'provider invoice'))
}

function costLineOut({ charge_start, charge_end, ...line }: CostLineRow): Static<typeof CostLineOut> {
  return { ...line, charge_period: { start: charge_start, end: charge_end } }
}

function providerInvoiceOut({
  period_start,
  period_end,
  ...invoice
}: ProviderInvoiceRow): Static<typeof ProviderInvoiceOut> {
  const faults = invoice.summary?.faults
  return {
    ...invoice,
    period: { start: period_start, end: period_end },
    balanced: invoice.gap === null ? null : invoice.gap === '0',
    summary_check: faults === undefined ? 'not_available' : faults.length === 0 ? 'agrees' : 'differs',
  }
}

const Text = Type.String({ minLength: 1, maxLength: 500 })
const DecimalOut = Type.String({ description: 'An exact decimal, in major units where it is money' })
const MatchStatus = OneOf(['matched', 'allocated', 'unmatched', 'not_applicable'])
const InvoiceStatus = OneOf(['announced', 'preview', 'issued'])
const Provider = OneOf([PROVIDER])

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

const ImportQuery = Query({
  provider: Type.Optional(Provider),
  period: Type.Optional(PeriodText),
  invoice_number: Type.Optional(Text),
  filename: Type.Optional(Text),
})

const AssignmentBody = Body({ deployment_id: Nullable(Id), remember: Type.Optional(Type.Boolean()) })

const AllocationRuleBody = Type.Unsafe<{
  provider?: typeof PROVIDER
  product?: string
  project?: string
  description?: string
  shares: { deployment_id: string; weight: string }[]
}>({
  ...Body({
    provider: Type.Optional(Provider),
    product: Type.Optional(Text),
    project: Type.Optional(Text),
    description: Type.Optional(Text),
    shares: Type.Array(Body({ deployment_id: Id, weight: UnsignedDecimalText }), {
      minItems: 1,
      maxItems: RULE_MAX_SHARES,
    }),
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
})

const ShareOut = Type.Object({ tenant_id: Type.String(), deployment_id: Id, amount: DecimalOut })

const CostLineOut = Type.Object({
  id: Id,
  provider: Type.String(),
  provider_invoice_id: Id,
  position: Type.Integer(),
  kind: Type.String(),
  product: Type.String(),
  group_description: Nullable(Type.String()),
  description: Type.String(),
  charge_category: OneOf(['Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment']),
  amount: DecimalOut,
  currency: Type.String(),
  charge_period: Type.Object({ start: InstantOut, end: InstantOut }),
  quantity: Nullable(DecimalOut),
  unit: Nullable(Type.String()),
  project: Nullable(Type.String()),
  resource_id: Nullable(Id),
  resource_name: Nullable(Type.String()),
  tenant_id: Nullable(Type.String()),
  deployment_id: Nullable(Id),
  match_status: MatchStatus,
  match_method: Nullable(Type.String()),
  match_reason: Type.String(),
  shares: Type.Array(ShareOut),
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
  coverage: Nullable(Type.String({ description: 'Part of the net usage whose deployment is known: 0 to 1, 4 places' })),
  summary_check: OneOf(['agrees', 'differs', 'not_available']),
  summary: Nullable(AnyObject),
  read_from: Nullable(OneOf(['items', 'csv', 'upload'])),
  difference: Nullable(AnyObject),
  announced_at: InstantOut,
  ingested_at: Nullable(InstantOut),
  last_error: Nullable(Type.String()),
})

const AllocationRuleOut = Type.Object({
  id: Id,
  provider: Type.String(),
  product: Nullable(Type.String()),
  project: Nullable(Type.String()),
  description: Nullable(Type.String()),
  shares: Type.Array(Type.Object({ tenant_id: Type.String(), deployment_id: Id, weight: Type.String() })),
  created_at: InstantOut,
  created_by: Type.String(),
})
