import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { type Database, openDatabase } from '../../src/platform/db.ts'
import { migrate, readMigrations, requireSchema, schemaState } from '../../src/platform/migrate.ts'
import { testDatabasePromises } from '../support/database-promises.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

const MIGRATORS = 8
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

describe('on PostgreSQL, in a session of another time zone', () => {
  testDatabasePromises(async (options) => {
    const { url } = await server.database()
    return openDatabase(
      { database: { kind: 'postgres', url: `${url}?options=-c%20timezone%3DAsia/Kathmandu` } },
      options,
    )
  })
})

test('two transactions that lock two rows in opposite order both succeed', async () => {
  const { db } = await server.database()
  await db.script(
    'create table platform.pair (id integer primary key, n integer); insert into platform.pair values (1, 0), (2, 0)',
  )
  const both_hold_one = Promise.withResolvers<void>()
  let holding = 0
  const lockBoth = (first: number, second: number) =>
    db.transaction(async (tx) => {
      await sql`update platform.pair set n = n + 1 where id = ${first}`.execute(tx)
      holding += 1
      if (holding === 2) both_hold_one.resolve()
      await both_hold_one.promise
      await sql`update platform.pair set n = n + 1 where id = ${second}`.execute(tx)
    })
  await Promise.all([lockBoth(1, 2), lockBoth(2, 1)])
  assert.ok(holding > 2, 'one of the two was tried again')
  assert.deepEqual(await pairs(db), [2, 2])
})

test('eight migrators at once apply each migration once', async () => {
  const { url, db } = await server.database()
  await db.script('drop schema platform cascade; create schema platform')
  for (const schema of await ownSchemas(db)) await db.script(`drop schema ${schema} cascade`)
  const migrations = await readMigrations()
  const migrators = await Promise.all(
    Array.from({ length: MIGRATORS }, () => openDatabase({ database: { kind: 'postgres', url } })),
  )
  try {
    const applied = await Promise.all(migrators.map((migrator) => migrate(migrator, migrations, NOW)))
    assert.deepEqual(
      applied.flat().toSorted(),
      migrations.map((migration) => migration.name),
    )
    assert.deepEqual(await schemaState(db, migrations), { state: 'current' })
  } finally {
    await Promise.all(migrators.map((migrator) => migrator.close()))
  }
})

test('a program refuses a server that is behind, and says what to run', async () => {
  const { db } = await server.database()
  const migrations = await readMigrations()
  const next = { version: migrations.length + 1, name: '9999_next.sql', checksum: 'x', breaking: false, text: '' }
  await assert.rejects(() => requireSchema(db, [...migrations, next]), { message: /9999_next\.sql.*arcadia migrate/ })
})

async function pairs(db: Database): Promise<number[]> {
  const { rows } = await sql<{ n: number }>`select n from platform.pair order by id`.execute(db.read)
  return rows.map((row) => row.n)
}

async function ownSchemas(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select nspname as name from pg_namespace
    where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'public', 'platform', 'pgboss')`.execute(
    db.read,
  )
  return rows.map((row) => row.name)
}
