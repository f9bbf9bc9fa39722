import { type Static, Type } from 'typebox'
import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { scopeOf } from '../../platform/auth.ts'
import { type Tx, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { IdOrName } from '../../platform/naming.ts'
import { parseInstant } from '../../platform/intake.ts'
import {
  AnyObject,
  Body,
  callerOf,
  Cents,
  CentsOut,
  Data,
  Example,
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
  OptionalBody,
  pageOf,
  PeriodBody,
  PeriodOut,
  PeriodText,
  Query,
  readPeriodBody,
  readPeriodText,
  Reason,
  TextOf,
} from '../../platform/wire.ts'
import { quoteLineFields, QuoteOut } from '../catalog/index.ts'
import { DeploymentParams } from '../deployments/index.ts'
import { actOf } from '../events/index.ts'
import { explain } from '../pricing/index.ts'
import { acknowledgeLateUsage } from './acknowledge.ts'
import { issueCreditNote, issueInvoice, recordPayment, voidInvoice } from './commands.ts'
import { renderInvoice } from './document.ts'
import { type Invoice, type InvoiceLine, owedCents, type Seller, settlementOf } from './invoice.ts'
import { readProjection } from './projection.ts'
import {
  findInvoiceByNumber,
  invoiceKey,
  listInvoices,
  readInvoice,
  readInvoiceLine,
  readWholeInvoice,
  type WholeInvoice,
} from './queries.ts'
import { reversePayment } from './reverse-payment.ts'
import { rollup } from './rollup.ts'
import { listUnbilled, readUnbilledOf, UnbilledOut } from './unbilled.ts'

export type InvoicingDeps = {
  readonly seller: Seller
  /** Runs in the transaction that issues an invoice, makes an issued one void, or credits it. */
  readonly onInvoiceChanged: (tx: Tx, document: { tenant_id: string; invoice_id: string }) => Promise<void>
}

export const invoicingRoutes =
  (edge: Edge, deps: InvoicingDeps) =>
  (app: App): void => {
    rollupRoutes(app, edge, deps)
    readingRoutes(app, edge)
    lifecycleRoutes(app, edge, deps)
  }

const tags = ['invoices']

/** An invoice wherever a path names one. */
const InvoiceRef = IdOrName({
  what: 'invoice',
  pattern: 'INV-[0-9]{4}-[0-9]{1,12}',
  expected: 'the id of an invoice, or its number such as INV-2026-000001',
  description: 'Its id, or its number',
  example: 'INV-2026-000001',
  find: findInvoiceByNumber,
})
const InvoiceParams = Type.Object({ id: InvoiceRef })

const RollupBody = Body({
  period: Type.Union([PeriodText, PeriodBody]),
  tenant_id: Type.Optional(TextOf()),
  force: Type.Optional(Type.Boolean({ description: 'Makes drafts anew' })),
})

const RollupOut = Type.Object({
  created: Type.Integer(),
  rebuilt: Type.Integer(),
  skipped: Type.Integer(),
  parked: Type.Array(Type.Object({ tenant_id: Type.String(), code: Type.String(), detail: Type.String() })),
  unbilled: Type.Array(UnbilledOut),
})

const ProjectionOut = Type.Object({
  deployment_id: Id,
  period: PeriodOut,
  as_of: InstantOut,
  so_far: QuoteOut,
  to_end_of_period: QuoteOut,
})

const Status = OneOf(['draft', 'issued', 'paid', 'void'])

const InvoiceFields = {
  id: Id,
  tenant_id: Type.String(),
  number: Nullable(Type.String()),
  period: PeriodOut,
  status: Status,
  currency: Type.String(),
  minor_unit_places: Type.Integer({ description: 'Of the currency in ISO 4217: what `_cents` counts' }),
  subtotal_cents: CentsOut,
  tax_cents: CentsOut,
  total_cents: CentsOut,
  seller: AnyObject,
  buyer: AnyObject,
  tax: AnyObject,
  engine_version: Type.String(),
  inputs_hash: Type.String(),
  created_at: InstantOut,
  issued_at: Nullable(InstantOut),
  issued_by: Nullable(Type.String()),
  paid_at: Nullable(InstantOut),
  voided_at: Nullable(InstantOut),
  voided_by: Nullable(Type.String()),
  void_reason: Nullable(Type.String()),
}
const InvoiceOut = Type.Object(InvoiceFields)

const PaymentOut = Type.Object({
  id: Id,
  invoice_id: Id,
  amount_cents: CentsOut,
  currency: Type.String(),
  paid_at: InstantOut,
  reference: Type.String(),
  recorded_by: Type.String(),
  recorded_at: InstantOut,
  reversed_at: Nullable(InstantOut),
  reversed_by: Nullable(Type.String()),
  reversal_reason: Nullable(Type.String()),
})

const CreditNoteOut = Type.Object({
  id: Id,
  invoice_id: Id,
  number: Type.String(),
  amount_cents: CentsOut,
  tax_cents: CentsOut,
  currency: Type.String(),
  reason: Type.String(),
  created_by: Type.String(),
  created_at: InstantOut,
})

const WholeInvoiceOut = Type.Object({
  ...InvoiceFields,
  paid_cents: CentsOut,
  credited_cents: CentsOut,
  owed_cents: CentsOut,
  lines: Type.Array(
    Type.Object({
      id: Id,
      position: Type.Integer(),
      deployment_id: Nullable(Id),
      subscription_id: Nullable(Id),
      ...quoteLineFields,
    }),
  ),
  payments: Type.Array(PaymentOut),
  credit_notes: Type.Array(CreditNoteOut),
  unbilled: Type.Optional(Type.Array(UnbilledOut, { description: 'For the operator alone' })),
})

const IssuedOut = Type.Object({ ...InvoiceFields, unbilled: Type.Array(UnbilledOut) })

const ExplanationOut = Type.Object({
  invoice_id: Id,
  line_id: Id,
  kind: Type.String(),
  description: Type.String(),
  amount_cents: CentsOut,
  currency: Type.String(),
  formula: Type.String(),
  facts: AnyObject,
  engine_version: Type.String(),
  inputs_hash: Type.String(),
})

const VoidBody = OptionalBody({ reason: Type.Optional(Nullable(Reason)) })
const PaymentBody = Body(
  {
    amount_cents: Cents({ minimum: 1 }),
    paid_at: InstantText,
    reference: TextOf({ minLength: 1, maxLength: 200 }),
  },
  { meant: { currency: 'amount_cents, in the currency of the invoice' } },
)
const ReversalBody = Body({ reason: Reason })
const CreditNoteBody = Body({ amount_cents: Cents({ minimum: 1 }), reason: Reason })

const AcknowledgementBody = Body({ deployment_id: Id, period: PeriodText, reason: Reason })

function rollupRoutes(app: App, edge: Edge, { seller }: InvoicingDeps): void {
  app.post(
    '/invoices/rollup',
    {
      config: { access: ['platform_admin'] },
      schema: {
        tags,
        summary: 'Make the draft invoices of a month',
        body: Example(RollupBody, { period: '2026-04', tenant_id: 'boab' }, { period: '2026-04', force: true }),
        response: { 200: Data(RollupOut) },
      },
    },
    async (request) => {
      const { period, tenant_id, force } = request.body
      const result = await rollup(
        { ...edge, seller },
        {
          period: readMonth(period),
          force,
          ...(tenant_id !== undefined && { tenant_ids: [tenant_id] }),
          on_progress: ({ done, total }) => request.progress(done, total),
        },
      )
      return { data: result }
    },
  )

  app.get(
    '/deployments/:id/projection',
    {
      config: { access: ['platform_admin', 'tenant'] },
      schema: {
        tags,
        summary: 'What the running month comes to so far, and to its end with the usage so far',
        params: DeploymentParams,
        response: { 200: Data(ProjectionOut) },
      },
    },
    async (request) => {
      const about = { deployment_id: request.params.id, now: edge.clock.now() }
      return { data: await readProjection(edge.db.read, scopeOf(callerOf(request)), about) }
    },
  )
}

function readingRoutes(app: App, edge: Edge): void {
  const access = ['platform_admin', 'tenant'] as const

  app.get(
    '/invoices',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Invoices, the latest periods first; tenants see their own from the issue on',
        querystring: Query({
          ...ListQuery,
          period: Type.Optional(PeriodText),
          status: Type.Optional(Status),
          tenant_id: Type.Optional(TextOf()),
        }),
        response: { 200: List(InvoiceOut) },
      },
    },
    async (request) => {
      const { period, ...filter } = request.query
      const rows = await listInvoices(edge.db.read, scopeOf(callerOf(request)), {
        ...filter,
        ...(period !== undefined && { period: readPeriodText(period) }),
      })
      const page = pageOf(rows, filter.limit, invoiceKey)
      return { ...page, data: page.data.map(invoiceOut) }
    },
  )

  app.get(
    '/invoices/unbilled',
    {
      config: { access: ['platform_admin'] },
      schema: {
        tags,
        summary:
          'What was used and is on no invoice: of a month, by default the last one that is over with all that came too late',
        querystring: Query({ period: Type.Optional(PeriodText), tenant_id: Type.Optional(TextOf()) }),
        response: { 200: Data(Type.Array(UnbilledOut)) },
      },
    },
    async ({ query: { period, tenant_id } }) => ({
      data: await listUnbilled(edge.db.read, {
        now: edge.clock.now(),
        tenant_id,
        ...(period !== undefined && { period: readPeriodText(period) }),
      }),
    }),
  )

  app.get(
    '/invoices/:id',
    {
      config: { access },
      schema: {
        tags,
        summary: 'An invoice with its lines, payments and credit notes',
        params: InvoiceParams,
        response: { 200: Data(WholeInvoiceOut) },
      },
    },
    async (request) => {
      const scope = scopeOf(callerOf(request))
      const whole = found(await readWholeInvoice(edge.db.read, scope, request.params.id), 'invoice')
      if (scope !== null) return { data: wholeInvoiceOut(whole) }
      const unbilled = await readUnbilledOf(edge.db.read, whole.invoice, edge.clock.now())
      return { data: { ...wholeInvoiceOut(whole), unbilled } }
    },
  )

  app.get(
    '/invoices/:id.pdf',
    {
      config: { access },
      schema: {
        tags,
        summary: 'The invoice as a document',
        params: InvoiceParams,
        response: {
          200: {
            content: { 'application/pdf': { schema: Type.Unsafe<Buffer>({ type: 'string', format: 'binary' }) } },
          },
        },
      },
    },
    async (request, reply) => {
      const whole = found(
        await readWholeInvoice(edge.db.read, scopeOf(callerOf(request)), request.params.id),
        'invoice',
      )
      const name = whole.invoice.number ?? `draft-${whole.invoice.id}`
      return reply
        .type('application/pdf')
        .header('content-disposition', `inline; filename="${name}.pdf"`)
        .send(await renderInvoice(whole))
    },
  )

  app.get(
    '/invoices/:id/lines/:line_id/explanation',
    {
      config: { access },
      schema: {
        tags,
        summary: 'The facts and the formula behind the amount of a line',
        params: Type.Object({ id: InvoiceRef, line_id: Id }),
        response: { 200: Data(ExplanationOut) },
      },
    },
    async (request) => {
      const { id, line_id } = request.params
      const invoice = found(await readInvoice(edge.db.read, scopeOf(callerOf(request)), id), 'invoice')
      const line = found(await readInvoiceLine(edge.db.read, invoice, line_id), 'invoice line')
      return { data: explanationOut(invoice, line) }
    },
  )
}

