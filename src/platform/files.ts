import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '../kernel/invariant.ts'

/** Why a file or folder cannot be used, in words and without its path. */
export function fileReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? (code || messageOf(error))
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is no folder',
  EEXIST: 'it is a file',
  EISDIR: 'it is a folder',
  EACCES: 'you have no permission for it',
  EPERM: 'you have no permission for it',
  EROFS: 'its disk can only be read',
  ENOSPC: 'the disk is full',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links lead in a circle',
}

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
