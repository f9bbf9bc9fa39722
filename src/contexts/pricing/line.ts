import { type Decimal, plain, roundPrecise } from '../../kernel/decimal.ts'
import { type Currency, toMinor } from '../../kernel/money.ts'
import type { LineKind, QuoteLine } from './facts.ts'

/** A line but for whose it is and its tax: `amount_precise` and `amount_cents` are those of `postedAmount`. */
export type LineDraft = {
  kind: LineKind
  meter: string | null
  description: string
  quantity: string | null
  unit_price: string | null
  amount_precise: string
  amount_cents: bigint
  service_period: QuoteLine['service_period']
  details: Readonly<Record<string, unknown>>
}

/** The exact amount, in major units, as it is shown and as it is posted: the one place where a line is rounded. */
export function postedAmount(amount: Decimal, currency: Currency): { amount_precise: string; amount_cents: bigint } {
  const precise = roundPrecise(amount)
  return { amount_precise: plain(precise), amount_cents: toMinor(precise, currency) }
}

/** The draft as a line, with the currency among its details so that the line can be explained on its own. */
export function lineOf(
  draft: LineDraft,
  owner: { deployment_id: string | null; subscription_id: string | null },
  terms: { currency: Currency; taxable: boolean },
): QuoteLine {
  return {
    kind: draft.kind,
    deployment_id: owner.deployment_id,
    subscription_id: owner.subscription_id,
    meter: draft.meter,
    description: draft.description,
    quantity: draft.quantity,
    unit_price: draft.unit_price,
    service_period: draft.service_period,
    amount_precise: draft.amount_precise,
    amount_cents: draft.amount_cents,
    taxable: terms.taxable,
    details: { ...draft.details, currency: terms.currency },
  }
}

/** The sum of posted amounts, in minor units. */
export function totalCents(lines: readonly { amount_cents: bigint }[]): bigint {
  let total = 0n
  for (const { amount_cents } of lines) total += amount_cents
  return total
}
