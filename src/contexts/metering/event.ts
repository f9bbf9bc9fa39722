import { type Static, Type } from 'typebox'
import { decimal, plain, ZERO } from '../../kernel/decimal.ts'
import { knownHint, stopped } from '../../kernel/nearest.ts'
import { Problem, problem } from '../../kernel/problem.ts'
import { DecimalText, InstantText, TextOf } from '../../platform/wire.ts'
import {
  decimalHint,
  eventReader,
  type Hint,
  ID_REQUIRED,
  idHint,
  parseInstant,
  refusedTime,
  refuseEvent,
  timeHint,
} from '../../platform/intake.ts'
import { contentHash } from '../../platform/json.ts'
import { EventProperties } from '../catalog/index.ts'

export const invalidEvent = problem({ code: 'metering/invalid-event', status: 422, title: 'The event is not valid' })
export const unknownDeployment = problem({
  code: 'metering/unknown-deployment',
  status: 422,
  title: 'There is no such deployment',
})
export const unknownMeter = problem({
  code: 'metering/unknown-meter',
  status: 422,
  title: 'There is no such meter',
  constraints: ['usage_event_meter_fkey'],
})
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
export const nothingAccepted = problem({
  code: 'metering/nothing-accepted',
  status: 422,
  title: 'None of the events was accepted',
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

/** Whether what stands under this meter was measured here and sent by nobody. */
export function isDerivedMeter(meter: string): boolean {
  return Object.hasOwn(DERIVED_METERS, meter)
}

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

/**
 * What events refer to: the tenant of each deployment that the caller may meter (those of `only_tenant_id`; null: all), and
 * the meters by code.
 */
export type References = {
  only_tenant_id: string | null
  tenant_of: ReadonlyMap<string, string>
  meters: ReadonlyMap<string, Meter>
  /** Codes of meters that there are, where one was named that there is not. */
  meter_codes: readonly string[]
}

/** The event with its owner, or why it is refused. */
export function admit(
  event: UsageEvent,
  { only_tenant_id, tenant_of, meters, meter_codes }: References,
  now: Temporal.Instant,
): UsageEventRow | Problem {
  if (isDerivedMeter(event.meter)) return derivedMeter(`${event.meter} is read from resources; leave it out.`)
  const tenant_id = tenant_of.get(event.deployment_id)
  if (tenant_id === undefined) {
    const whose = only_tenant_id === null ? '' : ` of tenant ${only_tenant_id}, to which this token is limited`
    return unknownDeployment(`There is no deployment ${event.deployment_id}${whose}.${idHint(event.deployment_id)}`)
  }
  const meter = meters.get(event.meter)
  if (meter === undefined)
    return unknownMeter(stopped(`There is no meter ${event.meter}${knownHint(event.meter, meter_codes)}`))
  if (meter.aggregation !== 'time_weighted_sum' && decimal(event.quantity).lt(ZERO)) {
    return negativeQuantity(`quantity must not be negative: ${event.meter} is a ${meter.aggregation}, not a level.`)
  }
  const refused = refusedTime(event.occurred_at, now)
  if (refused !== null) return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: refused }])
  if (meter.unique_property !== null && (event.properties[meter.unique_property] ?? null) === null) {
    return invalidEvent(`properties/${meter.unique_property} is required: ${event.meter} counts its distinct values.`)
  }
  return { ...event, tenant_id, content_hash: hashOf(event), received_at: now }
}

/** The same whoever sends: an event that comes again over another token is still the same event. */
const DEFAULT_SOURCE = 'api'

const Text = TextOf({ minLength: 1, maxLength: 255 })

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

/** What senders call the quantity elsewhere. */
const QUANTITY_ELSEWHERE = ['value', 'amount', 'count', 'units']

const plainHint: Hint = (path, sent) => {
  if (path === 'id' && sent['id'] === undefined) return ID_REQUIRED
  if (path === 'occurred_at') return timeHint(sent['occurred_at'])
  if (path === 'quantity') return quantityHint(sent)
  return QUANTITY_ELSEWHERE.includes(path) ? 'is not a known field: how much was used is called quantity' : undefined
}

const cloudHint: Hint = (path, { data, ...sent }) => {
  if (path === 'id' && sent['id'] === undefined) return ID_REQUIRED
  if (path === 'time') return timeHint(sent['time'])
  if (typeof data !== 'object' || data === null) return undefined
  const fields: Readonly<Record<string, unknown>> = { ...data }
  if (path === 'data/quantity') return quantityHint(fields)
  return path === 'data/properties' || path.startsWith('data/properties/') ? propertiesHint(fields) : undefined
}

function quantityHint(sent: Readonly<Record<string, unknown>>): string | undefined {
  const { quantity } = sent
  if (quantity !== undefined) return decimalHint(quantity, { exponents: false })
  const elsewhere = QUANTITY_ELSEWHERE.find((name) => sent[name] !== undefined)
  return elsewhere === undefined ? undefined : `is required: how much was used is called quantity, not ${elsewhere}`
}

function propertiesHint({ properties }: Readonly<Record<string, unknown>>): string {
  const [name = 'user_id'] = typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
  return `is not a property: properties stand in data itself, such as data.${name}`
}

const readPlain = eventReader(PlainEvent, invalidEvent, plainHint)
const readCloud = eventReader(CloudEvent, invalidEvent, cloudHint)

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
