import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  CentsOut,
  CurrencyCode,
  Data,
  DateOut,
  found,
  Id,
  IdParams,
  InstantOut,
  List,
  ListQuery,
  NoBody,
  Nullable,
  OneOf,
  pageOf,
  PeriodOut,
  Query,
  readCursor,
} from '../../platform/wire.ts'
import { retryPush } from './commands.ts'
import { type FinanceDeps, pushDueJob } from './jobs.ts'
import { findPush, listPushes } from './queries.ts'

const Status = OneOf(['pending', 'pushed', 'failed', 'not_configured'])

const Payload = Type.Object({
  tenant_id: Type.String(),
  source: Type.String(),
  external_id: Type.String(),
  invoice_number: Type.String(),
  vendor: Type.Optional(Type.Object({ name: Type.String(), category: Type.String() })),
  customer: Type.Optional(
    Type.Object({
      name: Type.String(),
      country: Type.Optional(Type.String()),
      tax_id: Type.Optional(Type.String()),
    }),
  ),
  currency: CurrencyCode,
  period: PeriodOut,
  issued_on: DateOut,
  amount_net_minor: CentsOut,
  amount_tax_minor: CentsOut,
  amount_gross_minor: CentsOut,
  lines: Type.Array(
    Type.Object({
      description: Type.String(),
      kind: Type.String(),
      amount_minor: CentsOut,
      tax: Type.Boolean(),
      tenant_id: Nullable(Type.String()),
      deployment_id: Nullable(Type.String()),
    }),
  ),
})

const Push = Type.Object({
  id: Id,
  document: OneOf(['provider_invoice', 'invoice']),
  source: Type.String(),
  external_id: Type.String(),
  tenant_id: Nullable(Type.String()),
  minor_unit_places: Type.Integer({ description: 'Of the amounts of the payload' }),
  status: Status,
  action: Nullable(OneOf(['created', 'updated'])),
  finance_id: Nullable(Type.String()),
  attempts: Type.Integer(),
  next_attempt_at: Nullable(InstantOut),
  last_error: Nullable(Type.String()),
  created_at: InstantOut,
  pushed_at: Nullable(InstantOut),
  payload: Payload,
})

export const financeRoutes =
  (edge: Edge, deps: FinanceDeps) =>
  (app: App): void => {
    const pushDue = pushDueJob(edge, deps)

    app.get(
      '/finance/pushes',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['finance'],
          summary: 'The outbox to the books: what was sent, what waits and what failed, the latest first',
          querystring: Query({ status: Type.Optional(Status), ...ListQuery }),
          response: { 200: List(Push) },
        },
      },
      async (request) => {
        const { status = null, limit, cursor } = request.query
        const [after] = readCursor(cursor, [Id]) ?? []
        const pushes = await listPushes(edge.db.read, { status, limit: limit + 1, after })
        return pageOf(pushes, limit, (push) => [push.id])
      },
    )

    app.post(
      '/finance/pushes/:id/retry',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['finance'],
          summary: 'Send a document again as it is now; the books answer a known one with "updated"',
          params: IdParams,
          body: NoBody,
          response: { 200: Data(Push) },
        },
      },
      async (request) => {
        const { id } = request.params
        const push = await edge.db.transaction(async (tx) => {
          const known = await retryPush(tx, { id, now: edge.clock.now() })
          if (known) await edge.later(tx, pushDue, {})
          return findPush(tx, id)
        })
        return { data: found(push, 'push') }
      },
    )
  }
