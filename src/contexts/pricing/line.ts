import { type Decimal, plain, roundPrecise } from '../../kernel/decimal.ts'
import { type Currency, toMinor } from '../../kernel/money.ts'
import type { QuoteLine } from './facts.ts'

/** A line before it is rounded: `amount` is exact, in major units. */
export type LineDraft = Omit<QuoteLine, 'amount_precise' | 'amount_cents' | 'taxable'> & { amount: Decimal }

/** What a subscription's segment contributes; whose subscription it is, is known one level up. */
export type SegmentDraft = Omit<LineDraft, 'deployment_id' | 'subscription_id'>

/** Rounds the draft, and puts the currency among its details so that the line can be explained on its own. */
export function postLine(draft: LineDraft, terms: { currency: Currency; taxable: boolean }): QuoteLine {
  const { amount, details, ...rest } = draft
  return {
    ...rest,
    amount_precise: plain(roundPrecise(amount)),
    amount_cents: toMinor(amount, terms.currency),
    taxable: terms.taxable,
    details: { ...details, currency: terms.currency },
  }
}

/** The sum of posted amounts, in minor units. */
export function totalCents(lines: readonly QuoteLine[]): bigint {
  return lines.reduce((total, line) => total + line.amount_cents, 0n)
}
