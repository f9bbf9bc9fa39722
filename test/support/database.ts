import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist'
import { type Database, openDatabase, type OpenOptions } from '../../src/platform/db.ts'
import { migrate, readMigrations } from '../../src/platform/migrate.ts'
import { migrateQueue } from '../../src/platform/jobs.ts'

const CACHE = new URL('../../.cache/', import.meta.url)
const EPOCH = Temporal.Instant.fromEpochMilliseconds(0)

/** A migrated database in memory, restored from a cached dump: booting costs seconds, restoring a fraction of one. */
export async function memoryDatabase(options: OpenOptions = {}): Promise<Database> {
  template ??= migratedTemplate()
  return openDatabase({ database: { kind: 'memory' } }, { ...options, template: await template })
}

/** Files that share a process share it: made in a cold clone, it takes seconds of both cores. */
let template: Promise<Blob> | undefined

/** The dump is named by the migrations, so that an edit makes a new one. */
async function migratedTemplate(): Promise<Blob> {
  const migrations = await readMigrations()
  const key = createHash('sha256')
    .update(migrations.map((migration) => migration.checksum).join())
    .digest('hex')
    .slice(0, 16)
  const path = new URL(`lean-${key}.tar`, CACHE)
  const cached = await readFile(path).catch(() => undefined)
  if (cached) return new Blob([cached])
  // What is not in the dump need not be restored: small log segments, and only the database that is used.
  const pglite = await PGlite.create({ extensions: { btree_gist }, initDbStartParams: ['--wal-segsize=1'] })
  const db = await openDatabase({ database: { kind: 'memory' } }, { pglite })
  await migrate(db, migrations, EPOCH)
  await migrateQueue(db)
  await pglite.exec("update pg_database set datistemplate = false where datname <> 'postgres'")
  await pglite.exec('drop database template0')
  await pglite.exec('drop database template1')
  await pglite.exec('checkpoint')
  const dump = await pglite.dumpDataDir('none')
  await db.close()
  await mkdir(CACHE, { recursive: true })
  // Test files start side by side, in one process or in many: each writes a file of its own, and the last rename wins
  // with the same content.
  const own = new URL(`migrated-${key}.${randomUUID()}.tmp`, CACHE)
  await writeFile(own, Buffer.from(await dump.arrayBuffer()))
  await rename(own, path)
  return dump
}
