import { decimal } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import type { Currency } from '../../kernel/money.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { exchangeRateDiffers } from './problems.ts'
import { type ExchangeRateRow, findExchangeRate } from './rate-queries.ts'

/** One unit of `from_currency` was worth `rate` of `to_currency`, an exact decimal above 0. */
export type NewExchangeRate = {
  readonly from_currency: Currency
  readonly to_currency: Currency
  readonly date: Temporal.PlainDate
  readonly rate: string
  readonly source: string
}

/**
 * A rate that is recorded stays, because months were converted by it: the same again is no new one. Throws
 * `costs/exchange-rate-differs` when the pair has another rate, or another source, for the day.
 */
export async function recordExchangeRate(
  tx: ContextTx<'costs'>,
  rate: NewExchangeRate,
  { now, actor }: { readonly now: Temporal.Instant; readonly actor: string },
): Promise<{ is_new: boolean; stored: ExchangeRateRow }> {
  if (rate.from_currency === rate.to_currency) {
    throw invalidInput('The rate is not valid.', [{ path: 'to', message: 'must be another currency than from' }])
  }
  const row = { ...rate, recorded_at: now, recorded_by: actor }
  const new_count = await insertRows(tx, 'costs.exchange_rate', [row], { on_conflict: 'do nothing' })
  const stored = present(await findExchangeRate(tx, rate), 'the rate is there now, whoever recorded it')
  if (!decimal(stored.rate).eq(decimal(rate.rate)) || stored.source !== rate.source) {
    throw exchangeRateDiffers(
      `${rate.from_currency} to ${rate.to_currency} of ${rate.date} is recorded as ${stored.rate} (${stored.source}) and stays. Record a rate of another day.`,
    )
  }
  return { is_new: new_count === 1, stored }
}
