import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { PGlite, types as pgliteTypes, type Transaction as PGliteTransaction } from '@electric-sql/pglite'
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist'
import {
  CompiledQuery,
  Kysely,
  type LogEvent,
  PGliteDialect,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type RawBuilder,
  sql,
  type Transaction,
} from 'kysely'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Config } from '../config.ts'
import type { DB, JsonText } from '../../db/types.ts'
import { present } from '../kernel/invariant.ts'
import { Problem, problemOfConstraint } from '../kernel/problem.ts'
import { lockDataDir } from './data-dir.ts'
import {
  createDiskGuard,
  type DiskGuard,
  diskFull,
  type FreeSpace,
  freeSpaceOf,
  isDiskFull,
  requireSpaceForDatabase,
  requireSpaceToOpen,
} from './disk.ts'
import { heldCommit } from './held-commit.ts'
import type { Log } from './log.ts'
import {
  commitUnanswered,
  connectionLost,
  contended,
  createOutage,
  databaseUnreachable,
  endsConnection,
  type Outage,
  reasonOf,
} from './outage.ts'
import { giveWay } from './turns.ts'

/** One interface on PGlite (embedded) and PostgreSQL: the same SQL, the same values in and out. */
export type Database = {
  readonly kind: 'postgres' | 'pglite'
  /** Reads outside a transaction. */
  readonly read: Reader
  /**
   * Runs `work` in one transaction. Deadlocks and serialization failures are tried again; a violated constraint that a
   * context has claimed comes out as its Problem. A database that has gone away is `platform/database-unreachable` when
   * nothing was stored, and `platform/outcome-unknown` when it went in the middle of the commit. Open one only in routes,
   * jobs and commands, and never call the network inside.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Several statements in one transaction, without parameters: for migrations. */
  script(text: string): Promise<void>
  /** Resolves when the database answers: at once, unless it has gone away. Also when the signal says not to wait. */
  reachable(signal: AbortSignal): Promise<void>
  /** Free space where an embedded database keeps its files. */
  readonly disk: FreeSpace | null
  /** What the job queue runs on. */
  readonly queue: { kind: 'pglite'; pglite: QueueHandle } | { kind: 'postgres'; executeSql: ExecuteSql }
  close(): Promise<void>
}

/** Selects from every table and writes none. */
export type Reader = Pick<Kysely<DB>, 'selectFrom' | 'selectNoFrom' | 'fn' | 'getExecutor'>

/** A whole transaction. Only the edge has it; contexts see it as a ContextTx. */
export type Tx = Transaction<DB>

type Owned<C extends string> = { [K in keyof DB as K extends `${C}.${string}` ? K : never]: DB[K] }
type Writer<C extends string> = Pick<Transaction<Owned<C>>, 'insertInto' | 'updateTable' | 'deleteFrom'>

/** A transaction that selects from every table and writes only those of schema `C`: one writer per table. */
export type ContextTx<C extends string> = Reader & Writer<C>

/** The table names that schema `C` owns. */
export type TableOf<C extends string> = keyof Owned<C> & string

type QueueHandle = Pick<PGlite, 'query' | 'exec' | 'listen'>
type ExecuteSql = (text: string, values?: unknown[]) => Promise<pg.QueryResult>

const TRANSACTION_MAX_ATTEMPTS = 4
const TRY_AGAIN_PAUSE_MS = 20
const POOL_MAX_CONNECTIONS = 10
const QUEUE_MAX_CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000
/** A network that has gone silent would hold the caller for ever; by then the commit is done or never will be. */
const COMMIT_TIMEOUT_MS = 60_000
/** By the server's code. */
const TRY_AGAIN: Readonly<Record<string, RetryReason>> = { '40P01': 'deadlock', '40001': 'serialization' }

export type RetryReason = 'deadlock' | 'serialization'

