import { statfsSync } from 'node:fs'
import { problem } from '../kernel/problem.ts'

export const diskFull = problem({
  code: 'platform/disk-full',
  status: 507,
  title: 'There is no space left on the disk',
})

const MIB = 1024 * 1024
/** Below this, an operator is told while there is time. */
export const LOW_DISK_BYTES = 512 * MIB
/**
 * Below this, the embedded database takes no more writes. What is left is for what is under way and for the log that
 * every write needs: without space for that, the database stops answering at all, and cannot be stopped in good order.
 */
const FLOOR_BYTES = 32 * MIB
/** What the start of an embedded database may write. */
const OPEN_DATABASE_BYTES = 4 * MIB
/** What a new embedded database takes, its log included. */
const NEW_DATABASE_BYTES = 96 * MIB

/** Looked at before a write; called for every statement, so that it must be cheap. */
export type DiskGuard = {
  /** Throws a Problem when a statement that writes could fill the disk. */
  check(statement: string): void
}

export type FreeSpace = () => number

/** Free space on the disk of a directory, as a process without privileges may use it. */
export function freeSpaceOf(dir: string): FreeSpace {
  return () => {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  }
}

/** Data may still be read, so only what writes is refused. `on_low` is called once each time space becomes low. */
export function createDiskGuard(free: FreeSpace, on_low: (free_bytes: number) => void = () => undefined): DiskGuard {
  let was_low = false
  return {
    check: (statement) => {
      if (!WRITES.test(statement)) return
      const free_bytes = free()
      const is_low = free_bytes < LOW_DISK_BYTES
      if (is_low && !was_low) on_low(free_bytes)
      was_low = is_low
      if (free_bytes < FLOOR_BYTES) {
        throw diskFull(
          `${inMib(free_bytes)} are free where the embedded database is; below ${inMib(FLOOR_BYTES)} it takes no more writes. Make room; it goes on by itself.`,
        )
      }
    },
  }
}

const WRITES = /\b(?:insert|update|delete|merge|copy|create|alter|drop|truncate|vacuum)\b/i

/** Without space for what a start writes, the embedded database fails in no words, and may not end. */
export function requireSpaceToOpen(dir: string, free: FreeSpace): void {
  const free_bytes = free()
  if (free_bytes >= OPEN_DATABASE_BYTES) return
  throw diskFull(
    `To open the database in ${dir} takes ${inMib(OPEN_DATABASE_BYTES)}, and ${inMib(free_bytes)} are free. Make room.`,
  )
}

export function requireSpaceForDatabase(dir: string, free: FreeSpace): void {
  const free_bytes = free()
  if (free_bytes >= NEW_DATABASE_BYTES) return
  throw diskFull(
    `A new database needs ${inMib(NEW_DATABASE_BYTES)} in ${dir}, and ${inMib(free_bytes)} are free. Make room, or set ARCADIA_DATA_DIR to a directory on another disk.`,
  )
}

/** Of the operating system, of a PostgreSQL server, and of the embedded one (a WASI error number). */
const DISK_FULL_CODES = new Set<unknown>(['ENOSPC', 'EDQUOT', '53100'])
const WASI_NO_SPACE = 51

export function isDiskFull(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  return ('code' in error && DISK_FULL_CODES.has(error.code)) || ('errno' in error && error.errno === WASI_NO_SPACE)
}

export function inMib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`
}
