import { type Static, Type } from 'typebox'
import { present } from '../../kernel/invariant.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { spoolFiles } from '../../platform/spool.ts'
import {
  AnyObject,
  Body,
  CurrencyCode,
  CursorNumber,
  CursorText,
  Data,
  DateText,
  DecimalText,
  Example,
  found,
  Id,
  IdParams,
  InstantOut,
  List,
  ListQuery,
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
import { CHARGE_CATEGORIES, SERVICE_CATEGORIES } from '../../providers/bill-line.ts'
import {
  type DifferenceRow,
  findDifference,
  findProviderInvoice,
  findProviderInvoices,
  listProducts,
  listProviderInvoices,
  listWithdrawnLines,
  loadProductTotals,
  PRODUCT_KEY,
  type ProductRow,
  type ProviderInvoiceRow,
} from './bill-queries.ts'
import { settleDifference } from './commands.ts'
import { type Check, controlTotals } from './control-totals.ts'
import { DIFFERENCE_MAX_LINES, type DifferingSide } from './difference.ts'
import { importBills } from './import-bills.ts'
import type { CostsDeps } from './jobs.ts'
import { noFile } from './problems.ts'
import { config, DecimalOut, tags, Text } from './wire.ts'
import { withdrawBill } from './withdraw-bill.ts'

export const billRoutes =
  (edge: Edge, deps: CostsDeps) =>
  (app: App): void => {
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

    app.post(
      '/billing/provider-invoices/:id/difference/settle',
      {
        config,
        schema: {
          tags,
          summary: 'Settle the alarm of an issued invoice that differs: it stays as it is, and what was found is kept',
          description: 'The same version is no alarm again; another one is.',
          params: IdParams,
          body: Example(Body({ reason: Reason }), { reason: 'the provider credits it on the next bill' }),
          response: { 200: Data(ProviderInvoiceOut) },
        },
      },
      async ({ params: { id }, body: { reason }, caller }) => {
        const act = actOf(edge, { caller })
        await edge.db.transaction((tx) => settleDifference(tx, { provider_invoice_id: id, reason }, act))
        return { data: await readProviderInvoice(edge, id) }
      },
    )

    app.post(
      '/billing/provider-invoices/:id/withdraw',
      {
        config,
        schema: {
          tags,
          summary: 'Withdraw an uploaded invoice that was partial or wrong, while its month is not closed',
          description:
            'It counts nowhere from then on, and is kept with its lines, who withdrew it and why. The books get a document of 0. Send the right file afterwards.',
          params: IdParams,
          body: Example(Body({ reason: Reason }), { reason: 'only the first half of the file' }),
          response: { 200: Data(ProviderInvoiceOut) },
        },
      },
      async ({ params: { id }, body: { reason }, caller }) => {
        const act = actOf(edge, { caller })
        await edge.db.transaction((tx) =>
          withdrawBill(
            tx,
            { provider_invoice_id: id, reason, replaced_by: null },
            { ...act, onBillIssued: (bill) => deps.onBillIssued(tx, bill) },
          ),
        )
        return { data: await readProviderInvoice(edge, id) }
      },
    )

    app.get(
      '/billing/provider-invoices/:id/withdrawn-lines',
      {
        config,
        schema: {
          tags,
          summary: 'The lines of a withdrawn invoice as they were, with whose cost they were',
          params: IdParams,
          querystring: Query(ListQuery),
          response: { 200: List(WithdrawnLineOut) },
        },
      },
      async ({ params: { id }, query: { limit, cursor } }) => {
        found(await findProviderInvoice(edge.db.read, id), 'provider invoice')
        const page = { limit, after: readCursor(cursor, [CursorNumber]) }
        const rows = await listWithdrawnLines(edge.db.read, id, page)
        return pageOf(rows, limit, ({ position }) => [String(position)])
      },
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

    void app.register(async (scope) => importRoute(edge, deps, scope as App))
  }

const IMPORT_FILE_MAX_BYTES = 1024 * 1024 * 1024

const IMPORT_MAX_FILES = 50

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
        description:
          'The answer is the first bill; `bills` are all of them. 201 when one of them is new. Provider, currency, service category and month may be stated for rows that do not say them.',
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
          { ...actOf(edge, request), onBillIssued: (bill) => deps.onBillIssued(tx, bill) },
        ),
      )
      void reply.code(imported.some(({ outcome }) => outcome === 'created') ? 201 : 200)
      const ids = imported.map(({ provider_invoice_id }) => provider_invoice_id)
      const outcomes = new Map(imported.map(({ provider_invoice_id, outcome }) => [provider_invoice_id, outcome]))
      const bills = (await readProviderInvoices(edge, ids)).map((bill) => ({
        ...bill,
        outcome: present(outcomes.get(bill.id), 'only what was imported is read'),
      }))
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
    const { amount, summary, lines_amount, status } = invoice
    const isRead = lines_amount !== null && status !== 'withdrawn'
    return providerInvoiceOut(
      invoice,
      controlTotals({ amount, summary, totals: isRead ? (totals.get(invoice.id) ?? []) : null }),
    )
  })
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

const InvoiceStatus = OneOf(['announced', 'preview', 'issued', 'withdrawn'])

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

const shown = (example: string) => Type.String({ ...Text, examples: [example] })

const ImportQuery = Query({
  // As it is written elsewhere, or as people write it: what is meant is found out where the bill is read.
  provider: Type.Optional(shown('digitalocean')),
  currency: Type.Optional(CurrencyCode),
  service_category: Type.Optional(shown('Compute')),
  period: Type.Optional(PeriodText),
  invoice_number: Type.Optional(shown('512000038')),
  amount: Type.Optional(
    Type.String({
      ...DecimalText,
      description: 'What all lines together come to, in major units: another sum is refused',
      examples: ['86.92'],
    }),
  ),
  filename: Type.Optional(shown('DigitalOcean Invoice 2026 Apr (6173678-512000038).csv')),
  preview: Type.Optional(
    Type.Boolean({
      description:
        'Not final: replaced by the next upload of the month, and never pushed. Left out: a new bill whose period is not over is',
    }),
  ),
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
  billing_account: Nullable(Type.String({ description: 'Where the provider bills several accounts, and says so' })),
  issuer_name: Nullable(Type.String({ description: 'Who invoices, where the bill says so; else it is the provider' })),
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
  settled_differences: Type.Array(
    Type.Object({
      difference: AnyObject,
      reason: Type.String(),
      settled_at: Type.String({ format: 'date-time' }),
      settled_by: Type.String(),
    }),
  ),
  withdrawal: Nullable(
    Type.Object({
      withdrawn_at: Type.String({ format: 'date-time' }),
      withdrawn_by: Type.String(),
      reason: Type.String(),
      replaced_by: Nullable(Id),
    }),
  ),
  replaces: Type.Array(Id, { description: 'Withdrawn invoices in whose place it stands' }),
  announced_at: InstantOut,
  ingested_at: Nullable(InstantOut),
  last_error: Nullable(Type.String()),
})

const WithdrawnLineOut = Type.Object({ position: Type.Integer(), line: AnyObject })

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

const ImportedOut = Type.Object({ ...ProviderInvoiceOut.properties, outcome: OneOf(['created', 'unchanged']) })
const ImportOut = Type.Object({ data: ImportedOut, bills: Type.Array(ImportedOut) })
