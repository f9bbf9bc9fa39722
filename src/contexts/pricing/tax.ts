import { decimal, plain } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { fromMinor, jsonInteger } from '../../kernel/money.ts'
import type { QuoteFacts } from './facts.ts'
import { type LineDraft, postedAmount } from './line.ts'

/**
 * The tax of a taxable tenant: one line, computed on the sum of the taxable lines and so rounded once. Prices are
 * tax-exclusive.
 *
 * Source: A New Tax System (Goods and Services Tax) Act 1999 (Australia), section 9-90.
 */
export function taxDraft(taxable_cents: bigint, { tax, currency, period }: QuoteFacts): LineDraft {
  const rate = decimal(present(tax.rate, 'a taxable tenant has a tax rate'))
  return {
    kind: 'tax',
    meter: null,
    description: `${tax.name ?? 'Tax'} ${plain(rate.times(decimal('100')))} %`,
    quantity: null,
    unit_price: null,
    ...postedAmount(fromMinor(taxable_cents, currency).times(rate), currency),
    service_period: period,
    details: { name: tax.name, rate: plain(rate), taxable_cents: jsonInteger(taxable_cents) },
  }
}
