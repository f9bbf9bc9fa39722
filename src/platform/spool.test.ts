import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Type } from 'typebox'
import { memoryDatabase } from '../../test/support/database.ts'
import { testHttp } from '../../test/support/http.ts'
import type { App } from './http.ts'
import { spoolFiles } from './spool.ts'
import { Data } from './wire.ts'

const FORM = 'x-boundary'

test('uploads lie where nobody else can read them, and what killed processes left is swept at start', async (t) => {
  const { pid: dead } = spawnSync(process.execPath, ['--version'])
  const left = join(tmpdir(), `arcadia-spool-${dead}-left`)
  const others = join(tmpdir(), `arcadia-spool-${process.ppid}-others`)
  for (const dir of [left, others]) {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'bill.csv'), 'a,b\n')
  }
  t.after(() => rm(others, { recursive: true, force: true }))

  const seen: { path: string; mode: string }[] = []
  const http = await testHttp(() => [uploads(seen)], { db: await memoryDatabase() })
  t.after(http.close)
  assert.deepEqual([existsSync(left), existsSync(others)], [false, true])

  const part = `--${FORM}\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n\r\n--${FORM}--\r\n`
  const bodies = [
    { headers: { 'content-type': 'text/csv' }, body: 'a,b\n' },
    { headers: { 'content-type': `multipart/form-data; boundary=${FORM}` }, body: part },
  ]
  for (const request of bodies) assert.equal((await http.call('POST', '/upload', request)).status, 200)
  for (const { path, mode } of seen) {
    assert.equal(mode, '700', path)
    assert.deepEqual(await readdir(path), [], 'what was answered is removed')
  }
  assert.equal(seen.length, 2)
})

test('how far the files of a call are read is its progress', async (t) => {
  const seen: unknown[] = []
  const reading = (app: App): void =>
    void app.register(async (scope) => {
      const filesOf = spoolFiles(scope, ['text/csv'], { file_max_bytes: 1_000, files_max: 2 })
      scope.post('/read', { config: { access: ['platform_admin'] } }, async (request) => {
        for (const file of await filesOf(request)) {
          // As a transaction that is tried again does.
          for (const _ of [1, 2]) for await (const _chunk of file.open());
          seen.push((await http.call('GET', '/progress/import-1')).body.data)
        }
        return {}
      })
    })
  const http = await testHttp(() => [reading], { db: await memoryDatabase() })
  t.after(http.close)
  const part = (text: string) =>
    `--${FORM}\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n${text}\r\n`
  const headers = { 'content-type': `multipart/form-data; boundary=${FORM}`, 'x-request-id': 'import-1' }
  const body = `${part('a,b\n')}${part('c,d,e\n')}--${FORM}--\r\n`
  assert.equal((await http.call('POST', '/read', { headers, body })).status, 200)
  assert.deepEqual(seen, [
    { done: 4, total: 10 },
    { done: 10, total: 10 },
  ])
})

test('a full disk under an upload is told as such', async (t) => {
  const full = (app: App): void => {
    app.post('/full', { config: { access: ['platform_admin'] } }, async () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    })
  }
  const http = await testHttp(() => [full], { db: await memoryDatabase() })
  t.after(http.close)
  const { status, body } = await http.call('POST', '/full')
  assert.deepEqual([status, body.code], [507, 'platform/disk-full'])
})

function uploads(seen: { path: string; mode: string }[]) {
  return (app: App): void =>
    void app.register(async (scope) => {
      const filesOf = spoolFiles(scope, ['text/csv'], { file_max_bytes: 1_000, files_max: 2 })
      const answer = { 200: Data(Type.Object({})) }
      scope.post(
        '/upload',
        { config: { access: ['platform_admin'] }, schema: { response: answer } },
        async (request) => {
          for (const file of await filesOf(request)) {
            for await (const _ of file.open());
            const names = await readdir(tmpdir())
            const path = join(tmpdir(), names.find((name) => name.startsWith(`arcadia-spool-${process.pid}-`)) ?? '')
            seen.push({ path, mode: ((await stat(path)).mode & 0o777).toString(8) })
          }
          return { data: {} }
        },
      )
    })
}