function lifecycleRoutes(app: App, edge: Edge, { onInvoiceChanged }: InvoicingDeps): void {
  const access = ['platform_admin'] as const

  app.post(
    '/invoices/:id/issue',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Number a draft and send it to the books',
        params: InvoiceParams,
        body: NoBody,
        response: { 200: Data(IssuedOut) },
      },
    },
    async (request) => {
      const by = { now: edge.clock.now(), actor: callerOf(request).sub }
      const invoice = await edge.db.transaction(async (tx) => {
        const issued = await issueInvoice(tx, request.params.id, by)
        await onInvoiceChanged(tx, documentOf(issued))
        return issued
      })
      return { data: { ...invoiceOut(invoice), unbilled: await readUnbilledOf(edge.db.read, invoice, by.now) } }
    },
  )

  app.post(
    '/invoices/unbilled/acknowledge',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Take usage that came too late for any invoice off the list of what is unbilled, with a reason',
        description:
          'Of a deployment and month, what is listed as `too_late` now; what comes later is listed again. `GET /events` ' +
          'tells who did it and why.',
        body: Example(AcknowledgementBody, {
          deployment_id: '{boab~shop}',
          period: '2025-03',
          reason: 'billed by hand on INV-2026-000001',
        }),
        response: { 200: Data(Type.Array(UnbilledOut)) },
      },
    },
    async (request) => {
      const { deployment_id, period, reason } = request.body
      const usage = { deployment_id, period: readPeriodText(period), reason }
      const act = actOf(edge, request)
      return { data: await edge.db.transaction((tx) => acknowledgeLateUsage(within(tx), usage, act)) }
    },
  )

  app.post(
    '/invoices/:id/void',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Make a draft or an unpaid invoice void, so that its period can be invoiced again',
        params: InvoiceParams,
        body: Example(VoidBody, { reason: 'billed to the wrong address' }),
        response: { 200: Data(InvoiceOut) },
      },
    },
    async (request) => {
      const by = { now: edge.clock.now(), actor: callerOf(request).sub, reason: request.body?.reason ?? null }
      const invoice = await edge.db.transaction(async (tx) => {
        const voided = await voidInvoice(tx, request.params.id, by)
        if (voided.issued_at !== null) await onInvoiceChanged(tx, documentOf(voided))
        return voided
      })
      return { data: invoiceOut(invoice) }
    },
  )

  app.post(
    '/invoices/:id/payments',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Record a payment; the same reference again is the same payment',
        params: InvoiceParams,
        body: Example(PaymentBody, {
          amount_cents: 1500,
          paid_at: '2026-05-12T03:20:00Z',
          reference: 'BANK-20260512-7',
        }),
        response: { 200: Data(PaymentOut), 201: Data(PaymentOut) },
      },
    },
    async (request, reply) => {
      const { amount_cents, paid_at, reference } = request.body
      const payment = {
        id: edge.ids.uuid(),
        amount_cents: BigInt(amount_cents),
        paid_at: present(parseInstant(paid_at), 'the schema lets only instants in'),
        reference,
      }
      const by = { now: edge.clock.now(), actor: callerOf(request).sub }
      const recorded = await edge.db.transaction((tx) => recordPayment(tx, request.params.id, { payment, ...by }))
      return reply
        .code(recorded.duplicate ? 200 : 201)
        .send({ data: { ...recorded.payment, currency: recorded.invoice.currency } })
    },
  )

  app.post(
    '/payments/:id/reverse',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Reverse a payment; an invoice that it had paid is open again, and its reference may come again',
        params: IdParams,
        body: Example(ReversalBody, { reason: 'returned by the bank' }),
        response: { 200: Data(PaymentOut) },
      },
    },
    async (request) => {
      const by = { now: edge.clock.now(), actor: callerOf(request).sub, reason: request.body.reason }
      const { payment, invoice } = await edge.db.transaction((tx) => reversePayment(tx, request.params.id, by))
      return { data: { ...payment, currency: invoice.currency } }
    },
  )

  app.post(
    '/invoices/:id/credit-notes',
    {
      config: { access },
      schema: {
        tags,
        summary: 'Credit part of an issued invoice; the amount includes its tax',
        params: InvoiceParams,
        body: Example(CreditNoteBody, { amount_cents: 550, reason: 'an outage on 21 April' }),
        response: { 201: Data(CreditNoteOut) },
      },
    },
    async (request, reply) => {
      const { amount_cents, reason } = request.body
      const credit = { id: edge.ids.uuid(), amount_cents: BigInt(amount_cents), reason }
      const by = { now: edge.clock.now(), actor: callerOf(request).sub }
      const { credit_note, invoice } = await edge.db.transaction(async (tx) => {
        const credited = await issueCreditNote(tx, request.params.id, { credit, ...by })
        await onInvoiceChanged(tx, documentOf(credited.invoice))
        return credited
      })
      void reply.code(201)
      return { data: { ...credit_note, currency: invoice.currency } }
    },
  )
}