export type OpenOptions = {
  /** Sees every statement as it is sent. */
  on_query?: (text: string) => void
  /** Counts transactions that are tried again, by the reason. */
  on_retry?: (reason: RetryReason) => void
  log?: Log
  /** What a new embedded database starts from, as PGlite dumps it; without one it is empty. */
  template?: () => Promise<Blob | undefined>
  /** An open PGlite to use instead of a new one (memory only). */
  pglite?: PGlite
  /** How much room the embedded database has; the disk's own free space unless a test says otherwise. */
  free_space?: FreeSpace
  /** Told once each time that becomes little. */
  on_low_disk?: (free_bytes: number) => void
}

export async function openDatabase(config: Pick<Config, 'database'>, options: OpenOptions = {}): Promise<Database> {
  switch (config.database.kind) {
    case 'postgres':
      return reachable(openPostgres(config.database.url, options), config.database.url)
    case 'memory':
      return openPGlite(options.pglite ?? (await newPGlite({ shared_buffers: '16MB' }, options)), options)
    case 'embedded': {
      const lock = await lockDataDir(config.database.data_dir)
      try {
        const free = options.free_space ?? freeSpaceOf(dirname(lock.database_dir))
        const pglite = await openDirectory(lock.database_dir, free, options)
        await lock.closeToOthers()
        const kept = { disk: free, release: lock.release }
        return openPGlite(guarded(pglite, createDiskGuard(free, options.on_low_disk)), options, kept)
      } catch (error) {
        await lock.release()
        throw error
      }
    }
  }
}

/** A new database in a directory is made whole or not at all: what a process left that died half-way is removed. */
async function openDirectory(dir: string, free: FreeSpace, options: OpenOptions): Promise<PGlite> {
  const buffers = { shared_buffers: '64MB' }
  const half_made = `${dir}.half-made`
  if (existsSync(half_made)) await rm(dir, { recursive: true, force: true })
  try {
    const data_dir = dirname(dir)
    if (existsSync(join(dir, 'PG_VERSION'))) {
      requireSpaceToOpen(data_dir, free)
      options.log?.info({ data_dir }, 'opening the database')
      return await PGlite.create({ ...settings(buffers), dataDir: dir })
    }
    requireSpaceForDatabase(data_dir, free)
    // In these seconds nobody should wonder.
    options.log?.info({ data_dir }, 'making a new database: this takes some seconds, once')
    await writeFile(half_made, '')
    const pglite = await newPGlite(buffers, options, { dataDir: dir })
    await rm(half_made)
    return pglite
  } catch (error) {
    throw isDiskFull(error) ? diskFull(`The database in ${dir} cannot be opened: its disk is full. Make room.`) : error
  }
}

