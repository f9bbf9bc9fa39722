import { type Static, Type } from 'typebox'
import { decimal, fitsContract, plain, readDecimal, ZERO } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { Problem, problem } from '../../kernel/problem.ts'
import { AnyObject, CurrencyCode, InstantText, Nullable, TextOf, WrittenDecimalText } from '../../platform/wire.ts'
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
export const nothingAccepted = problem({
  code: 'llm-usage/nothing-accepted',
  status: 422,
  title: 'None of the events was accepted',
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
  /** What the gateway counted, as it wrote it: evidence, and never a ground to refuse the charge. */
  usage: unknown
  currency: string
  adjusts: string | null
  tags: unknown
}

/**
 * `content_hash` is over everything but the pricing, which a held event gets later. `byok`: the tenant pays the model's
 * provider itself, by its own key, so nothing of the event is charged or held.
 */
export type LlmEventRow = LlmEvent & { id: string; byok: boolean; content_hash: string; received_at: Temporal.Instant }

export type StoredEvent = Pricing &
  Pick<LlmEventRow, 'gateway_id' | 'gateway_request_id' | 'id' | 'byok' | 'content_hash'>

/** What events refer to. `currency_of` and `owner_of` are keyed by `ownerKey` and `requestKey`. */
export type References = {
  /** The currency of the tenant that owns the deployment. */
  currency_of: ReadonlyMap<string, string>
  /** The owners whose deployment is used with the tenant's own keys. */
  byok: ReadonlySet<string>
  /** The tenants of deployments that were sent as another's, for those who may know. */
  tenant_of: ReadonlyMap<string, string>
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
  references: References,
  now: Temporal.Instant,
): (LlmEvent | Problem)[] {
  const known = new Map(references.owner_of)
  return read.map((event) => {
    if (event instanceof Problem) return event
    const refused = refusalOf(event, { ...references, owner_of: known }, now)
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

const Text = TextOf({ minLength: 1, maxLength: 255 })

export const Event = Type.Object(
  {
    gateway_id: Text,
    gateway_request_id: Text,
    occurred_at: InstantText,
    tenant_id: Text,
    deployment_id: Text,
    provider: Text,
    model: Text,
    usage: Type.Optional(Nullable(AnyObject)),
    charge: Nullable(WrittenDecimalText),
    currency: CurrencyCode,
    upstream_cost: Type.Optional(Nullable(WrittenDecimalText)),
    price_version: Type.Optional(Nullable(Text)),
    adjusts: Type.Optional(Nullable(Text)),
    tags: Type.Optional(AnyObject),
  },
  { additionalProperties: false },
)

const AMOUNTS = ['charge', 'upstream_cost'] as const

const hint: Hint = (path, sent) => {
  if (path === 'gateway_request_id' && sent[path] === undefined) return ID_REQUIRED
  if (path === 'occurred_at') return timeHint(sent[path])
  const amount = AMOUNTS.find((name) => name === path)
  return amount === undefined ? undefined : decimalHint(sent[amount], { exponents: true })
}

const read = eventReader(Event, invalidEvent, hint)

/** What was sent, with canonical decimals and a time in whole microseconds. */
export function readEvent(sent: unknown): LlmEvent | Problem {
  const event = read(sent)
  if (event instanceof Problem) return event
  const occurred_at = parseInstant(event.occurred_at)
  if (occurred_at === undefined) return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: 'must be a time' }])
  const faults = AMOUNTS.filter((name) => !isAmount(event[name])).map((name) => ({
    path: name,
    message: decimalHint(event[name], { exponents: true }) ?? 'must be an exact decimal as text',
  }))
  if (faults.length > 0) return refuseEvent(invalidEvent, faults)
  return llmEvent(event, occurred_at)
}

export function rowOf(
  event: LlmEvent,
  { id, byok, now }: { id: string; byok: boolean; now: Temporal.Instant },
): LlmEventRow {
  const { charge, upstream_cost, price_version, ...content } = event
  const content_hash = contentHash(content)
  return { ...content, charge, upstream_cost, price_version, id, byok, content_hash, received_at: now }
}

/** Unpriced, and to be charged: the event waits for its charge. */
export function isHeld({ charge, byok }: Pick<LlmEventRow, 'charge' | 'byok'>): boolean {
  return charge === null && !byok
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
    usage: event.usage ?? {},
    charge: canonical(event.charge),
    currency: event.currency,
    upstream_cost: canonical(event.upstream_cost ?? null),
    price_version: event.price_version ?? null,
    adjusts: event.adjusts ?? null,
    tags: event.tags ?? {},
  }
}

function isAmount(text: string | null | undefined): boolean {
  if (text === null || text === undefined) return true
  const read = readDecimal(text)
  return read !== undefined && fitsContract(read)
}

function refusalOf(
  event: LlmEvent,
  { currency_of, tenant_of, owner_of }: References,
  now: Temporal.Instant,
): Problem | undefined {
  const currency = currency_of.get(ownerKey(event))
  if (currency === undefined) {
    const owner = tenant_of.get(event.deployment_id)
    const belongs = owner === undefined ? '' : ` It belongs to tenant ${owner}.`
    return unknownDeployment(
      `Tenant ${event.tenant_id} has no deployment ${event.deployment_id}.${belongs}${idHint(event.deployment_id)}`,
    )
  }
  if (event.currency !== currency) {
    return wrongCurrency(`Tenant ${event.tenant_id} is billed in ${currency}; send the charge in that currency.`, [
      { path: 'currency', message: `must be ${currency}` },
    ])
  }
  const refused = refusedTime(event.occurred_at, now)
  if (refused !== null) return refuseEvent(invalidEvent, [{ path: 'occurred_at', message: refused }])
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
  return amount === null ? null : plain(present(readDecimal(amount), 'an amount has been read as a decimal'))
}
