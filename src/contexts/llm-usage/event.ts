import { type Static, Type } from 'typebox'
import { decimal, plain, ZERO } from '../../kernel/decimal.ts'
import { Problem, problem } from '../../kernel/problem.ts'
import { AnyObject, CurrencyCode, DecimalText, InstantText, Nullable } from '../../platform/wire.ts'
import { eventReader, isAhead, parseInstant, refuseEvent } from '../../platform/intake.ts'
import { contentHash } from '../../platform/json.ts'

export const invalidEvent = problem({ code: 'llm-usage/invalid-event', status: 422, title: 'The event is not valid' })
export const unknownDeployment = problem({
  code: 'llm-usage/unknown-deployment',
  status: 422,
  title: 'The tenant has no such deployment',
})
export const wrongCurrency = problem({
  code: 'llm-usage/wrong-currency',
  status: 422,
  title: 'The charge is not in the currency of the tenant',
})
export const unknownAdjusted = problem({
  code: 'llm-usage/unknown-adjusted-request',
  status: 422,
  title: 'The adjusted request is not known',
})
export const conflict = problem({
  code: 'llm-usage/conflict',
  status: 409,
  title: 'The request is known with other content',
})

/** What the gateway decided: `charge` null is unpriced. Exact decimals in major units of the tenant's currency. */
export type Pricing = { charge: string | null; upstream_cost: string | null; price_version: string | null }

export type LlmEvent = Pricing & {
  gateway_id: string
  gateway_request_id: string
  tenant_id: string
  deployment_id: string
  occurred_at: Temporal.Instant
  provider: string
  model: string
  usage: Readonly<Record<string, number>>
  currency: string
  adjusts: string | null
  tags: unknown
}

/** `content_hash` is over everything but the pricing, which a held event gets later. */
export type LlmEventRow = LlmEvent & { id: string; content_hash: string; received_at: Temporal.Instant }

export type StoredEvent = Pricing & Pick<LlmEventRow, 'gateway_id' | 'gateway_request_id' | 'id' | 'content_hash'>

/** What events refer to. `currency_of` and `owner_of` are keyed by `ownerKey` and `requestKey`. */
export type References = {
  /** The currency of the tenant that owns the deployment. */
  currency_of: ReadonlyMap<string, string>
  /** The deployment that a known request was made for. */
  owner_of: ReadonlyMap<string, string>
}

export const ownerKey = (event: Pick<LlmEvent, 'tenant_id' | 'deployment_id'>): string =>
  JSON.stringify([event.tenant_id, event.deployment_id])
export const requestKey = (event: Pick<LlmEvent, 'gateway_id' | 'gateway_request_id'>): string =>
  JSON.stringify([event.gateway_id, event.gateway_request_id])

/**
 * Each event, or why it is refused, in the order sent: an event may adjust one that stands before it. An event comes in
 * as a Problem when it could not be read.
 */
export function admitAll(
  read: readonly (LlmEvent | Problem)[],
  { currency_of, owner_of }: References,
  now: Temporal.Instant,
): (LlmEvent | Problem)[] {
  const known = new Map(owner_of)
  return read.map((event) => {
    if (event instanceof Problem) return event
    const refused = refusalOf(event, { currency_of, owner_of: known }, now)
    if (refused === undefined) known.set(requestKey(event), ownerKey(event))
    return refused ?? event
  })
}

export type Repeat = 'duplicate' | 'release' | 'conflict'

/** An event that comes again. A charge for one that was held releases it; anything else that differs is a conflict. */
export function compare(stored: StoredEvent, sent: LlmEventRow): Repeat {
  if (stored.content_hash !== sent.content_hash) return 'conflict'
  if (samePricing(stored, sent)) return 'duplicate'
  return stored.charge === null && sent.charge !== null ? 'release' : 'conflict'
}

const Text = Type.String({ minLength: 1, maxLength: 255 })

