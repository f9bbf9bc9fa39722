import { present } from '../../kernel/invariant.ts'
import { earlierDate, earlierInstant, instantsOf, isTimeZone, type Period, type Window } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { readPlanTerms } from '../catalog/index.ts'
import { readLlmCharges } from '../llm-usage/index.ts'
import { readUsage } from '../metering/index.ts'
import {
  type LlmFacts,
  type PlanTerms,
  type QuoteFacts,
  type Segment,
  type SegmentFacts,
  segments,
  type SubscriptionFacts,
} from '../pricing/index.ts'
import { readSubscriptions, type BilledSubscription } from '../subscriptions/index.ts'
import { taxTermsOf, type Tenant } from '../tenants/index.ts'
import { type Attempt, attempt } from './attempt.ts'
import { unknownPlan, unknownTimeZone } from './problems.ts'
import { readDeploymentIds } from './queries.ts'

export type FactsScope = {
  /** A calendar month, on the calendar of each tenant's zone. */
  period: Period
  tenants: readonly Tenant[]
  /** Usage is read up to here: what still lives does not count beyond it. */
  as_of: Temporal.Instant
  /** Only this deployment of them. */
  deployment_id?: string
  /** The first day whose base price and add-ons are left out; default: the end of the period. */
  days_until?: Temporal.PlainDate
}

/**
 * The facts of each tenant, by tenant id, without adjustments. A fixed number of statements, whatever the number of
 * tenants; a tenant whose facts cannot be put together fails alone.
 */
export async function readBillableFacts(reader: Reader, scope: FactsScope): Promise<Map<string, Attempt<QuoteFacts>>> {
  const outlines = await readOutlines(reader, scope)
  const known = outlines.flatMap((outline) => (outline.ok ? [outline.value] : []))
  const parts = known.flatMap((outline) => outline.subscriptions.flatMap((entry) => entry.segments))
  const measured: Measured = {
    plans: await readPlanTerms(reader, [...new Set(parts.map((part) => part.segment.plan_version_id))]),
    usage: await readUsage(reader, known.flatMap(usageWindows)),
    llm: await readLlmCharges(reader, known.flatMap(llmWindows)),
  }
  return new Map(
    scope.tenants.map((tenant, index) => {
      const outline = present(outlines[index], 'every tenant has an outline')
      return [tenant.id, outline.ok ? attempt(() => factsOf(outline.value, measured)) : outline]
    }),
  )
}

/** What is to be measured for one tenant. */
type Outline = {
  tenant: Tenant
  period: Period
  /** The period as instants, cut at `as_of`. */
  window: Window
  subscriptions: { subscription: BilledSubscription; segments: MeteredSegment[] }[]
  deployment_ids: readonly string[]
}

/** `key` names the segment's usage among that of all tenants. */
type MeteredSegment = { segment: Segment; key: string; window: Window }

type Measured = {
  plans: Awaited<ReturnType<typeof readPlanTerms>>
  usage: Awaited<ReturnType<typeof readUsage>>
  llm: Awaited<ReturnType<typeof readLlmCharges>>
}

async function readOutlines(reader: Reader, scope: FactsScope): Promise<Attempt<Outline>[]> {
  const { period, tenants, deployment_id } = scope
  const filter = {
    tenant_ids: tenants.map((tenant) => tenant.id),
    ...(deployment_id !== undefined && { deployment_id }),
  }
  // A subscription that follows one of the period may start on the day after it.
  const subscriptions = Map.groupBy(
    await readSubscriptions(reader, { period: withDayAfter(period), ...filter }),
    (entry) => entry.tenant_id,
  )
  const deployments = await readDeploymentIds(reader, filter)
  return tenants.map((tenant) =>
    attempt(() =>
      outlineOf(tenant, {
        scope,
        subscriptions: subscriptions.get(tenant.id) ?? [],
        deployment_ids: deployments.get(tenant.id) ?? [],
      }),
    ),
  )
}