/** Every statement passes the guard, the job queue's too. */
function guarded(pglite: PGlite, guard: DiskGuard): PGlite {
  const checking = <S extends Pick<PGliteTransaction, 'query' | 'exec'>>(target: S): Pick<S, 'query' | 'exec'> => ({
    query: async (text, ...rest) => {
      guard.check(text)
      return target.query(text, ...rest)
    },
    exec: async (text, ...rest) => {
      guard.check(text)
      return target.exec(text, ...rest)
    },
  })
  const { query, exec } = checking(pglite)
  return new Proxy(pglite, {
    get: (target, name) => {
      if (name === 'query') return query
      if (name === 'exec') return exec
      if (name === 'transaction') {
        return (work: (tx: PGliteTransaction) => Promise<unknown>) =>
          target.transaction((tx) => work({ ...tx, ...checking(tx) }))
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function newPGlite(
  buffers: { shared_buffers: string },
  { template }: OpenOptions,
  where: { dataDir?: string } = {},
): Promise<PGlite> {
  const loadDataDir = await template?.()
  return PGlite.create({ ...settings(buffers), ...where, ...(loadDataDir && { loadDataDir }) })
}

/** Shared buffers are written to at every start: with the default of 128MB that is most of the time it takes. */
function settings({ shared_buffers }: { shared_buffers: string }) {
  return {
    extensions: { btree_gist },
    startParams: [...PGlite.defaultStartParams, '-c', `shared_buffers=${shared_buffers}`],
  }
}

/** So that a wrong address is told as such, at once, and not by the first statement that fails. */
async function reachable(db: Database, url: string): Promise<Database> {
  try {
    await sql`select 1`.execute(db.read)
    return db
  } catch (error) {
    await db.close()
    const reason = reasonOf((error instanceof Problem && error.cause) || error)
    throw databaseUnreachable(`PostgreSQL at ${new URL(url).host} does not answer: ${reason}. Check DATABASE_URL.`)
  }
}

/**
 * Does the work in a transaction that is rolled back, and gives what it came to: a preview is the deed, taken back.
 * `takeBack` undoes the deed in the middle of it. What is read before and after that is of one state of the database,
 * whatever others write meanwhile.
 */
export async function rehearse<T>(
  db: Database,
  work: (tx: Tx, takeBack: () => Promise<void>) => Promise<T>,
): Promise<T> {
  let outcome: { value: T } | undefined
  try {
    await db.transaction(async (tx) => {
      await sql`set transaction isolation level repeatable read`.execute(tx)
      await sql`savepoint nothing_done`.execute(tx)
      const takeBack = async () => {
        await sql`rollback to savepoint nothing_done`.execute(tx)
      }
      outcome = { value: await work(tx, takeBack) }
      throw ROLL_BACK
    })
  } catch (error) {
    if (error !== ROLL_BACK || outcome === undefined) throw error
  }
  return present(outcome, 'work that did not fail has an outcome').value
}

const ROLL_BACK = new Error('rolled back on purpose')

/** Narrows the edge's transaction to what one context may do with it. */
export function within<C extends string>(tx: Reader): ContextTx<C> {
  // The same object at run time; the type only takes away what the context must not touch.
  return tx as unknown as ContextTx<C>
}

/** A value for a jsonb column or parameter. Big integers and times become strings. */
export function jsonb(value: unknown): RawBuilder<JsonText> {
  return sql`${toJson(value)}::jsonb`
}

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item))
}

/** What a column equals one of: one parameter for any number of values, also for none. */
export function anyOf(values: readonly string[]): RawBuilder<string> {
  return sql<string>`any(${values})`
}

/**
 * Inserts any number of rows in one statement with one parameter. Rows are spelled as the columns are; a column that
 * the first row does not name gets null. `on_conflict` is e.g. `do nothing`. Returns how many rows went in.
 */
export async function insertRows<C extends string>(
  tx: ContextTx<C>,
  table: TableOf<C>,
  rows: readonly object[],
  options: { on_conflict?: 'do nothing' } = {},
): Promise<number> {
  const first = rows[0]
  if (first === undefined) return 0
  const columns = sql.join(Object.keys(first).map((name) => sql.ref(name)))
  const { numAffectedRows } = await sql`
    insert into ${sql.table(table)} (${columns})
    select ${columns} from ${rowset(table, rows)}
    ${options.on_conflict === 'do nothing' ? sql`on conflict do nothing` : sql``}`.execute(tx)
  return Number(numAffectedRows ?? 0n)
}

/** A row for `copyRows`, its fields in the order of the columns: numbers, ids and times as they are, texts by `copyText`. */
export function copyRow(fields: readonly (string | number)[]): string {
  return `${copyFields(fields)}\n`
}

/** Some fields of a row, as one field for `copyRow`. */
export function copyFields(fields: readonly (string | number)[]): string {
  return fields.join('\t')
}

/**
 * Rows of `copyRow` for `copyRows`, in memory that is kept when they are taken out, for the next ones. They must stay
 * while a `copyRows` of them runs.
 */
export class CopyBuffer {
  private bytes = Buffer.allocUnsafe(COPY_BUFFER_MIN_BYTES)
  private size_bytes = 0

  add(rows: string): void {
    const size_max_bytes = this.size_bytes + rows.length * UTF_8_MAX_BYTES
    if (size_max_bytes > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(size_max_bytes, 2 * this.bytes.length))
      this.bytes.copy(larger, 0, 0, this.size_bytes)
      this.bytes = larger
    }
    this.size_bytes += this.bytes.write(rows, this.size_bytes)
  }

  clear(): void {
    this.size_bytes = 0
  }

  get rows(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.size_bytes)
  }
}

