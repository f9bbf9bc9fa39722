import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '../kernel/invariant.ts'
import { problem } from '../kernel/problem.ts'
import { systemClock } from './clock.ts'

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

const HOLDER_FILE = 'holder.json'
const LOCK_FILE = 'lock'
const SQLITE_BUSY = 5

/**
 * Takes the embedded database's directory for this process. Two processes in one directory would corrupt it, so the
 * lock is the operating system's (SQLite's exclusive file lock): it cannot be left behind by a crash, and it holds
 * across containers on one machine.
 */
export async function lockDataDir(data_dir: string): Promise<{ database_dir: string; release: () => Promise<void> }> {
  const dir = resolve(data_dir)
  await makeDirectory(dir)
  const lock = new DatabaseSync(join(dir, LOCK_FILE))
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    throw dataDirInUse(
      `${dir} is held by ${await describeHolder(dir)}. Stop it first, or set ARCADIA_DATA_DIR to another directory.`,
    )
  }
  await writeFile(join(dir, HOLDER_FILE), JSON.stringify(describeSelf()))
  return {
    database_dir: join(dir, 'pglite'),
    release: async () => lock.close(),
  }
}

async function makeDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
  } catch (error) {
    const reason = messageOf(error)
    throw dataDirUnusable(`${dir} cannot be used: ${reason}. Set ARCADIA_DATA_DIR to a directory of your own.`)
  }
}

type Holder = { pid: number; host: string; command: string; since: string }

function describeSelf(): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    command: process.argv.slice(2).join(' ') || 'arcadia',
    since: systemClock.now().toString({ smallestUnit: 'second' }),
  }
}

async function describeHolder(dir: string): Promise<string> {
  try {
    const holder = JSON.parse(await readFile(join(dir, HOLDER_FILE), 'utf8')) as Holder
    return `process ${holder.pid} on ${holder.host} (arcadia ${holder.command}), since ${holder.since}`
  } catch {
    return 'another process'
  }
}
