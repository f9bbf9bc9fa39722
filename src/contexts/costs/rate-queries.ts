import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Reader } from '../../platform/db.ts'
import type { PageAfter } from './wire.ts'

export type ExchangeRateRow = Selectable<DB['costs.exchange_rate']>

/**
 * Of both sides of the pair, if a currency is named: newest day first, `limit` + 1 rows strictly after `after` (date, from,
 * to, id).
 */
export async function listExchangeRates(
  reader: Reader,
  { currency }: { readonly currency?: string },
  { limit, after }: PageAfter,
): Promise<ExchangeRateRow[]> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (currency !== undefined) conditions.push(sql`${currency} in (from_currency, to_currency)`)
  if (after) {
    conditions.push(
      sql`(date, from_currency, to_currency, id) < (${after[0]}::date, ${after[1]}, ${after[2]}, ${after[3]}::uuid)`,
    )
  }
  const { rows } = await sql<ExchangeRateRow>`
    ${SELECT_EXCHANGE_RATE} where ${sql.join(conditions, sql` and `)}
    order by date desc, from_currency desc, to_currency desc, id desc limit ${limit + 1}`.execute(reader)
  return rows
}

/** The one that holds. */
export async function findExchangeRate(
  reader: Reader,
  { from_currency, to_currency, date }: Pick<ExchangeRateRow, 'from_currency' | 'to_currency' | 'date'>,
): Promise<ExchangeRateRow | undefined> {
  const { rows } = await sql<ExchangeRateRow>`
    ${SELECT_EXCHANGE_RATE}
    where from_currency = ${from_currency} and to_currency = ${to_currency} and date = ${date}
      and withdrawn_at is null`.execute(reader)
  return rows[0]
}

/** That of the pair, whichever way round, of the day that is nearest to its day: the earlier one of two, and never itself. */
export async function findNearestRate(
  reader: Reader,
  { id, from_currency, to_currency, date }: Pick<ExchangeRateRow, 'id' | 'from_currency' | 'to_currency' | 'date'>,
): Promise<ExchangeRateRow | undefined> {
  const { rows } = await sql<ExchangeRateRow>`
    ${SELECT_EXCHANGE_RATE}
    where (from_currency, to_currency) in ((${from_currency}, ${to_currency}), (${to_currency}, ${from_currency}))
      and id <> ${id} and withdrawn_at is null
    order by abs(date - ${date}::date), date, (from_currency = ${from_currency}) desc limit 1`.execute(reader)
  return rows[0]
}

export async function findExchangeRateById(reader: Reader, id: string): Promise<ExchangeRateRow | undefined> {
  const { rows } = await sql<ExchangeRateRow>`${SELECT_EXCHANGE_RATE} where id = ${id}`.execute(reader)
  return rows[0]
}

const SELECT_EXCHANGE_RATE = sql`
  select id, from_currency, to_currency, date, trim_scale(rate) as rate, source, recorded_at, recorded_by, withdrawn_at,
    withdrawn_by, withdrawn_reason
  from costs.exchange_rate`