const COPY_BUFFER_MIN_BYTES = 64 * 1024
/** Of one unit of a JavaScript string. */
const UTF_8_MAX_BYTES = 3

/** A field of any text, or of null. */
export function copyText(text: string | null): string {
  if (text === null) return COPY_NULL
  return COPY_SPECIAL.test(text) ? text.replaceAll(COPY_SPECIALS, (special) => COPY_ESCAPES[special] ?? special) : text
}

export const COPY_NULL = '\\N'
const COPY_SPECIAL = /[\\\t\n\r]/
const COPY_SPECIALS = /[\\\t\n\r]/g
const COPY_ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/**
 * Copies rows into a table, of `C` or of the transaction's own (`pg_temp.`): the quick way in for more rows than a
 * statement should carry. All of them are in memory while it runs.
 */
export async function copyRows<C extends string>(
  tx: ContextTx<C>,
  table: TableOf<C> | `pg_temp.${string}`,
  columns: readonly string[],
  { rows }: CopyBuffer,
): Promise<void> {
  if (rows.length === 0) return
  const target = sql`${sql.table(table)} (${sql.join(columns.map((name) => sql.ref(name)))})`.compile(tx).sql
  await tx.getExecutor().executeQuery(CompiledQuery.raw(`copy ${target} from stdin`, [new CopyData(rows)]))
}

/** The only parameter of a `copy … from stdin`: its rows, in the text format. Both drivers below know it. */
class CopyData {
  readonly rows: Uint8Array<ArrayBuffer>
  constructor(rows: Uint8Array<ArrayBuffer>) {
    this.rows = rows
  }
}

/** Rows as a typed row set, shaped like `table`: `from ${rowset('costs.cost_line', rows)} r`. */
export function rowset(table: string, rows: readonly object[]): RawBuilder<never> {
  return sql`jsonb_populate_recordset(null::${sql.table(table)}, ${toJson(rows)}::jsonb)`
}