export const Event = Type.Object(
  {
    gateway_id: Text,
    gateway_request_id: Text,
    occurred_at: InstantText,
    tenant_id: Text,
    deployment_id: Text,
    provider: Text,
    model: Text,
    usage: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
    charge: Nullable(DecimalText),
    currency: CurrencyCode,
    upstream_cost: Type.Optional(Nullable(DecimalText)),
    price_version: Type.Optional(Nullable(Text)),
    adjusts: Type.Optional(Nullable(Text)),
    tags: Type.Optional(AnyObject),
  },
  { additionalProperties: false },
)

const read = eventReader(Event, invalidEvent)

/** What was sent, with canonical decimals and a time in whole microseconds. */
export function readEvent(sent: unknown): LlmEvent | Problem {
  const event = read(sent)
  if (event instanceof Problem) return event
  const occurred_at = parseInstant(event.occurred_at)
  if (occurred_at === undefined) return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: 'must be a time' }])
  return llmEvent(event, occurred_at)
}

export function rowOf(event: LlmEvent, { id, now }: { id: string; now: Temporal.Instant }): LlmEventRow {
  const { charge, upstream_cost, price_version, ...content } = event
  return { ...content, charge, upstream_cost, price_version, id, content_hash: contentHash(content), received_at: now }
}

function llmEvent(event: Static<typeof Event>, occurred_at: Temporal.Instant): LlmEvent {
  return {
    gateway_id: event.gateway_id,
    gateway_request_id: event.gateway_request_id,
    tenant_id: event.tenant_id,
    deployment_id: event.deployment_id.toLowerCase(),
    occurred_at,
    provider: event.provider,
    model: event.model,
    usage: event.usage,
    charge: canonical(event.charge),
    currency: event.currency,
    upstream_cost: canonical(event.upstream_cost ?? null),
    price_version: event.price_version ?? null,
    adjusts: event.adjusts ?? null,
    tags: event.tags ?? {},
  }
}

function refusalOf(event: LlmEvent, { currency_of, owner_of }: References, now: Temporal.Instant): Problem | undefined {
  const currency = currency_of.get(ownerKey(event))
  if (currency === undefined) {
    return unknownDeployment(`Tenant ${event.tenant_id} has no deployment ${event.deployment_id}.`)
  }
  if (event.currency !== currency) {
    return wrongCurrency(`Tenant ${event.tenant_id} is billed in ${currency}; send the charge in that currency.`, [
      { path: 'currency', message: `must be ${currency}` },
    ])
  }
  if (isAhead(event.occurred_at, now)) {
    return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: 'must not lie in the future' }])
  }
  return adjustmentRefusal(event, owner_of)
}

/** An adjustment belongs to the deployment of the request that it corrects; only an adjustment may be negative. */
function adjustmentRefusal(event: LlmEvent, owner_of: ReadonlyMap<string, string>): Problem | undefined {
  if (event.adjusts !== null) {
    const adjusted = requestKey({ gateway_id: event.gateway_id, gateway_request_id: event.adjusts })
    return owner_of.get(adjusted) === ownerKey(event)
      ? undefined
      : unknownAdjusted(`Send request ${event.adjusts} of this deployment first.`, [
          { path: 'adjusts', message: 'must name an earlier request of the same deployment' },
        ])
  }
  return event.charge !== null && decimal(event.charge).lt(ZERO)
    ? refuseEvent(invalidEvent, [
        { path: 'charge', message: 'must not be negative, unless adjusts names an earlier request' },
      ])
    : undefined
}

function samePricing(a: Pricing, b: Pricing): boolean {
  return (
    canonical(a.charge) === canonical(b.charge) &&
    canonical(a.upstream_cost) === canonical(b.upstream_cost) &&
    a.price_version === b.price_version
  )
}

/** Plain notation without trailing zeros. */
export function canonical(amount: string | null): string | null {
  return amount === null ? null : plain(decimal(amount))
}
