import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { invariant } from '../kernel/invariant.ts'
import { problem } from '../kernel/problem.ts'
import type { Database } from './db.ts'

export const schemaMismatch = problem({
  code: 'platform/schema-mismatch',
  status: 503,
  title: 'The database does not fit this program',
})

export type Migration = { version: number; name: string; checksum: string; breaking: boolean; text: string }
type Applied = { version: number; name: string; checksum: string; breaking: boolean }

/**
 * - `current`: every migration of this program is applied.
 * - `pending`: some are not yet.
 * - `newer`: the database has migrations this program does not know; none of them breaks it.
 * - `incompatible`: it has one that does, or one that was edited after it was applied.
 */
export type SchemaState =
  | { state: 'current' | 'newer' }
  | { state: 'pending'; pending: string[] }
  | { state: 'incompatible'; reason: string }

const MIGRATIONS = new URL('../../db/migrations/', import.meta.url)
/** Any constant: processes that migrate the same database wait for each other on it. */
const MIGRATION_LOCK = 7_274_112

export async function readMigrations(dir: URL = MIGRATIONS): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.sql')).toSorted()
  return Promise.all(
    names.map(async (name, index) => {
      const text = await readFile(new URL(name, dir), 'utf8')
      const version = Number(/^(\d{4})_/.exec(name)?.[1])
      invariant(version === index + 1, `migration ${name} is out of sequence`)
      return {
        version,
        name,
        checksum: createHash('sha256').update(text).digest('hex'),
        // A breaking migration says so in its text: an older program must not run on the schema it makes.
        breaking: /^-- breaking\b/m.test(text),
        text,
      }
    }),
  )
}

/** Applies what is missing, in order, each in one transaction. Returns the names applied. */
export async function migrate(
  db: Database,
  migrations: readonly Migration[],
  now: Temporal.Instant,
): Promise<string[]> {
  await db.script(CREATE_MIGRATION_TABLE)
  const before = compare(await readApplied(db), migrations)
  if (before.state === 'incompatible') throw schemaMismatch(before.reason)
  const applied: string[] = []
  for (const migration of migrations) {
    if (await apply(db, migration, now)) applied.push(migration.name)
  }
  return applied
}

export async function schemaState(db: Database, migrations: readonly Migration[]): Promise<SchemaState> {
  return compare(await readApplied(db), migrations)
}

/** Throws what an operator should do, unless this program may run on this schema. */
export async function requireSchema(db: Database, migrations: readonly Migration[]): Promise<void> {
  const found = await schemaState(db, migrations)
  if (found.state === 'pending') {
    throw schemaMismatch(
      `${found.pending.length} migrations are not applied (first: ${found.pending[0]}). Run: arcadia migrate`,
    )
  }
  if (found.state === 'incompatible') throw schemaMismatch(found.reason)
}

function compare(applied: readonly Applied[], known: readonly Migration[]): SchemaState {
  const byVersion = new Map(known.map((migration) => [migration.version, migration]))
  for (const row of applied) {
    const migration = byVersion.get(row.version)
    if (migration && migration.checksum !== row.checksum) {
      return {
        state: 'incompatible',
        reason: `migration ${row.name} was changed after it was applied to this database`,
      }
    }
    if (!migration && row.breaking) {
      return {
        state: 'incompatible',
        reason: `migration ${row.name} of a newer program is applied and breaks this one. Start the newer program.`,
      }
    }
  }
  const done = new Set(applied.map((row) => row.version))
  const pending = known.filter((migration) => !done.has(migration.version)).map((migration) => migration.name)
  if (pending.length > 0) return { state: 'pending', pending }
  return { state: applied.length > known.length ? 'newer' : 'current' }
}

const CREATE_MIGRATION_TABLE = `
  select pg_advisory_xact_lock(${MIGRATION_LOCK});
  create schema if not exists platform;
  create table if not exists platform.migration (
    version integer primary key,
    name text not null,
    checksum text not null,
    breaking boolean not null,
    applied_at timestamptz not null
  )`

async function readApplied(db: Database): Promise<Applied[]> {
  const { rows } = await sql<{
    exists: boolean
  }>`select to_regclass('platform.migration') is not null as exists`.execute(db.read)
  if (!rows[0]?.exists) return []
  return db.read
    .selectFrom('platform.migration')
    .select(['version', 'name', 'checksum', 'breaking'])
    .orderBy('version')
    .execute()
}

/** The row is written before the script, so that of two racing processes one waits and then finds it. */
async function apply(db: Database, migration: Migration, now: Temporal.Instant): Promise<boolean> {
  const applied = await readApplied(db)
  if (applied.some((row) => row.version === migration.version)) return false
  const row = [
    migration.version,
    quote(migration.name),
    quote(migration.checksum),
    migration.breaking,
    quote(now.toString()),
  ]
  try {
    await db.script(`
      select pg_advisory_xact_lock(${MIGRATION_LOCK});
      insert into platform.migration (version, name, checksum, breaking, applied_at) values (${row.join(', ')});
      ${migration.text}`)
  } catch (error) {
    const raced = await readApplied(db)
    if (raced.some((other) => other.version === migration.version)) return false
    throw error
  }
  return true
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