function openPostgres(url: string, options: OpenOptions): Database {
  const outage = createOutage({ probe: () => pool.query('select 1'), log: options.log })
  const terms = { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true }
  const pool = watched(
    new pg.Pool({
      ...terms,
      max: POOL_MAX_CONNECTIONS,
      types: { getTypeParser: (oid) => PARSERS[oid] ?? pg.types.getTypeParser(oid) },
    }),
    outage,
  )
  // The queue is written for the driver's own parsers, and does not wait for requests.
  const queue = watched(new pg.Pool({ ...terms, max: QUEUE_MAX_CONNECTIONS, application_name: 'arcadia-jobs' }), outage)
  const kysely = new Kysely<DB>({
    dialect: new PostgresDialect({ pool: encoding(pool) }),
    ...logging(options),
  })
  return databaseOn(kysely, options, {
    kind: 'postgres',
    script: async (text) => {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await client.query(text)
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
    disk: null,
    reachable: outage.over,
    queue: { kind: 'postgres', executeSql: queue.query },
    close: once(async () => {
      outage.close()
      await kysely.destroy()
      await Promise.all([pool.end(), queue.end()])
    }),
  })
}

function openPGlite(
  pglite: PGlite,
  options: OpenOptions,
  kept?: { disk: FreeSpace; release: () => Promise<void> },
): Database {
  const queue = queueHandle(pglite)
  // Not with each query: PGlite would then copy the table of all its parsers for each.
  Object.assign(pglite.parsers, PARSERS)
  const kysely = new Kysely<DB>({
    dialect: new PGliteDialect({ pglite: encodingPGlite(pglite) }),
    ...logging(options),
  })
  return databaseOn(kysely, options, {
    kind: 'pglite',
    script: (text) =>
      pglite.transaction(async (tx) => {
        await tx.exec(text)
      }),
    reachable: async () => {},
    disk: kept?.disk ?? null,
    queue: { kind: 'pglite', pglite: queue },
    close: once(async () => {
      await kysely.destroy()
      // Kysely closes only a database that it has used.
      if (!pglite.closed) await pglite.close()
      await kept?.release()
    }),
  })
}

/** A call that holds its commit back reads what it has written. */
function databaseOn(kysely: Kysely<DB>, options: OpenOptions, rest: Omit<Database, 'read' | 'transaction'>): Database {
  return {
    ...rest,
    get read() {
      return heldCommit()?.tx ?? kysely
    },
    transaction: <T>(work: (tx: Tx) => Promise<T>) => {
      const execute = (held: typeof work) => runTransaction(kysely, held, options)
      return heldCommit()?.transaction(execute, work) ?? execute(work)
    },
  }
}

/** The job queue is written for the driver's own parsers. */
function queueHandle(pglite: PGlite): QueueHandle {
  const parsers = Object.fromEntries(Object.keys(PARSERS).map((oid) => [oid, present(pglite.parsers[oid], 'a parser')]))
  return {
    query: (text, values, options) => pglite.query(text, values, { ...options, parsers }),
    exec: (text, options) => pglite.exec(text, { ...options, parsers }),
    listen: (channel, callback, tx) => pglite.listen(channel, callback, tx),
  }
}

/** Closing twice is closing once. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}

async function runTransaction<T>(
  kysely: Kysely<DB>,
  work: (tx: Tx) => Promise<T>,
  { on_retry }: OpenOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await kysely.transaction().execute(work)
    } catch (error) {
      const failure = databaseFailureOf(error)
      const reason = TRY_AGAIN[failure.code]
      if (reason !== undefined) {
        if (attempt === TRANSACTION_MAX_ATTEMPTS) throw contended('Nothing was stored; repeat the call.')
        on_retry?.(reason)
        await pause(attempt * TRY_AGAIN_PAUSE_MS)
        continue
      }
      if (isDiskFull(error)) throw diskFull('The disk of the database is full. Nothing was stored. Make room.')
      const refusal = problemOfConstraint(failure.constraint)
      throw refusal?.(failure.raised ?? `${refusal.kind.title}.`) ?? error
    }
  }
}

/** `raised` is the text of one of our own triggers; the server's own texts speak of tables and are not for callers. */
function databaseFailureOf(error: unknown): { code: string; constraint: string; raised: string | null } {
  const fields = (error instanceof Error ? error : {}) as Partial<
    Record<'code' | 'constraint' | 'routine' | 'message', unknown>
  >
  return {
    code: typeof fields.code === 'string' ? fields.code : '',
    constraint: typeof fields.constraint === 'string' ? fields.constraint : '',
    raised: fields.routine === 'exec_stmt_raise' && typeof fields.message === 'string' ? fields.message : null,
  }
}

function logging({ on_query }: OpenOptions): { log?: (event: LogEvent) => void } {
  return on_query ? { log: (event) => on_query(event.query.sql) } : {}
}

/**
 * The one parser table, by type oid: int8 → bigint, numeric → string (the driver's default), date → PlainDate,
 * timestamptz → Instant. The job queue keeps the drivers' own parsers, which it is written for.
 */
const PARSERS: Record<number, (text: string) => unknown> = {
  20: (text) => BigInt(text),
  1082: (text) => Temporal.PlainDate.from(text),
  1184: (text) => Temporal.Instant.from(text),
}

/** The other way: what the drivers do not know how to send. */
function encode(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Temporal.Instant || value instanceof Temporal.PlainDate) return value.toString()
  // Only the job queue sends these, when it writes inside one of our transactions.
  if (value instanceof Date) return value.toISOString()
  return value
}

type WatchedPool = {
  connect(): Promise<WatchedClient>
  query: ExecuteSql
  end(): Promise<void>
}
type WatchedClient = {
  /** `rows` of `copyRows` go in beside the statement. */
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>
  release(): void
}

/**
 * A pool that says what a lost connection means: nothing was stored, or nobody knows. Without the listeners, a connection
 * that breaks while it is idle, in a transaction or not, would end the process.
 */
