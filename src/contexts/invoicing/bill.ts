import { decimal, plain } from '../../kernel/decimal.ts'
import {
  type AdjustmentFacts,
  amountTooLargeIn,
  type Quote,
  quote,
  type QuoteFacts,
  type TaxTerms,
} from '../pricing/index.ts'
import { amountTooLarge } from './problems.ts'

/** A difference to an earlier invoice, which is taxed as that invoice was. */
export type TaxedAdjustment = AdjustmentFacts & { tax: TaxTerms }

/** All that an invoice comes to. */
export type BillFacts = Omit<QuoteFacts, 'adjustments'> & { adjustments: readonly TaxedAdjustment[] }

/**
 * The lines of an invoice: one quote per tax terms, brought together with the tax lines last, so that there is one tax
 * line per tax. Throws `invoicing/amount-too-large`.
 */
export function billOf(facts: BillFacts): Quote {
  const own = termsKey(facts.tax)
  const { [own]: usual = [], ...others } = Object.groupBy(facts.adjustments, ({ tax }) => termsKey(tax))
  const earlier = Object.values(others).map((adjustments = []) => earlierFacts(facts, adjustments))
  return requireAmounts([{ ...facts, adjustments: usual }, ...earlier].map(quote).reduce(together))
}

function termsKey({ treatment, name, rate }: TaxTerms): string {
  return treatment === 'taxable' ? `${name} ${rate === null ? '' : plain(decimal(rate))}` : treatment
}

function earlierFacts(facts: BillFacts, adjustments: readonly TaxedAdjustment[]): QuoteFacts {
  return { ...facts, tax: adjustments[0]?.tax ?? facts.tax, subscriptions: [], llm: [], adjustments }
}

function together(a: Quote, b: Quote): Quote {
  const lines = [...a.lines, ...b.lines]
  return {
    ...a,
    lines: [...lines.filter(({ kind }) => kind !== 'tax'), ...lines.filter(({ kind }) => kind === 'tax')],
    subtotal_cents: a.subtotal_cents + b.subtotal_cents,
    tax_cents: a.tax_cents + b.tax_cents,
    total_cents: a.total_cents + b.total_cents,
  }
}

function requireAmounts(bill: Quote): Quote {
  const detail = amountTooLargeIn(bill)
  if (detail !== null) throw amountTooLarge(detail)
  return bill
}