function outlineOf(
  tenant: Tenant,
  has: { scope: FactsScope; subscriptions: readonly BilledSubscription[]; deployment_ids: readonly string[] },
): Outline {
  const { period, as_of, days_until = period.end } = has.scope
  if (!isTimeZone(tenant.timezone)) {
    throw unknownTimeZone(`There is no time zone ${tenant.timezone}; give the tenant one that exists.`)
  }
  const billed = { start: period.start, end: earlierDate(period.end, days_until) }
  return {
    tenant,
    period,
    window: elapsed(instantsOf(period, tenant.timezone), as_of),
    deployment_ids: has.deployment_ids,
    subscriptions: has.subscriptions
      .map((subscription) => ({
        subscription,
        segments: segments({ period: billed, phases: subscription.phases, addons: identified(subscription) }).map(
          (segment) => ({
            segment,
            key: `${subscription.subscription_id}/${segment.active.start}`,
            window: elapsed(
              instantsOf(meteredDays(segment.active, subscription, has.subscriptions), tenant.timezone),
              as_of,
            ),
          }),
        ),
      }))
      .filter((entry) => entry.segments.length > 0),
  }
}

/**
 * The day on which a subscription ends is not billed, but what was used on it is, with the days before, unless the
 * deployment has another subscription from that day on.
 */
function meteredDays(
  active: Period,
  { subscription_id, deployment_id, ends_on }: BilledSubscription,
  subscriptions: readonly BilledSubscription[],
): Period {
  const is_last = ends_on !== null && active.end.equals(ends_on)
  const followed = subscriptions.some(
    (other) =>
      other.deployment_id === deployment_id &&
      other.subscription_id !== subscription_id &&
      ends_on?.equals(other.starts_on),
  )
  return is_last && !followed ? withDayAfter(active) : active
}

function withDayAfter({ start, end }: Period): Period {
  return { start, end: end.add({ days: 1 }) }
}

function identified(subscription: BilledSubscription) {
  return subscription.addons.map((addon) => ({ ...addon, id: present(addon.id, 'an attached add-on has an id') }))
}

/** The part of the window that has passed; an empty one where nothing has. */
function elapsed(window: Window, as_of: Temporal.Instant): Window {
  return { start: earlierInstant(window.start, as_of), end: earlierInstant(window.end, as_of) }
}

function usageWindows({ tenant, subscriptions }: Outline) {
  return subscriptions.flatMap(({ subscription, segments }) =>
    segments.map(({ key, window }) => ({
      key,
      tenant_id: tenant.id,
      deployment_id: subscription.deployment_id,
      ...window,
    })),
  )
}

function llmWindows({ tenant, window, deployment_ids }: Outline) {
  return deployment_ids.map((deployment_id) => ({ key: deployment_id, tenant_id: tenant.id, deployment_id, ...window }))
}

function factsOf(outline: Outline, measured: Measured): QuoteFacts {
  const { tenant, period, subscriptions } = outline
  return {
    currency: tenant.currency,
    period,
    tax: taxTermsOf(tenant),
    subscriptions: subscriptions.map((entry) => subscriptionFacts(entry, measured)),
    llm: llmFacts(outline, measured),
    adjustments: [],
  }
}

function subscriptionFacts(
  { subscription, segments }: Outline['subscriptions'][number],
  measured: Measured,
): SubscriptionFacts {
  const { deployment_id, subscription_id } = subscription
  const addons = new Map(identified(subscription).map(({ start: _start, end: _end, ...terms }) => [terms.id, terms]))
  return {
    deployment_id,
    subscription_id,
    segments: segments.map(({ segment: { active, mode, plan_version_id, addon_ids }, key }): SegmentFacts => ({
      active,
      mode,
      plan: planOf(plan_version_id, measured),
      addons: addon_ids.map((id) => present(addons.get(id), 'a segment names add-ons of its subscription')),
      usage: measured.usage.get(key) ?? {},
    })),
  }
}

function planOf(plan_version_id: string, { plans }: Measured): PlanTerms {
  const plan = plans.get(plan_version_id)
  if (plan === undefined) throw unknownPlan(`Plan version ${plan_version_id} does not exist; change the plan.`)
  return plan
}

/** One entry per deployment: LLM usage is billed for the month, also outside a subscription. */
function llmFacts({ period, deployment_ids }: Outline, { llm }: Measured): LlmFacts[] {
  return deployment_ids.flatMap((deployment_id) => {
    const charges = llm.get(deployment_id)
    if (charges === undefined) return []
    // A held event has no charge yet. Its release counts as late usage.
    const event_count = charges.event_count - charges.held_count
    return [{ deployment_id, subscription_id: null, charge: charges.charge, event_count, service_period: period }]
  })
}
