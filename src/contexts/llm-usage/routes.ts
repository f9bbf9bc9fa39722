import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { present } from '../../kernel/invariant.ts'
import { invalidInput, Problem } from '../../kernel/problem.ts'
import { scopeOf, sendingScopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { sentId } from '../../platform/intake.ts'
import {
  AnyObject,
  Body,
  callerOf,
  CurrencyCode,
  Data,
  Id,
  InstantOut,
  InstantText,
  List,
  ListQuery,
  Nullable,
  OneOf,
  pageOf,
  PeriodText,
  Query,
  readCursor,
  readPeriodText,
} from '../../platform/wire.ts'
import { DeploymentRef } from '../deployments/index.ts'
import { type Recorded, recordLlmUsage } from './commands.ts'
import { canonical, type LlmEvent, nothingAccepted, readEvent } from './event.ts'
import { listEvents, sumByModel } from './queries.ts'

const EVENTS_PER_CALL_MAX = 1_000

// Events are checked one by one after the request, so that one bad event spoils no other.
const Batch = Body({ events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: EVENTS_PER_CALL_MAX }) })
const EVENT = {
  gateway_id: 'arcadia-llm-gateway',
  gateway_request_id: 'req_1',
  occurred_at: '2026-04-20T10:11:12.345Z',
  tenant_id: 'boab',
  deployment_id: '{boab~shop}',
  provider: 'anthropic',
  model: 'claude-sonnet',
  usage: { input_tokens: 1200, output_tokens: 340 },
  charge: '0.0123456789',
  currency: 'USD',
  upstream_cost: '0.0101',
  price_version: '2026-04-01',
  adjusts: null,
  tags: { feature: 'product-texts' },
}
const OneOrBatch = Type.Object(
  {},
  {
    additionalProperties: true,
    description: `One event, or {"events": [...]} with up to ${EVENTS_PER_CALL_MAX}. Amounts are decimal strings, in plain notation or with an exponent; a charge of null is held for review, and sending the event again with its charge releases it. What was used is kept as it was sent. Events of a deployment in the LLM mode byok are recorded and not charged.`,
    examples: [EVENT, { events: [{ ...EVENT, gateway_request_id: 'req_2', charge: null, upstream_cost: null }] }],
  },
)

const Outcome = Type.Object({ id: Id, duplicate: Type.Boolean(), held: Type.Boolean() })
const Result = Type.Object({
  index: Type.Integer(),
  gateway_request_id: Nullable(Type.String()),
  status: OneOf(['created', 'duplicate', 'held', 'rejected']),
  id: Type.Optional(Id),
  code: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
})

const EventOut = Type.Object({
  id: Id,
  gateway_id: Type.String(),
  gateway_request_id: Type.String(),
  tenant_id: Type.String(),
  deployment_id: Id,
  occurred_at: InstantOut,
  provider: Type.String(),
  model: Type.String(),
  usage: AnyObject,
  charge: Nullable(Type.String()),
  currency: CurrencyCode,
  byok: Type.Boolean({ description: 'By the tenant’s own key: recorded, and not charged' }),
  upstream_cost: Type.Optional(Nullable(Type.String({ description: 'For the operator alone' }))),
  price_version: Type.Optional(Nullable(Type.String({ description: 'For the operator alone' }))),
  adjusts: Nullable(Type.String()),
  tags: AnyObject,
  received_at: InstantOut,
})
const ModelSum = Type.Object({
  provider: Type.String(),
  model: Type.String(),
  currency: CurrencyCode,
  event_count: Type.Integer(),
  charge: Type.String(),
  held_count: Type.Integer(),
  byok_count: Type.Integer(),
})

