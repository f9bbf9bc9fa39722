import { type Decimal, decimal, ONE, plain, round } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import type { Currency } from '../../kernel/money.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found, type Warning } from '../../platform/wire.ts'
import type { Act } from '../events/index.ts'
import { requireOpenMonth } from './open-month.ts'
import { exchangeRateDiffers, exchangeRateWithdrawn } from './problems.ts'
import { type ExchangeRateRow, findExchangeRate, findExchangeRateById, findNearestRate } from './rate-queries.ts'

/** One unit of `from_currency` was worth `rate` of `to_currency`, an exact decimal above 0. */
export type NewExchangeRate = {
  readonly from_currency: Currency
  readonly to_currency: Currency
  readonly date: Temporal.PlainDate
  readonly rate: string
  readonly source: string
}

/**
 * A rate that is recorded stays until it is withdrawn: the same again is no new one. Throws `costs/exchange-rate-differs`
 * when the pair has another rate, or another source, for the day; warns of one that is far from the last.
 */
export async function recordExchangeRate(
  tx: ContextTx<'costs'>,
  rate: NewExchangeRate,
  { now, actor, ids }: Act,
): Promise<{ is_new: boolean; stored: ExchangeRateRow; warnings: Warning[] }> {
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
  return { is_new: new_count === 1, stored, warnings: rateWarnings(stored, await findNearestRate(tx, stored)) }
}

/** Further from the last rate of the pair than this, up or down, a rate is likelier mistyped than moved. */
const FAR_FACTOR = decimal('1.5')

function rateWarnings(rate: ExchangeRateRow, last: ExchangeRateRow | undefined): Warning[] {
  if (last === undefined) return []
  const { from_currency: from, to_currency: to } = rate
  const [now, before] = [
    decimal(rate.rate),
    last.from_currency === from ? decimal(last.rate) : ONE.div(decimal(last.rate)),
  ]
  if (!isFar(now, before)) return []
  const inverse = ONE.div(now)
  const hint = isFar(inverse, before)
    ? ''
    : `; 1 ÷ ${rate.rate} = ${plain(round(inverse, SHOWN_PLACES))} would be near: is it the rate from ${to} to ${from}?`
  const message = `is ${rate.rate}, far from the ${plain(round(before, SHOWN_PLACES))} of ${last.date}${hint}`
  return [{ code: 'costs/exchange-rate-far-from-last', path: 'rate', message }]
}

const SHOWN_PLACES = 6

function isFar(one: Decimal, other: Decimal): boolean {
  return one.gt(other.times(FAR_FACTOR)) || other.gt(one.times(FAR_FACTOR))
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
