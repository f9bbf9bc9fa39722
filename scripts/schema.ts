import { sql } from 'kysely'
import type { Database } from '../src/platform/db.ts'

/** Our own schemas; the job queue brings its own and keeps it. */
const OURS = `('platform', 'events', 'tenants', 'catalog', 'deployments', 'inventory', 'subscriptions', 'metering', 'llm_usage', 'costs', 'invoicing', 'finance')`

type Column = {
  table: string
  column: string
  type: string
  nullable: boolean
  generated: string
  default: string | null
}

/** `db/types.ts`: the interface that Kysely checks every query against, with closed texts as unions. */
export async function describeTypes(db: Database): Promise<string> {
  const columns = await readColumns(db)
  const unions = await readUnions(db)
  const tables = Map.groupBy(columns, (column) => column.table)
  const body = [...tables].map(([table, own]) => {
    const fields = own.map((column) => `    ${column.column}: ${typeOf(column, unions)}`)
    return `  '${table}': {\n${fields.join('\n')}\n  }`
  })
  return `// Generated from the migrated schema by \`npm run generate\`. Do not edit.
import type { ColumnType } from 'kysely'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** Read as bigint, written as bigint or as a whole number. */
type Int8 = ColumnType<bigint, bigint | number, bigint | number>
/** A parameter made by \`jsonb()\`: the drivers would send an array or a text as something else. */
export type JsonText = string & { readonly json: true }
/** Read parsed, written with \`jsonb()\`. */
type Jsonb = ColumnType<Json, JsonText, JsonText>
type NullableJsonb = ColumnType<Json | null, JsonText | null, JsonText | null>
/** Computed by the database. */
type Computed<T> = ColumnType<T, never, never>

export interface DB {
${body.join('\n')}
}
`
}

/** `db/schema.sql`: what the migrations add up to, so that a diff reviews a migration. */
export async function describeSchema(db: Database): Promise<string> {
  const columns = await readColumns(db)
  const constraints = await lines(
    db,
    `
    select conrelid::regclass::text as owner, 'constraint ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid) as line
    from pg_constraint where connamespace::regnamespace::text in ${OURS} and contype <> 'n' order by 1, contype desc, conname`,
  )
  const rest = await lines(
    db,
    `
    select schemaname || '.' || tablename as owner, indexdef || ';' as line
    from pg_indexes i where schemaname in ${OURS}
      and not exists (select 1 from pg_constraint c where c.conname = i.indexname and c.connamespace::regnamespace::text = i.schemaname)
    union all
    select tgrelid::regclass::text, pg_get_triggerdef(t.oid) || ';' from pg_trigger t
    join pg_class c on c.oid = t.tgrelid where not tgisinternal and c.relnamespace::regnamespace::text in ${OURS}
    order by 1, 2`,
  )
  const functions = await lines(
    db,
    `
    select pronamespace::regnamespace::text as owner, pg_get_functiondef(oid) || ';' as line
    from pg_proc where pronamespace::regnamespace::text in ${OURS} order by proname`,
  )
  const tables = [...Map.groupBy(columns, (column) => column.table)].map(([table, own]) => {
    const inside = [
      ...own.map((column) => `  ${[column.column, column.type, ...attributes(column)].join(' ')}`),
      ...(constraints.get(table) ?? []).map((line) => `  ${line}`),
    ]
    return [`create table ${table} (\n${inside.join(',\n')}\n);`, ...(rest.get(table) ?? [])].join('\n')
  })
  return `-- Generated from the migrated schema by \`npm run generate\`. Do not edit.\n\n${[...tables, ...[...functions.values()].flat()].join('\n\n')}\n`
}

function attributes(column: Column): string[] {
  return [
    ...(column.nullable ? [] : ['not null']),
    ...(column.default === null
      ? []
      : [column.generated === 's' ? `generated always as (${column.default}) stored` : `default ${column.default}`]),
  ]
}

function typeOf(column: Column, unions: Map<string, string>): string {
  const base = unions.get(`${column.table}.${column.column}`) ?? TYPES[column.type]
  if (base === undefined) throw new Error(`no TypeScript type for ${column.type} of ${column.table}.${column.column}`)
  const nullable = column.nullable ? (NULLABLE[base] ?? `${base} | null`) : base
  return column.generated === 's' ? `Computed<${nullable}>` : nullable
}

const TYPES: Record<string, string> = {
  text: 'string',
  uuid: 'string',
  numeric: 'string',
  integer: 'number',
  bigint: 'Int8',
  boolean: 'boolean',
  date: 'Temporal.PlainDate',
  'timestamp with time zone': 'Temporal.Instant',
  jsonb: 'Jsonb',
  pg_snapshot: 'string',
  xid8: 'Computed<string>',
  'text[]': 'string[]',
}

const NULLABLE: Record<string, string> = { Jsonb: 'NullableJsonb' }

async function readColumns(db: Database): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select a.attrelid::regclass::text as "table", a.attname as "column", format_type(a.atttypid, a.atttypmod) as type,
      not a.attnotnull as nullable, a.attgenerated as generated, pg_get_expr(d.adbin, d.adrelid) as "default"
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace::regnamespace::text in ${sql.raw(OURS)} and a.attnum > 0 and not a.attisdropped
    order by c.relnamespace::regnamespace::text, c.relname, a.attnum`.execute(db.read)
  return rows
}

/** Columns that a check closes to a list of texts. */
async function readUnions(db: Database): Promise<Map<string, string>> {
  const { rows } = await sql<{ owner: string; column: string; definition: string }>`
    select conrelid::regclass::text as owner, a.attname as "column", pg_get_constraintdef(c.oid) as definition
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where contype = 'c' and array_length(conkey, 1) = 1 and connamespace::regnamespace::text in ${sql.raw(OURS)}`.execute(
    db.read,
  )
  return new Map(
    rows.flatMap(({ owner, column, definition }) => {
      const closed = /^CHECK \(\((?:"?\w+"?) = (?:ANY \(ARRAY\[(.+)\]\)|('[^']+'::text))\)\)$/.exec(definition)
      const texts = (closed?.[1] ?? closed?.[2])?.match(/'[^']+'/g)
      return texts ? [[`${owner}.${column}`, texts.join(' | ')] as const] : []
    }),
  )
}

async function lines(db: Database, text: string): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ owner: string; line: string }>`${sql.raw(text)}`.execute(db.read)
  const grouped = Map.groupBy(rows, (row) => row.owner)
  return new Map([...grouped].map(([owner, own]) => [owner, own.map((row) => row.line)]))
}
