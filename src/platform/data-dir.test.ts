import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { lockDataDir } from './data-dir.ts'

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

async function hold(data_dir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [HOLDER, 'serve', data_dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}
