import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import { memoryDatabase } from '../../test/support/database.ts'
import type { Database } from './db.ts'
import { migrate, type Migration, readMigrations, requireSchema, schemaState } from './migrate.ts'

const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

const first = migrationOf(1, 'create table platform.one (id integer)')
const second = migrationOf(2, 'create table platform.two (id integer); insert into platform.two values (1)')
const third = migrationOf(3, 'create table platform.three (id integer)')
const breaking = migrationOf(3, '-- breaking: one is gone\ndrop table platform.one')

let db: Database
before(async () => {
  db = await memoryDatabase()
})
beforeEach(() => db.script('drop schema if exists platform cascade'))
after(() => db.close())

test('a fresh database gets every migration, in order, and then none', async () => {
  assert.deepEqual(await migrate(db, [first, second], NOW), [first.name, second.name])
  assert.deepEqual(await migrate(db, [first, second], NOW), [])
  assert.deepEqual(await schemaState(db, [first, second]), { state: 'current' })
  await requireSchema(db, [first, second])
  const { rows } = await sql<{ name: string; applied_at: Temporal.Instant }>`
    select name, applied_at from platform.migration order by version`.execute(db.read)
  assert.deepEqual(
    rows.map((row) => [row.name, row.applied_at.toString()]),
    [
      [first.name, NOW.toString()],
      [second.name, NOW.toString()],
    ],
  )
})

test('a database that was never migrated is behind', async () => {
  assert.deepEqual(await schemaState(db, [first]), { state: 'pending', pending: [first.name] })
})

test('a database that is behind is refused with what to run, and gets only what is missing', async () => {
  await migrate(db, [first], NOW)
  assert.deepEqual(await schemaState(db, [first, second, third]), {
    state: 'pending',
    pending: [second.name, third.name],
  })
  await assert.rejects(() => requireSchema(db, [first, second, third]), {
    code: 'platform/schema-mismatch',
    message: /2 migrations are not applied \(first: 0002_test\.sql\)\. Run: arcadia migrate/,
  })
  assert.deepEqual(await migrate(db, [first, second, third], NOW), [second.name, third.name])
})

test('a migration that was edited after it was applied is refused', async () => {
  await migrate(db, [first], NOW)
  const edited = migrationOf(1, `${first.text} -- edited`)
  await assert.rejects(() => requireSchema(db, [edited]), {
    message: /0001_test\.sql was changed after it was applied/,
  })
  await assert.rejects(() => migrate(db, [edited, second], NOW), { code: 'platform/schema-mismatch' })
  assert.deepEqual(await schemaState(db, [first, second]), { state: 'pending', pending: [second.name] })
})

test('an older program runs on a newer schema that does not break it', async () => {
  await migrate(db, [first, second, third], NOW)
  assert.deepEqual(await schemaState(db, [first, second]), { state: 'newer' })
  await requireSchema(db, [first, second])
  assert.deepEqual(await migrate(db, [first, second], NOW), [])
})

test('an older program refuses a newer schema that breaks it', async () => {
  await migrate(db, [first, second, breaking], NOW)
  await assert.rejects(() => requireSchema(db, [first, second]), { message: /0003_test\.sql of a newer program/ })
  await assert.rejects(() => migrate(db, [first, second], NOW), { code: 'platform/schema-mismatch' })
})

test('a migration that fails leaves nothing behind and keeps those before it', async () => {
  const failing = migrationOf(2, 'create table platform.half (id integer); select 1 / 0')
  await assert.rejects(() => migrate(db, [first, failing], NOW), /division by zero/)
  assert.deepEqual(await schemaState(db, [first, second]), { state: 'pending', pending: [second.name] })
  const { rows } = await sql<{ half: string | null }>`select to_regclass('platform.half')::text as half`.execute(
    db.read,
  )
  assert.equal(rows[0]?.half, null)
})

test('migration files are read in order, know their checksum, and say when they break', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'arcadia-migrations-'))
  try {
    await writeFile(join(dir, '0002_more.sql'), breaking.text)
    await writeFile(join(dir, '0001_start.sql'), first.text)
    await writeFile(join(dir, 'README.md'), 'not a migration')
    const url = pathToFileURL(`${dir}/`)
    const read = await readMigrations(url)
    assert.deepEqual(
      read.map(({ version, name, checksum, breaking }) => ({ version, name, checksum, breaking })),
      [
        { version: 1, name: '0001_start.sql', checksum: first.checksum, breaking: false },
        { version: 2, name: '0002_more.sql', checksum: breaking.checksum, breaking: true },
      ],
    )
    await writeFile(join(dir, '0004_gap.sql'), '')
    await assert.rejects(() => readMigrations(url), /0004_gap\.sql is out of sequence/)
  } finally {
    await rm(dir, { recursive: true })
  }
})

function migrationOf(version: number, text: string): Migration {
  return {
    version,
    name: `000${version}_test.sql`,
    checksum: createHash('sha256').update(text).digest('hex'),
    breaking: text.startsWith('-- breaking'),
    text,
  }
}
