import { present } from '../../kernel/invariant.ts'
import {
  earlierDate,
  earlierInstant,
  instantsOf,
  isBefore,
  isTimeZone,
  monthOf,
  overlap,
  type Period,
  type Window,
} from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { readPlanTerms } from '../catalog/index.ts'
import { readLlmCharges } from '../llm-usage/index.ts'
import { readUsage, type UsageWindow } from '../metering/index.ts'
import {
  type AttachedAddon,
  type LlmFacts,
  overridden,
  type PlanTerms,
  type PlanYear,
  type QuoteFacts,
  type Segment,
  type SegmentFacts,
  segments,
} from '../pricing/index.ts'
import {
  type BilledSubscription,
  discountsIn,
  pausedDays,
  planYear,
  planYears,
  readSubscriptions,
  type SubscribedYear,
} from '../subscriptions/index.ts'
import { taxTermsOf, type Tenant } from '../tenants/index.ts'
import { type Attempt, attempt } from './attempt.ts'
import { meteredDays, segmentOfEndDay } from './end-day.ts'
import { unknownPlan, unknownTimeZone } from './problems.ts'
import { monthKey, readDeploymentIds, readLeft, type TenantMonth } from './queries.ts'

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
  /** Other terms than those agreed to. */
  instead?: Substitution
}

/**
 * What if: each subscription as it is to be rated in place of what was agreed to, and the plan terms that it may name
 * besides the stored ones, by plan version id.
 */
export type Substitution = {
  subscription: (agreed: BilledSubscription) => BilledSubscription
  plans: ReadonlyMap<string, PlanTerms>
}

/**
 * The facts of each tenant, by tenant id, without adjustments. A fixed number of statements, whatever the number of
 * tenants; a tenant whose facts cannot be put together fails alone.
 */
export async function readBillableFacts(reader: Reader, scope: FactsScope): Promise<Map<string, Attempt<QuoteFacts>>> {
  const outlines = await readOutlines(reader, scope)
  const known = outlines.flatMap((outline) => (outline.ok ? [outline.value] : []))
  const measured: Measured = {
    usage: await readUsage(reader, known.flatMap(usageWindows)),
    llm: await readLlmCharges(reader, known.flatMap(llmWindows)),
    left: await readLeft(reader, known.flatMap(monthsGivenBack)),
  }
  return new Map(
    scope.tenants.map((tenant, index) => {
      const outline = present(outlines[index], 'every tenant has an outline')
      return [tenant.id, outline.ok ? attempt(() => factsOf(outline.value, measured)) : outline]
    }),
  )
}

/** What is to be measured for one tenant, and the prices that say how. */
type Outline = {
  tenant: Tenant
  period: Period
  /** The period as instants, cut at `as_of`. */
  window: Window
  subscriptions: { subscription: BilledSubscription; segments: PricedSegment[]; addons: AttachedAddon[] }[]
  deployment_ids: readonly string[]
}

/** `key` names the segment's usage among that of all tenants. */
type PricedSegment = { segment: Segment; plan: PlanTerms; year: PlanYear | null; key: string; window: Window }

type Measured = {
  usage: Awaited<ReturnType<typeof readUsage>>
  llm: Awaited<ReturnType<typeof readLlmCharges>>
  /** What credit notes have left of earlier months in which years were billed that give something back. */
  left: Awaited<ReturnType<typeof readLeft>>
}

async function readOutlines(reader: Reader, scope: FactsScope): Promise<Attempt<Outline>[]> {
  const { period, tenants, deployment_id, instead } = scope
  const filter = {
    tenant_ids: tenants.map((tenant) => tenant.id),
    ...(deployment_id !== undefined && { deployment_id }),
  }
  const agreed = await readSubscriptions(reader, { period, ...filter })
  const subscriptions = instead === undefined ? agreed : agreed.map(instead.subscription)
  const versions = new Set(subscriptions.flatMap(({ phases }) => phases.map((phase) => phase.plan_version_id)))
  const stored = await readPlanTerms(
    reader,
    [...versions].filter((id) => !instead?.plans.has(id)),
  )
  const plans = new Map([...stored, ...(instead?.plans ?? [])])
  const deployments = await readDeploymentIds(reader, filter)
  const byTenant = Map.groupBy(subscriptions, (subscription) => subscription.tenant_id)
  return tenants.map((tenant) =>
    attempt(() =>
      outlineOf(tenant, {
        scope,
        plans,
        subscriptions: byTenant.get(tenant.id) ?? [],
        deployment_ids: deployments.get(tenant.id) ?? [],
      }),
    ),
  )
}

type Plans = ReadonlyMap<string, PlanTerms>

function outlineOf(
  tenant: Tenant,
  has: {
    scope: FactsScope
    plans: Plans
    subscriptions: readonly BilledSubscription[]
    deployment_ids: readonly string[]
  },
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
      .map((subscription) => {
        const metered = { subscription, others: has.subscriptions, month: period }
        return {
          subscription,
          addons: attachedAddons(subscription, billed),
          segments: pricedSegments(subscription, billed, has.plans).map((priced) => ({
            ...priced,
            key: `${subscription.subscription_id}/${priced.segment.active.start}`,
            window: elapsed(instantsOf(meteredDays(priced.segment.active, metered), tenant.timezone), as_of),
          })),
        }
      })
      .filter((entry) => entry.segments.length > 0),
  }
}

