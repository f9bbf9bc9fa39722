import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { lockDataDir, requireBooks } from './data-dir.ts'

const HOLDER = fileURLToPath(new URL('../../test/support/hold-data-dir.ts', import.meta.url))

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'arcadia-data-dir-'))
})
after(() => rm(dir, { recursive: true, force: true }))

test('a second process is refused and told who holds the directory; a kill frees it', async () => {
  const data_dir = join(dir, 'killed')
  const holder = await hold(data_dir)
  await assert.rejects(() => lockDataDir(data_dir), {
    code: 'platform/data-directory-in-use',
    message: new RegExp(
      `held by process ${holder.pid} on .* \\(arcadia serve ${data_dir}\\), since .*ARCADIA_DATA_DIR`,
    ),
  })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await (await lockDataDir(data_dir)).release()
})

test('the directory is free after release, again and again', async () => {
  const data_dir = join(dir, 'released')
  for (let round = 0; round < 3; round += 1) {
    const lock = await lockDataDir(data_dir)
    assert.equal(lock.database_dir, join(data_dir, 'pglite'))
    await assert.rejects(() => lockDataDir(data_dir), { code: 'platform/data-directory-in-use' })
    await lock.release()
  }
})

test('the directory is made for its owner alone', async () => {
  const data_dir = join(dir, 'deep', 'inside')
  const lock = await lockDataDir(data_dir)
  assert.equal((await stat(data_dir)).mode & 0o777, 0o700)
  await lock.release()
})

test('what lies open to others is closed: what the database makes at first, and what an older program left', async () => {
  const data_dir = join(dir, 'open')
  const paths = ['pglite', 'pglite/base', 'pglite/base/1', 'pglite/PG_VERSION', 'jwt-secret'].map((name) =>
    join(data_dir, name),
  )
  await mkdir(join(data_dir, 'pglite', 'base'), { recursive: true })
  for (const path of paths.slice(2)) await writeFile(path, '')
  for (const path of paths) await chmod(path, (await stat(path)).isDirectory() ? 0o755 : 0o666)
  const lock = await lockDataDir(data_dir)
  await lock.closeToOthers()
  await lock.release()
  for (const path of paths) {
    const found = await stat(path)
    assert.equal(found.mode & 0o777, found.isDirectory() ? 0o700 : 0o600, path)
  }
  assert.equal((await stat(join(data_dir, 'holder.json'))).mode & 0o777, 0o600)
})

test('a directory that cannot be used is told in words, at once', async () => {
  const file = join(dir, 'a-file')
  await writeFile(file, '')
  const cases = [
    ['/proc/foo', /\/proc\/foo cannot be used: there is no such file or folder\. Set ARCADIA_DATA_DIR/],
    [join(file, 'inside'), /cannot be used: a part of its path is no folder/],
    [file, /cannot be used: it is a file/],
  ] as const
  for (const [data_dir, message] of cases) {
    await assert.rejects(lockDataDir(data_dir), { code: 'platform/data-directory-unusable', message })
  }
})

test('a directory without books is refused by who only reads them, and stays as it was', async () => {
  const data_dir = join(dir, 'mistyped')
  await assert.rejects(requireBooks(data_dir), {
    code: 'platform/no-books',
    message: /There are no books in .*mistyped/,
  })
  await assert.rejects(stat(data_dir), { code: 'ENOENT' })
})

async function hold(data_dir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [HOLDER, 'serve', data_dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}
