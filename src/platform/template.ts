import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist'
import { openDatabase } from './db.ts'
import { migrateQueue } from './jobs.ts'
import { type Migration, migrate, readMigrations } from './migrate.ts'

const CACHE = new URL('../../.cache/', import.meta.url)
const PACKAGE = new URL('../../package.json', import.meta.url)
/** What the content of a database depends on besides our migrations. */
const MAKERS = ['@electric-sql/pglite', 'pg-boss']

/**
 * An embedded database with every migration applied and nothing in it, as PGlite dumps it. Making one takes seconds,
 * starting from one a fraction of that. Undefined where none was made beforehand.
 */
export async function findTemplate(): Promise<Blob | undefined> {
  return read(fileOf(await keyOf(await readMigrations())))
}

/** The template, made now if it is not there yet. `now` is when its migrations are applied. */
export async function makeTemplate(now: Temporal.Instant): Promise<Blob> {
  const migrations = await readMigrations()
  const file = fileOf(await keyOf(migrations))
  return (await read(file)) ?? keep(file, await dump(migrations, now))
}

/** Named by what is in it, so that any change makes a new one. */
async function keyOf(migrations: readonly Migration[]): Promise<string> {
  const { dependencies } = JSON.parse(await readFile(PACKAGE, 'utf8')) as { dependencies: Record<string, string> }
  const parts = [...MAKERS.map((name) => dependencies[name]), ...migrations.map((migration) => migration.checksum)]
  return createHash('sha256').update(parts.join()).digest('hex').slice(0, 16)
}

function fileOf(key: string): string {
  return `${PREFIX}${key}${SUFFIX}`
}

const PREFIX = 'migrated-'
const SUFFIX = '.tar'

async function read(file: string): Promise<Blob | undefined> {
  const bytes = await readFile(new URL(file, CACHE)).catch(() => undefined)
  return bytes && new Blob([bytes])
}

/** Without what need not be restored: log segments are small, and there is only the database that is used. */
async function dump(migrations: readonly Migration[], now: Temporal.Instant): Promise<Blob> {
  const pglite = await PGlite.create({ extensions: { btree_gist }, initDbStartParams: ['--wal-segsize=1'] })
  const db = await openDatabase({ database: { kind: 'memory' } }, { pglite })
  await migrate(db, migrations, now)
  await migrateQueue(db)
  await pglite.exec("update pg_database set datistemplate = false where datname <> 'postgres'")
  await pglite.exec('drop database template0')
  await pglite.exec('drop database template1')
  await pglite.exec('checkpoint')
  const dumped = await pglite.dumpDataDir('none')
  await db.close()
  return dumped
}

/**
 * Processes may make it side by side: each writes a file of its own, and the last rename wins with the same content. Those
 * of other migrations are removed.
 */
async function keep(file: string, template: Blob): Promise<Blob> {
  await mkdir(CACHE, { recursive: true })
  const own = new URL(`${file}.${randomUUID()}.tmp`, CACHE)
  await writeFile(own, Buffer.from(await template.arrayBuffer()))
  await rename(own, new URL(file, CACHE))
  const others = (await readdir(CACHE)).filter(
    (name) => name.startsWith(PREFIX) && name.endsWith(SUFFIX) && name !== file,
  )
  await Promise.all(others.map((name) => rm(new URL(name, CACHE), { force: true })))
  return template
}