/** The segments of the days in `billed`, each with its prices and plan year. */
function pricedSegments(
  subscription: BilledSubscription,
  billed: Period,
  plans: Plans,
): Pick<PricedSegment, 'segment' | 'plan' | 'year'>[] {
  const { phases, yearly_phases, overrides } = subscription
  const termsOf: TermsOf = ({ plan_version_id, override_id }) => {
    const plan = plans.get(plan_version_id)
    if (plan === undefined) throw unknownPlan(`Plan version ${plan_version_id} does not exist; change the plan.`)
    const promise = 'an override that a phase names belongs to its subscription'
    return override_id === null ? plan : overridden(plan, present(overrides.get(override_id), promise))
  }
  const year_starts = planYears(yearly_phases, billed).map((year) => year.period.start)
  const held = segments({ period: billed, phases, year_starts }).map((segment) => {
    const year = segment.mode === 'trial' ? null : planYear(yearly_phases, segment.active.start)
    return { segment, plan: termsOf(segment), year: year && yearOf(year, segment, { subscription, termsOf }) }
  })
  const last = segmentOfEndDay(subscription, billed)
  return last === null ? held : [...held, { segment: last, plan: termsOf(last), year: null }]
}

type TermsOf = (of: Pick<Segment, 'plan_version_id' | 'override_id'>) => PlanTerms

/**
 * A year is billed once, at the price of its first day and with the discounts of its first month: what an override or a
 * discount changes later is of the years to come.
 */
function yearOf(
  year: SubscribedYear,
  segment: Segment,
  { subscription, termsOf }: { subscription: BilledSubscription; termsOf: TermsOf },
): PlanYear {
  const billed_cents = termsOf(year).base_price_cents
  const discounts = discountsIn(subscription, monthOf(year.period.start))
  const days_given_back = pausedDays(subscription.yearly_phases, year, segment.active.start)
  return {
    period: year.period,
    is_left: year.left_on !== null && year.left_on.equals(segment.active.end),
    ...(billed_cents !== termsOf(segment).base_price_cents && { base_price_cents: billed_cents }),
    ...(discounts.length > 0 && { discounts }),
    ...(days_given_back > 0 && { days_given_back }),
  }
}

/** The add-ons with their days in `billed`. */
function attachedAddons({ addons }: BilledSubscription, billed: Period): AttachedAddon[] {
  return addons.flatMap(({ start, end, ...terms }) => {
    const active = overlap(billed, { start, end })
    return active === undefined ? [] : [{ ...terms, active }]
  })
}

/** The part of the window that has passed; an empty one where nothing has. */
function elapsed(window: Window, as_of: Temporal.Instant): Window {
  return { start: earlierInstant(window.start, as_of), end: earlierInstant(window.end, as_of) }
}

function usageWindows({ tenant, subscriptions }: Outline): UsageWindow[] {
  return subscriptions.flatMap(({ subscription, segments }) =>
    segments.map(({ key, window, plan }) => ({
      key,
      tenant_id: tenant.id,
      deployment_id: subscription.deployment_id,
      charges: plan.charges,
      ...window,
    })),
  )
}

function llmWindows({ tenant, window, deployment_ids }: Outline) {
  return deployment_ids.map((deployment_id) => ({ key: deployment_id, tenant_id: tenant.id, deployment_id, ...window }))
}

/**
 * The earlier months whose bill a year gives back of. What the month itself billed, it gives back of its own lines, and
 * what credit notes gave back of those is left out by its adjustments.
 */
function monthsGivenBack({ tenant, period, subscriptions }: Outline): TenantMonth[] {
  return subscriptions.flatMap(({ segments }) =>
    segments.flatMap(({ segment, year }) =>
      year !== null && isBefore(year.period.start, period.start) && (year.is_left || segment.mode === 'paused')
        ? [billedIn(tenant, year)]
        : [],
    ),
  )
}

function billedIn(tenant: Tenant, year: PlanYear): TenantMonth {
  return { tenant_id: tenant.id, period_start: monthOf(year.period.start).start }
}

function factsOf(outline: Outline, measured: Measured): QuoteFacts {
  const { tenant, period, subscriptions } = outline
  return {
    currency: tenant.currency,
    period,
    tax: taxTermsOf(tenant),
    subscriptions: subscriptions
      .map(({ subscription, segments, addons }) => ({
        deployment_id: subscription.deployment_id,
        subscription_id: subscription.subscription_id,
        segments: segmentFacts(segments, { tenant, measured }).filter(hasDaysOrUsage),
        addons,
        discounts: discountsIn(subscription, period),
      }))
      .filter((facts) => facts.segments.length > 0),
    llm: llmFacts(outline, measured),
    adjustments: [],
  }
}

function segmentFacts(
  segments: readonly PricedSegment[],
  { tenant, measured: { usage, left } }: { tenant: Tenant; measured: Measured },
): SegmentFacts[] {
  const withLeft = (year: PlanYear): PlanYear => {
    const left_cents = left.get(monthKey(billedIn(tenant, year)))
    return left_cents === undefined ? year : { ...year, left_cents }
  }
  return segments.map(({ segment: { active, mode }, plan, year, key }) => ({
    active,
    mode,
    plan,
    ...present(usage.get(key), 'every window has its usage'),
    year: year && withLeft(year),
  }))
}

function hasDaysOrUsage({ active, usage }: SegmentFacts): boolean {
  return isBefore(active.start, active.end) || Object.keys(usage).length > 0
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
