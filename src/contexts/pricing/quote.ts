import { decimal, plain } from '../../kernel/decimal.ts'
import { invariant } from '../../kernel/invariant.ts'
import { fromMinor } from '../../kernel/money.ts'
import { isBefore } from '../../kernel/period.ts'
import { chargeDrafts } from './charge.ts'
import type {
  AddonTerms,
  AdjustmentFacts,
  LlmFacts,
  PlanTerms,
  Quote,
  QuoteFacts,
  SegmentFacts,
  SubscriptionFacts,
} from './facts.ts'
import { type LineDraft, postLine, type SegmentDraft, totalCents } from './line.ts'
import { prorate, type Proration, prorationOf } from './proration.ts'
import { isCharged, newAddons, type ProratedSegment, sharing } from './sharing.ts'
import { taxDrafts } from './tax.ts'

/** Changes when the same facts could give other lines. Stored with every invoice. */
export const ENGINE_VERSION = '1'

/**
 * The one function that computes a price: a quote, a projection, an invoice and a re-rating all call it.
 *
 * Lines come in a fixed order: per subscription and segment the base price, the add-ons by code and the charges in
 * plan order (each followed by its minimum), then LLM usage, adjustments and tax. Facts that contradict each other
 * (a plan in another currency, a segment outside the period, a taxable tenant without a rate) are a bug of the caller
 * and throw InvariantError.
 */
export function quote(facts: QuoteFacts): Quote {
  const { currency } = facts
  const taxable = facts.tax.treatment === 'taxable'
  const charged = draftsOf(facts).map((draft) => postLine(draft, { currency, taxable }))
  const tax = taxDrafts(charged, facts).map((draft) => postLine(draft, { currency, taxable: false }))
  const subtotal_cents = totalCents(charged)
  const tax_cents = totalCents(tax)
  return {
    currency,
    lines: [...charged, ...tax],
    subtotal_cents,
    tax_cents,
    total_cents: subtotal_cents + tax_cents,
    engine_version: ENGINE_VERSION,
  }
}

function draftsOf(facts: QuoteFacts): LineDraft[] {
  return [
    ...facts.subscriptions.flatMap((subscription) => subscriptionDrafts(subscription, facts)),
    ...facts.llm.filter((llm) => llm.event_count > 0).map(llmDraft),
    ...facts.adjustments.map((adjustment) => adjustmentDraft(adjustment, facts)),
  ]
}

function subscriptionDrafts(subscription: SubscriptionFacts, facts: QuoteFacts): LineDraft[] {
  const { deployment_id, subscription_id } = subscription
  const segments = subscription.segments.map((segment) => prorated(segment, facts))
  const groups = sharing(segments)
  return [...groups.flatMap(baseDrafts), ...addonDrafts(segments), ...groups.flatMap(groupChargeDrafts)]
    .toSorted((a, b) => Temporal.PlainDate.compare(a.service_period.start, b.service_period.start))
    .map((draft) => ({ deployment_id, subscription_id, ...draft }))
}

function prorated(segment: SegmentFacts, facts: QuoteFacts): ProratedSegment {
  checkSegment(segment, facts)
  return { segment, proration: prorationOf(segment.plan.proration, { active: segment.active, period: facts.period }) }
}

function checkSegment(segment: SegmentFacts, facts: QuoteFacts): void {
  const { active, plan } = segment
  invariant(plan.currency === facts.currency, `a plan in ${plan.currency} cannot be billed in ${facts.currency}`)
  const inside = !isBefore(active.start, facts.period.start) && !isBefore(facts.period.end, active.end)
  invariant(inside, `segment ${active.start} to ${active.end} must lie within the billing period`)
}

/** The base price, in the first segment that pays it. */
function baseDrafts(group: readonly ProratedSegment[]): SegmentDraft[] {
  const first = group.find(({ segment }) => isCharged(segment))
  if (first === undefined || first.segment.plan.base_price_cents === 0n) return []
  const { segment, proration } = first
  const { plan } = segment
  const price = fromMinor(plan.base_price_cents, plan.currency)
  return [
    {
      kind: 'plan_base',
      meter: null,
      description: baseDescription(plan),
      quantity: '1',
      unit_price: plain(price),
      amount: prorate(price, proration),
      service_period: segment.active,
      details: { plan_code: plan.code, plan_version: plan.version, plan_name: plan.name, ...proration },
    },
  ]
}

function baseDescription(plan: PlanTerms): string {
  if (plan.code === null) return plan.name === null ? 'Base price' : `${plan.name} base price`
  return plan.version === null ? `${plan.code} base price` : `${plan.code} v${plan.version} base price`
}

/** What an add-on costs in each segment; once it was paid without proration, it is paid for the period. */
function addonDrafts(segments: readonly ProratedSegment[]): SegmentDraft[] {
  const charged = segments.filter(({ segment }) => isCharged(segment))
  return charged.flatMap(({ segment, proration }, index) => {
    const earlier = charged.slice(0, index).map((one) => one.segment)
    const paid = earlier.filter(({ plan }) => plan.proration === 'none')
    return newAddons(segment, paid)
      .toSorted(byCode)
      .map((addon) => addonDraft(addon, segment, proration))
  })
}

function addonDraft(addon: AddonTerms, segment: SegmentFacts, proration: Proration): SegmentDraft {
  const price = fromMinor(addon.price_cents, segment.plan.currency)
  return {
    kind: 'addon',
    meter: null,
    description: `Addon: ${addon.code}`,
    quantity: '1',
    unit_price: plain(price),
    amount: prorate(price, proration),
    service_period: segment.active,
    details: {
      addon_code: addon.code,
      addon_name: addon.name,
      addon_quantity: plain(decimal(addon.quantity)),
      unit: addon.unit,
      grants_meter: addon.grants_meter,
      ...proration,
    },
  }
}

/** By code unit, so that the order does not depend on the machine's locale; add-ons of one code by id. */
function byCode(a: AddonTerms, b: AddonTerms): number {
  return compareText(a.code, b.code) || compareText(a.id ?? '', b.id ?? '')
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function groupChargeDrafts(group: readonly ProratedSegment[]): SegmentDraft[] {
  const charges = group[0]?.segment.plan.charges ?? []
  return charges.flatMap((charge) => chargeDrafts(charge, group))
}

function llmDraft(llm: LlmFacts): LineDraft {
  return {
    kind: 'llm_usage',
    deployment_id: llm.deployment_id,
    subscription_id: llm.subscription_id,
    meter: null,
    description: 'LLM usage',
    quantity: llm.event_count.toString(),
    unit_price: null,
    amount: decimal(llm.charge),
    service_period: llm.service_period,
    details: {},
  }
}

function adjustmentDraft(adjustment: AdjustmentFacts, facts: QuoteFacts): LineDraft {
  return {
    kind: 'adjustment',
    deployment_id: adjustment.deployment_id,
    subscription_id: adjustment.subscription_id,
    meter: null,
    description: adjustment.description,
    quantity: null,
    unit_price: null,
    amount: fromMinor(adjustment.amount_cents, facts.currency),
    service_period: adjustment.service_period,
    details: adjustment.details,
  }
}
