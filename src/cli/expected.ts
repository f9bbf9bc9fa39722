import { type Forecast, forecastOf } from '../contexts/forecast/index.ts'
import { monthLabel } from '../kernel/period.ts'
import { readPeriodText } from '../platform/wire.ts'
import { heading, print, printJson, table } from './output.ts'
import { withApp } from './with-app.ts'

export async function runExpected(options: { period: string; json?: true }): Promise<void> {
  const period = readPeriodText(options.period)
  const forecast = await withApp(({ edge }) => forecastOf(edge.db.read, period, edge.clock.now()))
  if (options.json) printJson(forecast)
  else printForecast(forecast)
}

function printForecast({ period, currency, rows, bill, balance, ...totals }: Forecast): void {
  print(heading(`${monthLabel(period)} in ${currency}`))
  print(
    table(
      [
        { title: '', value: ([name]) => name },
        { title: 'amount', align: 'right', value: ([, amount]) => amount ?? '?' },
      ],
      [
        ['expected so far', totals.so_far ?? '?'],
        ['expected to the month’s end', totals.month_end ?? '?'],
        ...(balance ? [['usage in the latest balance', balance.month_to_date_usage]] : []),
        ...(bill ? [[`charges of the ${bill.status} bill`, bill.charges_amount]] : []),
        ...(bill ? [[`amount of the ${bill.status} bill`, bill.amount]] : []),
        ...(totals.difference === null ? [] : [['billed less expected', totals.difference]]),
      ] as [string, string][],
    ),
  )
  if (totals.unpriced > 0) print(`\nNo price is known for ${totals.unpriced} resources; they are in no sum.`)
  if (totals.month_end === null) print('\nNothing is known of what was rented in the month. Run `arcadia sync`.')
  else if (totals.not_listed.length > 0) print(`\n${notListedNote(totals.not_listed)}`)
  print('')
  print(
    table(
      [
        { title: 'kind', value: (row) => row.kind },
        { title: 'name', value: (row) => row.name },
        { title: 'status', value: (row) => row.status },
        { title: 'so far', align: 'right', value: (row) => row.so_far ?? '?' },
        { title: 'month end', align: 'right', value: (row) => row.month_end ?? '?' },
        { title: 'billed', align: 'right', value: (row) => row.billed ?? '' },
        { title: 'difference', align: 'right', value: (row) => row.difference ?? '' },
      ],
      rows,
    ),
  )
}

function notListedNote(kinds: Forecast['not_listed']): string {
  const named = kinds.map(({ kind, scope }) => (scope === null ? kind : `${kind} (needs ${scope})`))
  return `Not listed, and in no sum: ${named.join(', ')}. Mend the token, then run \`arcadia sync\`.`
}
