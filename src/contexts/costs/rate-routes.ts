import { type Static, Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  CurrencyCode,
  CursorText,
  Data,
  DateOut,
  DateText,
  Example,
  found,
  Id,
  IdParams,
  InstantOut,
  List,
  ListQuery,
  Nullable,
  pageOf,
  PositiveDecimalText,
  Query,
  readCursor,
  Reason,
  requireCurrency,
  TextOf,
  WarningOut,
} from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import { recordExchangeRate, withdrawExchangeRate } from './exchange-rates.ts'
import { type ExchangeRateRow, findExchangeRateById, listExchangeRates } from './rate-queries.ts'
import { config, DecimalOut, tags } from './wire.ts'

export const rateRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/billing/exchange-rates',
      {
        config,
        schema: {
          tags,
          summary: 'Dated exchange rates, newest first',
          querystring: ExchangeRatesQuery,
          response: { 200: List(ExchangeRateOut) },
        },
      },
      async ({ query: { limit, cursor, ...filter } }) => {
        if (filter.currency !== undefined) requireCurrency(filter.currency, 'currency')
        const page = { limit, after: readCursor(cursor, [DateText, CursorText, CursorText, Id]) }
        const rows = await listExchangeRates(edge.db.read, filter, page)
        const { data, next_cursor } = pageOf(rows, limit, ({ date, from_currency, to_currency, id }) => [
          date.toString(),
          from_currency,
          to_currency,
          id,
        ])
        return { data: data.map(exchangeRateOut), next_cursor }
      },
    )

    app.post(
      '/billing/exchange-rates',
      {
        config,
        schema: {
          tags,
          summary: 'Record what a currency was worth in another on a day; it stays as it is until it is withdrawn',
          description: 'Margin converts by the latest rate of a pair up to the end of the month, either way round.',
          body: Example(ExchangeRateBody, RATE),
          response: { 200: Data(RecordedRateOut), 201: Data(RecordedRateOut) },
        },
      },
      async ({ body: { from, to, date, rate, source }, caller }, reply) => {
        const given = {
          from_currency: requireCurrency(from, 'from'),
          to_currency: requireCurrency(to, 'to'),
          date: Temporal.PlainDate.from(date),
          rate,
          source,
        }
        const { is_new, stored, warnings } = await edge.db.transaction((tx) =>
          recordExchangeRate(tx, given, actOf(edge, { caller })),
        )
        void reply.code(is_new ? 201 : 200)
        return { data: { ...exchangeRateOut(stored), ...(warnings.length > 0 && { warnings }) } }
      },
    )

    app.post(
      '/billing/exchange-rates/:id/withdraw',
      {
        config,
        schema: {
          tags,
          summary: 'Withdraw a rate that was recorded wrongly, with a reason; another may be recorded for its day',
          params: IdParams,
          body: Example(Body({ reason: Reason }), { reason: 'mistyped: 1.5083' }),
          response: { 200: Data(ExchangeRateOut) },
        },
      },
      async ({ params: { id }, body: { reason }, caller }) => {
        await edge.db.transaction((tx) => withdrawExchangeRate(tx, { id, reason }, actOf(edge, { caller })))
        return { data: exchangeRateOut(found(await findExchangeRateById(edge.db.read, id), 'exchange rate')) }
      },
    )
  }

function exchangeRateOut({ from_currency, to_currency, ...rate }: ExchangeRateRow): Static<typeof ExchangeRateOut> {
  return { ...rate, from: from_currency, to: to_currency }
}

const ExchangeRatesQuery = Query({ ...ListQuery, currency: Type.Optional(CurrencyCode) })

const ExchangeRateBody = Body({
  from: CurrencyCode,
  to: CurrencyCode,
  date: DateText,
  rate: Type.String({
    ...PositiveDecimalText,
    description: 'What one unit of `from` is worth in `to`: an exact decimal above 0',
  }),
  source: TextOf({ minLength: 1, maxLength: 500, description: 'Who says so: a central bank, a contract, …' }),
})

const RATE: Static<typeof ExchangeRateBody> = {
  from: 'USD',
  to: 'AUD',
  date: '2026-04-30',
  rate: '1.5803',
  source: 'Reserve Bank of Australia',
}

const exchangeRateFields = {
  id: Id,
  from: Type.String(),
  to: Type.String(),
  date: DateOut,
  rate: DecimalOut,
  source: Type.String(),
  recorded_at: InstantOut,
  recorded_by: Type.String(),
  withdrawn_at: Nullable(InstantOut),
  withdrawn_by: Nullable(Type.String()),
  withdrawn_reason: Nullable(Type.String()),
}
const ExchangeRateOut = Type.Object(exchangeRateFields)
const RecordedRateOut = Type.Object({
  ...exchangeRateFields,
  warnings: Type.Optional(Type.Array(WarningOut, { description: 'Left out where there are none' })),
})