function watched(pool: pg.Pool, outage: Outage): WatchedPool {
  const lost = new WeakSet<pg.PoolClient>()
  pool.on('error', () => {})
  pool.on('connect', (client) => {
    outage.ended()
    client.on('error', (error) => lose(client, error))
  })
  const lose = (client: pg.PoolClient, error: unknown): void => {
    if (lost.has(client)) return
    lost.add(client)
    outage.began(reasonOf(error))
    // So that it does not go back to the pool.
    void client.end()
  }

  const send = async (client: pg.PoolClient, text: string, values?: unknown[]): Promise<pg.QueryResult> => {
    const was_lost = lost.has(client)
    // It went with its connection.
    if (was_lost && text === 'rollback') return NO_ROWS
    try {
      if (text === 'commit') return await client.query(COMMIT)
      if (values?.[0] instanceof CopyData) return await copyToServer(client, text, values[0])
      return await client.query(text, values)
    } catch (error) {
      const is_unanswered = text === 'commit' && !(error instanceof pg.DatabaseError)
      if (is_unanswered || endsConnection(error)) lose(client, error)
      if (!lost.has(client)) throw error
      throw text === 'commit' && !was_lost ? commitUnanswered(error) : connectionLost(error)
    }
  }

  const connect = async (): Promise<WatchedClient> => {
    try {
      const client = await pool.connect()
      return { query: (text, values) => send(client, text, values), release: () => client.release() }
    } catch (error) {
      outage.began(reasonOf(error))
      throw connectionLost(error)
    }
  }

  return {
    connect,
    query: async (text, values) => {
      const client = await connect()
      try {
        return await client.query(text, values)
      } finally {
        client.release()
      }
    },
    end: async () => {
      if (!pool.ending) await pool.end()
    },
  }
}

/** The driver knows a time limit for a single query; its types do not. */
const COMMIT: pg.QueryConfig & { query_timeout: number } = { text: 'commit', query_timeout: COMMIT_TIMEOUT_MS }
const NO_ROWS: pg.QueryResult = { command: 'ROLLBACK', rowCount: null, oid: 0, fields: [], rows: [] }

/** What Kysely needs of a pool; what the driver does not know how to send is encoded. It uses no cursors. */
function encoding(pool: WatchedPool): PostgresPool {
  return {
    options: {},
    connect: async () => {
      const client = await pool.connect()
      const query = (text: string, values: readonly unknown[]) => client.query(text, values.map(encode))
      return { ...client, query } as unknown as PostgresPoolClient
    },
    end: async () => {},
  }
}

async function copyToServer(client: pg.PoolClient, text: string, { rows }: CopyData): Promise<pg.QueryResult> {
  const copy = client.query(copyFrom(text))
  copy.end(rows)
  await finished(copy)
  return { ...NO_ROWS, command: 'COPY', rowCount: copy.rowCount }
}

type PGliteQuery = Pick<PGliteTransaction, 'query'>

function encodingPGlite(pglite: PGlite): PGlite {
  return new Proxy(pglite, {
    get: (target, name) => {
      if (name === 'query') return encodingQuery(target)
      if (name === 'transaction') {
        return (work: (tx: PGliteQuery) => Promise<unknown>) =>
          target.transaction((tx) => work({ query: encodingQuery(tx) }))
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function encodingQuery(target: PGliteQuery): PGliteQuery['query'] {
  return async (text, values, options) => {
    await giveWay()
    return values?.[0] instanceof CopyData
      ? target.query(text.replace(/ from stdin$/, " from '/dev/blob'"), [], { blob: new Blob([values[0].rows]) })
      : target.query(text, values?.map(encode), { ...options, serializers: TEXT_SERIALIZERS })
  }
}

/** Values already encoded as text go through as they are, also where PGlite would insist on a `Date` or a number. */
const TEXT_SERIALIZERS: Record<number, (value: unknown) => string> = Object.fromEntries(
  [pgliteTypes.INT8, pgliteTypes.NUMERIC, pgliteTypes.DATE, pgliteTypes.TIMESTAMPTZ].map((oid) => [oid, String]),
)
