import { decimal } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import type { Currency } from '../../kernel/money.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { found } from '../../platform/wire.ts'
import { requireOpenMonth } from './open-month.ts'
import { exchangeRateDiffers, exchangeRateWithdrawn } from './problems.ts'
import { type ExchangeRateRow, findExchangeRate, findExchangeRateById } from './rate-queries.ts'

/** One unit of `from_currency` was worth `rate` of `to_currency`, an exact decimal above 0. */
export type NewExchangeRate = {
  readonly from_currency: Currency
  readonly to_currency: Currency
  readonly date: Temporal.PlainDate
  readonly rate: string
  readonly source: string
}

type Act = { readonly now: Temporal.Instant; readonly actor: string }

/**
 * A rate that is recorded stays until it is withdrawn: the same again is no new one. Throws `costs/exchange-rate-differs`
 * when the pair has another rate, or another source, for the day.
 */
export async function recordExchangeRate(
  tx: ContextTx<'costs'>,
  rate: NewExchangeRate,
  { now, actor, ids }: Act & { readonly ids: Ids },
): Promise<{ is_new: boolean; stored: ExchangeRateRow }> {
  if (rate.from_currency === rate.to_currency) {
    throw invalidInput('The rate is not valid.', [{ path: 'to', message: 'must be another currency than from' }])
  }
  const row = { ...rate, id: ids.uuid(), recorded_at: now, recorded_by: actor }
  const new_count = await insertRows(tx, 'costs.exchange_rate', [row], { on_conflict: 'do nothing' })
  const stored = present(await findExchangeRate(tx, rate), 'the rate is there now, whoever recorded it')
  if (!decimal(stored.rate).eq(decimal(rate.rate)) || stored.source !== rate.source) {
    throw exchangeRateDiffers(
      `${rate.from_currency} to ${rate.to_currency} of ${rate.date} is recorded as ${stored.rate} (${stored.source}). Withdraw it first (POST /billing/exchange-rates/${stored.id}/withdraw), or record a rate of another day.`,
    )
  }
  return { is_new: new_count === 1, stored }
}

/**
 * A rate that was recorded wrongly converts nothing from now on; it is kept with who withdrew it and why. Throws
 * `costs/exchange-rate-withdrawn`, and `costs/period-closed` when its month is closed.
 */
export async function withdrawExchangeRate(
  tx: ContextTx<'costs'>,
  { id, reason }: { readonly id: string; readonly reason: string },
  { now, actor }: Act,
): Promise<void> {
  const rate = found(await findExchangeRateById(tx, id), 'exchange rate')
  await requireOpenMonth(tx, rate.date)
  const { numUpdatedRows } = await tx
    .updateTable('costs.exchange_rate')
    .set({ withdrawn_at: now, withdrawn_by: actor, withdrawn_reason: reason })
    .where('id', '=', id)
    .where('withdrawn_at', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) {
    throw exchangeRateWithdrawn(`It was withdrawn at ${rate.withdrawn_at} by ${rate.withdrawn_by}.`)
  }
}
