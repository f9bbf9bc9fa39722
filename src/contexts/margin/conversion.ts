import { type Decimal, decimal, ONE, plain, roundPrecise, sum } from '../../kernel/decimal.ts'
import { type Currency, fromMinor } from '../../kernel/money.ts'
import { isBefore } from '../../kernel/period.ts'
import { problem } from '../../kernel/problem.ts'
import type { Books, ConvertedBooks } from './margin.ts'

/** One unit of `from` was worth `rate` of `to` on that day. */
export type ExchangeRate = { from: Currency; to: Currency; date: Temporal.PlainDate; rate: string; source: string }

/** How what one of the books has in another currency was converted. Amounts are exact, in major units. */
export type Conversion = {
  of: 'revenue' | 'cost'
  from: Currency
  to: Currency
  date: Temporal.PlainDate
  /** What one unit of `from` was worth in `to`; where the other way round was recorded, 1 ÷ `inverse_of`. */
  rate: string
  /** The rate as it was recorded, where that is one from `to` to `from`. */
  inverse_of: string | null
  source: string
  amount_from: string
  amount_to: string
}

export const mixedCurrencies = problem({
  code: 'margin/mixed-currencies',
  status: 422,
  title: 'The month is in several currencies, and none to report in was named',
})
export const noExchangeRate = problem({
  code: 'margin/no-exchange-rate',
  status: 422,
  title: 'There is no exchange rate to convert with',
})

/** That of the invoices, if they share one, else of the bills; null without either. Throws `margin/mixed-currencies`. */
export function reportingCurrency({ revenue, bills }: Pick<Books, 'revenue' | 'bills'>): Currency | null {
  const [invoiced, billed] = [currenciesOf(revenue), currenciesOf(bills)]
  const shared = [invoiced, billed].find((currencies) => currencies.length === 1)
  if (shared) return shared[0] ?? null
  if (invoiced.length === 0 && billed.length === 0) return null
  throw mixedCurrencies(
    `The month has amounts in ${currenciesOf([...revenue, ...bills]).join(', ')}. Name the currency to report in, as in GET /margin?currency=${[...invoiced, ...billed][0]}.`,
  )
}

/**
 * Both books in one currency, exact. What is in another is converted by the latest rate between the two. Throws
 * `margin/no-exchange-rate`, which names all that are missing.
 */
export function convertBooks(
  books: Books,
  to: Currency | null,
): { converted: ConvertedBooks; conversions: Conversion[] } {
  const rates = requireRates(books, to)
  const inOne = ({ amount, currency }: Money): Decimal => {
    const rate = rates.get(currency)
    return rate === undefined ? amount : convert(amount, rate)
  }
  const converted = {
    revenue: books.revenue.map((cell) => ({
      ...cell,
      amount: inOne(earned(cell)),
      draft: inOne(earned({ ...cell, revenue_cents: cell.draft_cents })),
    })),
    bills: books.bills.map(({ status, currency, amount, tax_amount, credit_amount }) => ({
      status,
      amount: inOne({ amount: decimal(amount), currency }),
      tax_amount: inOne({ amount: decimal(tax_amount), currency }),
      credit_amount: inOne({ amount: decimal(credit_amount), currency }),
    })),
    costs: books.costs.map((cell) => ({ ...cell, amount: inOne(billed(cell)) })),
    resources: books.resources,
  }
  const conversions = [...rates.values()].flatMap((rate) => [
    ...conversionOf('revenue', books.revenue.map(earned), rate),
    ...conversionOf('cost', books.bills.map(billed), rate),
  ])
  return { converted, conversions }
}

type Money = { amount: Decimal; currency: Currency }

/** As recorded, and whether that is the other way round. */
type UsedRate = { from: Currency; to: Currency; recorded: ExchangeRate; is_inverse: boolean }

function earned({ revenue_cents, currency }: Books['revenue'][number]): Money {
  return { amount: fromMinor(revenue_cents, currency), currency }
}

function billed({ amount, currency }: { amount: string; currency: Currency }): Money {
  return { amount: decimal(amount), currency }
}

/** By the currency that is converted. */
function requireRates({ revenue, bills, rates, period }: Books, to: Currency | null): Map<Currency, UsedRate> {
  if (to === null) return new Map()
  const foreign = currenciesOf([...revenue, ...bills]).filter((currency) => currency !== to)
  const used = foreign.flatMap((from) => rateBetween({ from, to }, rates) ?? [])
  const missing = foreign.filter((currency) => used.every(({ from }) => from !== currency))
  if (missing.length === 0) return new Map(used.map((rate) => [rate.from, rate]))
  const last_day = period.end.subtract({ days: 1 })
  const body = `{"from": "${missing[0]}", "to": "${to}", "date": "${last_day}", "rate": "…", "source": "…"}`
  throw noExchangeRate(
    `No rate of ${last_day} or before is recorded for ${missing.map((from) => `${from} to ${to}`).join(', ')}. Record it with POST /billing/exchange-rates ${body}.`,
  )
}

/** The later of the two ways round; on one day the one that need not be inverted. */
function rateBetween(
  { from, to }: { from: Currency; to: Currency },
  rates: readonly ExchangeRate[],
): UsedRate | undefined {
  const direct = rates.find((rate) => rate.from === from && rate.to === to)
  const inverse = rates.find((rate) => rate.from === to && rate.to === from)
  const isInverse = inverse !== undefined && (direct === undefined || isBefore(direct.date, inverse.date))
  const recorded = isInverse ? inverse : direct
  return recorded && { from, to, recorded, is_inverse: isInverse }
}

function convert(amount: Decimal, { recorded, is_inverse }: UsedRate): Decimal {
  const rate = decimal(recorded.rate)
  return is_inverse ? amount.div(rate) : amount.times(rate)
}

function conversionOf(of: Conversion['of'], amounts: readonly Money[], used: UsedRate): Conversion[] {
  const { from, to, recorded, is_inverse } = used
  const foreign = amounts.filter(({ currency }) => currency === from)
  if (foreign.length === 0) return []
  const amount = sum(foreign.map((money) => money.amount))
  return [
    {
      of,
      from,
      to,
      date: recorded.date,
      rate: plain(roundPrecise(convert(ONE, used))),
      inverse_of: is_inverse ? recorded.rate : null,
      source: recorded.source,
      amount_from: plain(amount),
      amount_to: plain(roundPrecise(convert(amount, used))),
    },
  ]
}

function currenciesOf(entries: readonly { currency: Currency }[]): Currency[] {
  return [...new Set(entries.map(({ currency }) => currency))].toSorted()
}
