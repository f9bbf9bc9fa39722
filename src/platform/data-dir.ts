import { chmod, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { problem } from '../kernel/problem.ts'
import { systemClock } from './clock.ts'
import { exists, fileReason, makeDirectory } from './files.ts'

export const dataDirInUse = problem({
  code: 'platform/data-directory-in-use',
  status: 503,
  title: 'Another process holds the data directory',
})

const dataDirUnusable = problem({
  code: 'platform/data-directory-unusable',
  status: 503,
  title: 'The data directory cannot be used',
})

const noBooks = problem({ code: 'platform/no-books', status: 404, title: 'There are no books' })

const HOLDER_FILE = 'holder.json'
const LOCK_FILE = 'lock'
const SECRET_FILE = 'jwt-secret'
const DATABASE_DIR = 'pglite'
const SQLITE_BUSY = 5
/** As long as another process may look at the lock. */
const LOOKED_AT_MS = 500
const OTHERS = 0o077

export type DataDirLock = {
  readonly database_dir: string
  /** For when the database is open: it makes its first files open to everybody. */
  closeToOthers(): Promise<void>
  release(): Promise<void>
}

/**
 * Takes the embedded database's directory for this process. Two processes in one directory would corrupt it, so the
 * lock is the operating system's (SQLite's exclusive file lock): it cannot be left behind by a crash, and it holds
 * across containers on one machine.
 */
export async function lockDataDir(data_dir: string): Promise<DataDirLock> {
  const dir = await makeDataDir(data_dir)
  const lock = openLock(dir)
  if (lock === null) {
    throw dataDirInUse(
      `${dir} is held by ${await describeHolder(dir)}. Stop it first, or set ARCADIA_DATA_DIR to another directory.`,
    )
  }
  try {
    await writeFile(join(dir, HOLDER_FILE), JSON.stringify(describeSelf()), { mode: 0o600 })
  } catch (error) {
    lock.close()
    refuseDirectory(dir, error)
  }
  return {
    database_dir: join(dir, DATABASE_DIR),
    closeToOthers: () => closeToOthers(dir),
    release: async () => lock.close(),
  }
}

/** Returns its whole path. */
export async function makeDataDir(data_dir: string): Promise<string> {
  const dir = resolve(data_dir)
  await makeDirectory(dir).catch((error: unknown) => refuseDirectory(dir, error))
  return dir
}

/**
 * Where the server that holds the directory listens; null where nobody holds it. The lock is looked at first: what a
 * process left behind that was killed may be the address of another program by now, and it is called with a token.
 */
export async function findServer(data_dir: string): Promise<string | null> {
  const dir = resolve(data_dir)
  if (!(await hasBooks(dir)) || !isHeld(dir)) return null
  const { url } = (await readHolder(dir)) ?? {}
  if (url !== undefined) return url
  throw dataDirInUse(
    `${dir} is held by ${await describeHolder(dir)}, which does not serve (yet). Try again, or stop it.`,
  )
}

/** For the process that holds the directory: where commands find it from now on. */
export async function announceServer(data_dir: string, url: string): Promise<void> {
  const dir = resolve(data_dir)
  const path = join(dir, HOLDER_FILE)
  await writeFile(`${path}.new`, JSON.stringify({ ...describeSelf(), url }), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export async function hasBooks(data_dir: string): Promise<boolean> {
  return exists(join(resolve(data_dir), DATABASE_DIR, 'PG_VERSION'))
}

/** Refuses a directory without a database, before one is made where nobody wanted it. */
export async function requireBooks(data_dir: string): Promise<void> {
  if (await hasBooks(data_dir)) return
  throw noBooks(
    `There are no books in ${resolve(data_dir)}. Set ARCADIA_DATA_DIR to where yours are; \`arcadia serve\` makes new ones there.`,
  )
}

export function secretFile(data_dir: string): string {
  return join(resolve(data_dir), SECRET_FILE)
}

/** Looks at the lock without taking it, so that a server that starts at this moment is not kept out for good. */
function isHeld(dir: string): boolean {
  const lock = new DatabaseSync(join(dir, LOCK_FILE), { readOnly: true })
  try {
    lock.prepare('select count(*) from sqlite_schema').get()
    return false
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return true
    refuseDirectory(dir, error)
  } finally {
    lock.close()
  }
}

/** Null where another process has it. */
function openLock(dir: string): DatabaseSync | null {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(dir, LOCK_FILE), { timeout: LOOKED_AT_MS })
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
    return lock
  } catch (error) {
    lock?.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null
    refuseDirectory(dir, error)
  }
}

function refuseDirectory(dir: string, error: unknown): never {
  throw dataDirUnusable(`${dir} cannot be used: ${fileReason(error)}. Set ARCADIA_DATA_DIR to a directory of your own.`)
}

/** Later files are made by the program's umask. The directory itself may be the operator's and stays as it is. */
async function closeToOthers(dir: string): Promise<void> {
  const database_dir = join(dir, DATABASE_DIR)
  const files = (await isOpenToOthers(join(database_dir, 'PG_VERSION')))
    ? (await readdir(database_dir, { recursive: true })).map((name) => join(database_dir, name))
    : []
  const beside = [LOCK_FILE, HOLDER_FILE, SECRET_FILE].map((name) => join(dir, name))
  for (const path of [database_dir, ...files, ...beside]) {
    if (await isOpenToOthers(path)) await chmod(path, (await stat(path)).mode & ~OTHERS)
  }
}

async function isOpenToOthers(path: string): Promise<boolean> {
  return stat(path).then(
    ({ mode }) => (mode & OTHERS) !== 0,
    () => false,
  )
}

type Holder = { pid: number; host: string; command: string; since: string; url?: string }

function describeSelf(): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    command: process.argv.slice(2).join(' ') || 'arcadia',
    since: systemClock.now().toString({ smallestUnit: 'second' }),
  }
}

async function describeHolder(dir: string): Promise<string> {
  const holder = await readHolder(dir)
  if (holder === null) return 'another process'
  return `process ${holder.pid} on ${holder.host} (arcadia ${holder.command}), since ${holder.since}`
}

async function readHolder(dir: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(join(dir, HOLDER_FILE), 'utf8')) as Holder
  } catch {
    return null
  }
}
