import { type RawBuilder, sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'

/** Kept of each side. */
export const DIFFERENCE_MAX_LINES = 100

/** A line that only one version of a bill has, or has more often. */
export type DifferingLine = {
  /** In its version, from 0. */
  readonly position: number
  readonly product: string
  readonly group_description: string | null
  readonly description: string
  readonly project: string | null
  readonly amount: string
  readonly quantity: string | null
  readonly charge_start: string
  readonly charge_end: string
}

/** `count` is of all, `lines` are the first of them. */
export type DifferingSide = { readonly count: number; readonly lines: readonly DifferingLine[] }
export type DifferingLines = { readonly stored: DifferingSide; readonly received: DifferingSide }

/**
 * What an issued bill and the version of it in `pg_temp.received_line` do not share, in the words and numbers that every
 * form of a bill carries; their order does not count.
 */
export async function compareLines(reader: Reader, provider_invoice_id: string): Promise<DifferingLines> {
  const { rows } = await sql<DifferingLines>`
    with stored as (${numbered('costs.cost_line', provider_invoice_id)}),
    received as (${numbered('pg_temp.received_line', provider_invoice_id)})
    select ${onlyIn('stored', 'received')} as stored, ${onlyIn('received', 'stored')} as received`.execute(reader)
  return rows[0] ?? NO_DIFFERING_LINES
}

const NO_LINES: DifferingSide = { count: 0, lines: [] }
export const NO_DIFFERING_LINES: DifferingLines = { stored: NO_LINES, received: NO_LINES }

/** Equal lines are numbered, so that one that comes twice is found in a version that has it once. */
function numbered(table: string, provider_invoice_id: string): RawBuilder<unknown> {
  return sql`
    select content, row_number() over (partition by content order by position) as occurrence, position
    from (
      select position, jsonb_build_array(trim(product), coalesce(trim(group_description), ''), trim(description),
        coalesce(trim(project), ''), trim_scale(amount)::text, trim_scale(quantity)::text,
        to_char(charge_start at time zone 'UTC', ${TIME}), to_char(charge_end at time zone 'UTC', ${TIME})) as content
      from ${sql.table(table)} where provider_invoice_id = ${provider_invoice_id}
    ) line`
}

const TIME = sql.lit('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')

function onlyIn(side: string, other: string): RawBuilder<unknown> {
  return sql`(
    select json_build_object('count', (count(*))::integer, 'lines', coalesce(json_agg(json_build_object(
      'position', position, 'product', content -> 0, 'group_description', nullif(content ->> 1, ''),
      'description', content -> 2, 'project', nullif(content ->> 3, ''), 'amount', content -> 4,
      'quantity', content -> 5, 'charge_start', content -> 6, 'charge_end', content -> 7
    ) order by position) filter (where place <= ${DIFFERENCE_MAX_LINES}), '[]'))
    from (
      select s.*, row_number() over (order by s.position) as place from ${sql.table(side)} s
      where not exists (
        select from ${sql.table(other)} o where o.content = s.content and o.occurrence = s.occurrence
      )
    ) only_here
  )`
}