export const llmUsageRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.post(
      '/integrations/llm-usage',
      {
        config: { access: ['platform_admin', 'gateway'] },
        schema: {
          tags: ['llm-usage'],
          summary: 'Send priced LLM usage; sending an event again changes nothing',
          description:
            'Each event of a batch is judged by itself. Where all are rejected, the answer is 422 ' +
            '(llm-usage/nothing-accepted) with the same list `results`.',
          body: OneOrBatch,
          response: {
            200: Type.Union([Data(Outcome), Data(Type.Object({ results: Type.Array(Result) }))]),
            201: Data(Outcome),
            202: Data(Outcome),
          },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request)
        const by = {
          now: edge.clock.now(),
          ids: edge.ids,
          tenant_id: sendingScopeOf(caller),
          sees_all: caller.roles.has('platform_admin'),
        }
        const record = (events: (LlmEvent | Problem)[]) => edge.db.transaction((tx) => recordLlmUsage(tx, events, by))

        const batch = readBatch(request.body)
        if (batch !== undefined) {
          const results = resultsOf(batch, await record(batch.map(readEvent)))
          requireSome(results)
          return { data: { results } }
        }

        const [outcome] = await record([readEvent(request.body)])
        const recorded = present(outcome, 'every event has its outcome')
        if (recorded instanceof Problem) throw recorded
        const { id, status, held } = recorded
        return reply.code(statusOf(recorded)).send({ data: { id, duplicate: status === 'duplicate', held } })
      },
    )

    app.get(
      '/llm-usage',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: {
          tags: ['llm-usage'],
          summary: 'LLM events of a month, the latest first, and their sums per model; by default the running month',
          querystring: Query({
            deployment_id: Type.Optional(DeploymentRef),
            period: Type.Optional(PeriodText),
            held: Type.Optional(Type.Boolean()),
            ...ListQuery,
          }),
          response: {
            200: Type.Object({ ...List(EventOut).properties, sums: Type.Array(ModelSum) }),
          },
        },
      },
      async (request) => {
        const { deployment_id = null, period, held = null, limit, cursor } = request.query
        const filter = {
          tenant_id: scopeOf(callerOf(request)),
          deployment_id,
          period: period === undefined ? null : readPeriodText(period),
          held,
        }
        const now = edge.clock.now()
        const events = await listEvents(edge.db.read, filter, {
          now,
          limit: limit + 1,
          after: readCursor(cursor, [InstantText, Id]),
        })
        return {
          ...pageOf(events.map(filter.tenant_id === null ? plainly : withoutCost), limit, (event) => [
            event.occurred_at.toString(),
            event.id,
          ]),
          sums: await sumByModel(edge.db.read, filter, now),
        }
      },
    )
  }

/** The events of a batch; undefined when the body is one event. */
function readBatch(body: object): unknown[] | undefined {
  if (!('events' in body)) return undefined
  if (Value.Check(Batch, body)) return body.events
  throw invalidInput('The body is not valid.', [
    { path: 'events', message: `must be a list of 1 to ${EVENTS_PER_CALL_MAX} events, and the only field` },
  ])
}

function statusOf({ status, held }: Recorded): 200 | 201 | 202 {
  if (status === 'duplicate') return 200
  return held ? 202 : 201
}

function resultsOf(sent: readonly unknown[], outcomes: readonly (Recorded | Problem)[]): Static<typeof Result>[] {
  return outcomes.map((outcome, index) => {
    const of = { index, gateway_request_id: sentId(sent[index], 'gateway_request_id') }
    if (outcome instanceof Problem) return { ...of, status: 'rejected', code: outcome.code, detail: outcome.message }
    const { id, status, held } = outcome
    return { ...of, status: status === 'created' && held ? 'held' : status, id }
  })
}

/** A sender that looks at the status alone must see that all its events are lost. */
function requireSome(results: readonly Static<typeof Result>[]): void {
  const [first] = results
  if (first === undefined || results.some(({ status }) => status !== 'rejected')) return
  const named = first.gateway_request_id === null ? 'Event 0' : `Event 0 (${first.gateway_request_id})`
  throw nothingAccepted(`${named}: ${first.detail}`, [], { results })
}

type ListedEvent = Awaited<ReturnType<typeof listEvents>>[number]

function plainly(event: ListedEvent) {
  return { ...event, charge: canonical(event.charge), upstream_cost: canonical(event.upstream_cost) }
}

/** What the operator pays for an event, and by which of its prices it charges, is not the tenant's to see. */
function withoutCost({ upstream_cost: _upstream_cost, price_version: _price_version, ...event }: ListedEvent) {
  return { ...event, charge: canonical(event.charge) }
}
