import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { decimal, plain, roundPrecise } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { earlierInstant, instantsOf, monthOf, dateIn } from '../../kernel/period.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { scopeOf, sendingScopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { sentId } from '../../platform/intake.ts'
import {
  Body,
  callerOf,
  Data,
  Example,
  found,
  Id,
  Nullable,
  PeriodOut,
  PeriodText,
  Query,
  readPeriodText,
} from '../../platform/wire.ts'
import { DeploymentParams } from '../deployments/index.ts'
import { type ReadEvent, recordUsage, type UsageReceipt } from './commands.ts'
import { nothingAccepted, readCloudEvent, readPlainEvent } from './event.ts'
import { findDeployment, readUnits } from './queries.ts'
import { readUsage } from './usage.ts'

const EVENTS_PER_CALL_MAX = 10_000
const CLOUD_EVENT = 'application/cloudevents+json'
const CLOUD_EVENT_BATCH = 'application/cloudevents-batch+json'

// Each event is checked by itself, after the request: one bad event spoils no other.
const Envelope = Body({
  events: Type.Array(Type.Unknown(), {
    minItems: 1,
    maxItems: EVENTS_PER_CALL_MAX,
    description:
      'Each: id, source (default: api), deployment_id, meter, quantity (a decimal string; of a time_weighted_sum the change of the level, which may be negative), occurred_at, properties',
  }),
})
const PLAIN_EVENT = {
  id: '2026-04-20T10:00:00Z/web-1',
  source: 'proxy',
  deployment_id: '{boab~shop}',
  meter: 'requests',
  quantity: '48200',
  occurred_at: '2026-04-20T10:59:59.999Z',
  properties: { region: 'syd1' },
}
const CloudEventBody = Type.Unknown({ description: 'CloudEvents 1.0, structured: type = meter, subject = deployment' })
const CloudEventBatch = Type.Array(Type.Unknown(), { minItems: 1, maxItems: EVENTS_PER_CALL_MAX })

const cloudEvent = (id: string) => ({
  specversion: '1.0',
  id,
  source: 'proxy',
  type: 'requests',
  subject: '{boab~shop}',
  time: '2026-04-20T12:59:59.999Z',
  data: { quantity: '51300', region: 'syd1' },
})

const Receipt = Type.Object({
  accepted: Type.Integer(),
  duplicates: Type.Integer(),
  rejected: Type.Array(
    Type.Object({ index: Type.Integer(), id: Nullable(Type.String()), code: Type.String(), detail: Type.String() }),
  ),
})
const Usage = Type.Object({
  deployment_id: Id,
  period: PeriodOut,
  meters: Type.Array(Type.Object({ meter: Type.String(), unit: Type.String(), quantity: Type.String() })),
})

export const meteringRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.addContentTypeParser(
      [CLOUD_EVENT, CLOUD_EVENT_BATCH],
      { parseAs: 'string' },
      app.getDefaultJsonParser('error', 'error'),
    )

    app.post(
      '/usage/events',
      {
        config: { access: ['platform_admin', 'meter'] },
        schema: {
          tags: ['usage'],
          summary: 'Send usage events, plain or as CloudEvents; sending one again changes nothing',
          description:
            'Each event is judged by itself. Where none is accepted and none is a duplicate, the answer is 422 ' +
            '(metering/nothing-accepted) with the same list `rejected`.',
          body: {
            content: {
              'application/json': { schema: Example(Envelope, { events: [PLAIN_EVENT] }) },
              [CLOUD_EVENT]: { schema: Example(CloudEventBody, cloudEvent('2026-04-20T11:00:00Z/web-1')) },
              [CLOUD_EVENT_BATCH]: {
                schema: Example(CloudEventBatch, [
                  cloudEvent('2026-04-20T12:00:00Z/web-1'),
                  cloudEvent('2026-04-20T12:00:00Z/web-2'),
                ]),
              },
            },
          },
          response: { 200: Data(Receipt) },
        },
      },
      async (request) => {
        const caller = callerOf(request)
        const events = readEvents(request.headers['content-type'], request.body)
        const now = edge.clock.now()
        const receipt = await edge.db.transaction((tx) =>
          recordUsage(tx, events, { now, tenant_id: sendingScopeOf(caller) }),
        )
        requireSome(receipt)
        return { data: receipt }
      },
    )

    app.get(
      '/deployments/:id/usage',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: {
          tags: ['usage'],
          summary: 'Quantities per meter of a month, up to now; by default the running month',
          params: DeploymentParams,
          querystring: Query({ period: Type.Optional(PeriodText) }),
          response: { 200: Data(Usage) },
        },
      },
      async (request) => {
        const { id } = request.params
        const deployment = found(await findDeployment(edge.db.read, id, scopeOf(callerOf(request))), 'deployment')
        const now = edge.clock.now()
        const { period: text } = request.query
        const period = text === undefined ? monthOf(dateIn(now, deployment.timezone)) : readPeriodText(text)
        const { start, end } = instantsOf(period, deployment.timezone)
        const window = {
          key: id,
          tenant_id: deployment.tenant_id,
          deployment_id: id,
          start,
          end: earlierInstant(end, now),
        }
        const { usage } = present((await readUsage(edge.db.read, [window])).get(id), 'every window has its usage')
        const units = await readUnits(edge.db.read, Object.keys(usage))
        const meters = Object.entries(usage)
          .map(([meter, quantity]) => ({
            meter,
            unit: units.get(meter) ?? '',
            quantity: plain(roundPrecise(decimal(quantity))),
          }))
          .toSorted((a, b) => (a.meter < b.meter ? -1 : 1))
        return { data: { deployment_id: deployment.id, period, meters } }
      },
    )
  }

/** A sender that looks at the status alone must see that all its events are lost. */
function requireSome({ accepted, duplicates, rejected }: UsageReceipt): void {
  const [first] = rejected
  if (accepted + duplicates > 0 || first === undefined) return
  const named = first.id === null ? `Event ${first.index}` : `Event ${first.index} (${first.id})`
  throw nothingAccepted(`${named}: ${first.detail}`, [], { rejected })
}

function readEvents(content_type: string | undefined, body: unknown): ReadEvent[] {
  const media_type = content_type?.split(';')[0]?.trim().toLowerCase()
  if (media_type === CLOUD_EVENT) return readEach([body], readCloudEvent)
  if (media_type === CLOUD_EVENT_BATCH && Array.isArray(body)) return readEach(body, readCloudEvent)
  if (Value.Check(Envelope, body)) return readEach(body.events, readPlainEvent)
  throw invalidInput('The body is not valid.', [{ path: 'events', message: 'is required' }])
}

function readEach(events: readonly unknown[], read: (sent: unknown) => ReadEvent['event']): ReadEvent[] {
  return events.map((event) => ({ id: sentId(event, 'id'), event: read(event) }))
}
