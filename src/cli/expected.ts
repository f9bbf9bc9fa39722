import { readPeriodText } from '../platform/wire.ts'
import { monthLabel } from '../kernel/period.ts'
import { withQuery } from './client.ts'
import { withApi } from './connect.ts'
import { heading, print, printJson, printText, table } from './output.ts'

/** As `GET /billing/expected` answers. */
type Expected = {
  period: { start: string; end: string }
  currency: string
  as_of: string
  so_far: string | null
  month_end: string | null
  unpriced: number
  not_listed: { kind: string; scope: string | null }[]
  bill: { status: string; amount: string; charges_amount: string } | null
  balance: { month_to_date_usage: string } | null
  difference: string | null
  rows: Row[]
}
type Row = {
  kind: string
  name: string
  status: string
  so_far: string | null
  month_end: string | null
  billed: string | null
  difference: string | null
}

export async function runExpected(options: { period: string; json?: true }): Promise<void> {
  const month = monthLabel(readPeriodText(options.period))
  const expected = await withApi((api) =>
    api.get<Expected>(withQuery('/billing/expected', { period: month, whole: 'true' })),
  )
  if (options.json) printJson(expected)
  else printExpected(expected, month)
}

function printExpected({ currency, rows, bill, balance, ...totals }: Expected, month: string): void {
  print(heading(`${month} in ${currency}`))
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
  for (const note of notesOf(totals)) {
    print('')
    printText(note)
  }
  if (rows.length === 0) return
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

function notesOf({
  unpriced,
  month_end,
  not_listed,
}: Pick<Expected, 'unpriced' | 'month_end' | 'not_listed'>): string[] {
  const notes = unpriced > 0 ? [`No price is known for ${unpriced} resources; they are in no sum.`] : []
  if (month_end === null) notes.push('Nothing is known of what was rented in the month. Run `arcadia sync`.')
  else if (not_listed.length > 0) notes.push(notListedNote(not_listed))
  return notes
}

function notListedNote(kinds: Expected['not_listed']): string {
  const named = kinds.map(({ kind, scope }) => (scope === null ? kind : `${kind} (needs ${scope})`))
  return `Not listed, and in no sum: ${named.join(', ')}. Mend the token, then run \`arcadia sync\`.`
}
