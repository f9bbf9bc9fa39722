import { decimal, plain } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { fromMinor, jsonInteger } from '../../kernel/money.ts'
import type { QuoteFacts, QuoteLine } from './facts.ts'
import { type LineDraft, totalCents } from './line.ts'

/**
 * The tax of the posted lines: one line, computed on the sum of the taxable ones and so rounded once. None for an
 * export, an exempt tenant or an empty bill. Prices are tax-exclusive.
 *
 * Source: A New Tax System (Goods and Services Tax) Act 1999 (Australia), section 9-90.
 */
export function taxDrafts(lines: readonly QuoteLine[], facts: QuoteFacts): LineDraft[] {
  const taxable = lines.filter((line) => line.taxable)
  if (taxable.length === 0) return []
  const rate = decimal(present(facts.tax.rate, 'a taxable tenant has a tax rate'))
  const taxable_cents = totalCents(taxable)
  return [
    {
      kind: 'tax',
      deployment_id: null,
      subscription_id: null,
      meter: null,
      description: `${facts.tax.name ?? 'Tax'} ${plain(rate.times(decimal('100')))} %`,
      quantity: null,
      unit_price: null,
      amount: fromMinor(taxable_cents, facts.currency).times(rate),
      service_period: facts.period,
      details: { name: facts.tax.name, rate: plain(rate), taxable_cents: jsonInteger(taxable_cents) },
    },
  ]
}
