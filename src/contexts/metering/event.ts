import { type Static, Type } from 'typebox'
import { decimal, plain, ZERO } from '../../kernel/decimal.ts'
import { Problem, problem } from '../../kernel/problem.ts'
import { DecimalText, InstantText } from '../../platform/wire.ts'
import { eventReader, isAhead, parseInstant, refuseEvent } from '../../platform/intake.ts'
import { contentHash } from '../../platform/json.ts'
import { EventProperties } from '../catalog/index.ts'

export const invalidEvent = problem({ code: 'metering/invalid-event', status: 422, title: 'The event is not valid' })
export const unknownDeployment = problem({
  code: 'metering/unknown-deployment',
  status: 422,
  title: 'There is no such deployment',
})
export const unknownMeter = problem({ code: 'metering/unknown-meter', status: 422, title: 'There is no such meter' })
export const derivedMeter = problem({
  code: 'metering/derived-meter',
  status: 422,
  title: 'The meter is measured here and cannot be sent',
})
export const negativeQuantity = problem({
  code: 'metering/negative-quantity',
  status: 422,
  title: 'Only the change of a level may be negative',
})
export const conflict = problem({
  code: 'metering/conflict',
  status: 409,
  title: 'The event is known with other content',
})

/** Meters that are read from the life spans of resources: seconds alive ÷ 3,600, for volumes times the size in GB. */
export const DERIVED_METERS = {
  droplet_hours: { resource_kind: 'droplet', unit: 'hour' },
  volume_gb_hours: { resource_kind: 'volume', unit: 'GB·h' },
} as const

/** What was sent, in one spelling whatever the format. `quantity` is a canonical decimal; for a level it is the change. */
export type UsageEvent = {
  source: string
  event_id: string
  deployment_id: string
  meter: string
  quantity: string
  occurred_at: Temporal.Instant
  properties: Readonly<Static<typeof EventProperties>>
}

export type UsageEventRow = UsageEvent & { tenant_id: string; content_hash: string; received_at: Temporal.Instant }

export type Meter = {
  code: string
  aggregation: 'sum' | 'count' | 'max' | 'last' | 'unique_count' | 'time_weighted_sum'
  unique_property: string | null
}

/** What events refer to: the tenant of each deployment that the caller may meter, and the meters by code. */
export type References = { tenant_of: ReadonlyMap<string, string>; meters: ReadonlyMap<string, Meter> }

/** The event with its owner, or why it is refused. */
export function admit(
  event: UsageEvent,
  { tenant_of, meters }: References,
  now: Temporal.Instant,
): UsageEventRow | Problem {
  if (event.meter in DERIVED_METERS) return derivedMeter(`${event.meter} is read from resources; leave it out.`)
  const tenant_id = tenant_of.get(event.deployment_id)
  if (tenant_id === undefined) return unknownDeployment(`There is no deployment ${event.deployment_id}.`)
  const meter = meters.get(event.meter)
  if (meter === undefined) return unknownMeter(`There is no meter ${event.meter}; create it first.`)
  if (meter.aggregation !== 'time_weighted_sum' && decimal(event.quantity).lt(ZERO)) {
    return negativeQuantity(`quantity must not be negative: ${event.meter} is a ${meter.aggregation}, not a level.`)
  }
  if (isAhead(event.occurred_at, now)) {
    return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: 'must not lie in the future' }])
  }
  if (meter.unique_property !== null && (event.properties[meter.unique_property] ?? null) === null) {
    return invalidEvent(`properties/${meter.unique_property} is required: ${event.meter} counts its distinct values.`)
  }
  return { ...event, tenant_id, content_hash: hashOf(event), received_at: now }
}

/** The same whoever sends: an event that comes again over another token is still the same event. */
const DEFAULT_SOURCE = 'api'

const Text = Type.String({ minLength: 1, maxLength: 255 })

const PlainEvent = Type.Object(
  {
    id: Text,
    source: Type.Optional(Text),
    deployment_id: Text,
    meter: Text,
    quantity: DecimalText,
    occurred_at: InstantText,
    properties: Type.Optional(EventProperties),
  },
  { additionalProperties: false },
)

/** Attributes that are not named here are extensions, which the specification asks to let pass. */
const CloudEvent = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Text,
  source: Text,
  type: Text,
  subject: Text,
  time: InstantText,
  data: Type.Intersect([Type.Object({ quantity: DecimalText }), EventProperties]),
})

const readPlain = eventReader(PlainEvent, invalidEvent)
const readCloud = eventReader(CloudEvent, invalidEvent)

export function readPlainEvent(sent: unknown): UsageEvent | Problem {
  const event = readPlain(sent)
  return event instanceof Problem ? event : usageEvent({ source: DEFAULT_SOURCE, properties: {}, ...event })
}

/** CloudEvents 1.0: `type` is the meter, `subject` the deployment, `data.quantity` the quantity, other data properties. */
export function readCloudEvent(sent: unknown): UsageEvent | Problem {
  const event = readCloud(sent)
  if (event instanceof Problem) return event
  const { id, source, type, subject, time, data } = event
  const { quantity, ...properties } = data
  return usageEvent({ id, source, deployment_id: subject, meter: type, quantity, occurred_at: time, properties })
}

function usageEvent(event: Required<Static<typeof PlainEvent>>): UsageEvent | Problem {
  const occurred_at = parseInstant(event.occurred_at)
  if (occurred_at === undefined) return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: 'must be a time' }])
  return {
    source: event.source,
    event_id: event.id,
    deployment_id: event.deployment_id.toLowerCase(),
    meter: event.meter,
    quantity: plain(decimal(event.quantity)),
    occurred_at,
    properties: event.properties,
  }
}

function hashOf({ deployment_id, meter, quantity, occurred_at, properties }: UsageEvent): string {
  return contentHash({ deployment_id, meter, quantity, occurred_at, properties })
}