function readMonth(given: Static<typeof RollupBody>['period']): Period {
  if (typeof given === 'string') return readPeriodText(given)
  const period = readPeriodBody(given, 'period')
  const month = readPeriodText(given.start)
  if (period.start.equals(month.start) && period.end.equals(month.end)) return month
  throw invalidInput('The request is not valid.', [{ path: 'period', message: 'must be a whole calendar month' }])
}

function documentOf({ tenant_id, id }: Invoice): { tenant_id: string; invoice_id: string } {
  return { tenant_id, invoice_id: id }
}

function invoiceOut({ period_start, period_end, ...invoice }: Invoice) {
  return { ...invoice, period: { start: period_start, end: period_end } }
}

function lineOut({ service_start, service_end, ...line }: InvoiceLine) {
  return { ...line, service_period: { start: service_start, end: service_end } }
}

function wholeInvoiceOut({ invoice, lines, payments, credit_notes }: WholeInvoice) {
  const { currency } = invoice
  const settled = settlementOf(payments, credit_notes)
  return {
    ...invoiceOut(invoice),
    ...settled,
    owed_cents: owedCents(invoice, settled),
    lines: lines.map(lineOut),
    payments: payments.map((payment) => ({ ...payment, currency })),
    credit_notes: credit_notes.map((note) => ({ ...note, currency })),
  }
}

function explanationOut(invoice: Invoice, line: InvoiceLine) {
  const { formula, facts } = explain(line)
  return {
    invoice_id: invoice.id,
    line_id: line.id,
    kind: line.kind,
    description: line.description,
    amount_cents: line.amount_cents,
    currency: invoice.currency,
    formula,
    facts,
    engine_version: invoice.engine_version,
    inputs_hash: invoice.inputs_hash,
  }
}
