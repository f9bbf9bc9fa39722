import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '../kernel/invariant.ts'

/** Why a file or directory cannot be used, for a sentence that names it already. */
export function fileReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS.get(code) ?? messageOf(error)
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file or directory'],
  ['EACCES', 'there is no permission for it'],
  ['EPERM', 'there is no permission for it'],
  ['EEXIST', 'it is a file'],
  ['EISDIR', 'it is a directory'],
  ['ENOTDIR', 'a part of its path is a file'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
])

/**
 * Makes a directory, and those above it, for its owner alone. One by one: in a file system that makes none, such as
 * /proc, the runtime's own recursion never ends.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as { code?: string }
    const above = dirname(path)
    if (code === 'ENOENT' && above !== path && !(await exists(above))) {
      await makeDirectory(above)
      await makeDirectory(path)
    } else if (code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
