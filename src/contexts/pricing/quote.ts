import { decimal } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import { addonDrafts } from './addon.ts'
import { baseDrafts, yearDrafts } from './base.ts'
import { chargeDrafts } from './charge.ts'
import { commitmentDraft } from './commitment.ts'
import { discountDrafts } from './discount.ts'
import type { AdjustmentFacts, LlmFacts, Quote, QuoteFacts, QuoteLine, SubscriptionFacts } from './facts.ts'
import { type LineDraft, lineOf, postedAmount, totalCents } from './line.ts'
import { partsOf, sharing } from './part.ts'
import { taxDraft } from './tax.ts'

/**
 * Changes when the same facts could give other lines or are spelled in another way. Stored with every invoice, and says
 * how to read the hash of its facts: version 2 states discounts, plan years and commitments also where there are none,
 * version 3 the add-ons of a subscription with days of their own.
 */
export const ENGINE_VERSION = '3'

const NOBODY = { deployment_id: null, subscription_id: null }

/**
 * The one function that computes a price: a quote, a projection, an invoice and a re-rating all call it.
 *
 * Lines come in a fixed order: per subscription and segment the base price (with what is given back of a year's), by code
 * the add-ons whose first charged day is in it, and the charges in plan order (each followed by its minimum), then what the
 * subscription lacks to its commitment and its discounts; LLM usage, adjustments and tax come last. Facts that contradict
 * each other (a plan in another currency, a segment outside the period, a taxable tenant without a rate) are a bug of the
 * caller and throw InvariantError.
 */
export function quote(facts: QuoteFacts): Quote {
  const { currency } = facts
  const terms = { currency, taxable: facts.tax.treatment === 'taxable' }
  const charged: QuoteLine[] = []
  for (const subscription of facts.subscriptions) {
    for (const draft of subscriptionDrafts(subscription, facts)) charged.push(lineOf(draft, subscription, terms))
  }
  for (const llm of facts.llm) {
    if (llm.event_count > 0) charged.push(lineOf(llmDraft(llm, facts), llm, terms))
  }
  for (const adjustment of facts.adjustments) {
    charged.push(lineOf(adjustmentDraft(adjustment, facts), adjustment, terms))
  }
  const subtotal_cents = totalCents(charged)
  const tax = terms.taxable && charged.length > 0 ? [taxDraft(subtotal_cents, facts)] : []
  const tax_cents = totalCents(tax)
  return {
    currency,
    lines: [...charged, ...tax.map((draft) => lineOf(draft, NOBODY, { currency, taxable: false }))],
    subtotal_cents,
    tax_cents,
    total_cents: subtotal_cents + tax_cents,
    engine_version: ENGINE_VERSION,
  }
}

function subscriptionDrafts(subscription: SubscriptionFacts, facts: QuoteFacts): LineDraft[] {
  const { discounts } = subscription
  const parts = partsOf(subscription, facts)
  const groups = sharing(parts)
  const years = parts.flatMap(yearDrafts)
  const months = [...groups.flatMap(baseDrafts), ...addonDrafts(parts), ...groups.flatMap(chargeDrafts)]
  const drafts: LineDraft[] = [...years, ...months].toSorted((a, b) => a.at - b.at)
  const commitment = commitmentDraft(groups, months)
  if (commitment !== null) drafts.push(commitment)
  if (discounts.length === 0) return drafts
  return [...drafts, ...discountDrafts(drafts, { discounts, currency: facts.currency })]
}

function llmDraft(llm: LlmFacts, { currency }: QuoteFacts): LineDraft {
  return {
    kind: 'llm_usage',
    meter: null,
    description: 'LLM usage',
    quantity: llm.event_count.toString(),
    unit_price: null,
    ...postedAmount(decimal(llm.charge), currency),
    service_period: llm.service_period,
    details: {},
  }
}

function adjustmentDraft(adjustment: AdjustmentFacts, { currency }: QuoteFacts): LineDraft {
  return {
    kind: 'adjustment',
    meter: null,
    description: adjustment.description,
    quantity: null,
    unit_price: null,
    ...postedAmount(fromMinor(adjustment.amount_cents, currency), currency),
    service_period: adjustment.service_period,
    details: adjustment.details,
  }
}
