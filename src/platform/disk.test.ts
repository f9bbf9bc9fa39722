import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { makeTemplate } from './template.ts'
import { openDatabase } from './db.ts'
import { isDiskFull, LOW_DISK_BYTES } from './disk.ts'
import { messageOf } from '../kernel/invariant.ts'

const MIB = 1024 * 1024
const RUN = sql`insert into platform.run (id, name, started_at, outcome) values (gen_random_uuid(), 'x', now(), 'running')`

test('a disk that is almost full takes no more writes, can be read and closed, and takes them again', async (t) => {
  const data_dir = await mkdtemp(join(tmpdir(), 'arcadia-disk-'))
  t.after(() => rm(data_dir, { recursive: true, force: true }))
  const config = { database: { kind: 'embedded' as const, data_dir } }
  const template = () => makeTemplate(Temporal.Instant.fromEpochMilliseconds(0))
  let free_bytes = 10 * MIB
  const low: number[] = []
  const open = () =>
    openDatabase(config, { template, free_space: () => free_bytes, on_low_disk: (bytes) => low.push(bytes) })

  await assert.rejects(open, { code: 'platform/disk-full', message: /A new database needs .* and 10 MiB are free/ })
  free_bytes = 2 * LOW_DISK_BYTES
  const db = await open()
  const write = () => db.transaction((tx) => RUN.execute(tx))
  await write()
  assert.deepEqual(low, [])

  free_bytes = LOW_DISK_BYTES - 1
  await write()
  await write()
  assert.deepEqual(low, [free_bytes])

  free_bytes = 20 * MIB
  const refused = { code: 'platform/disk-full', message: /20 MiB are free .* goes on by itself/ }
  await assert.rejects(write, refused)
  await assert.rejects(() => db.script('create table public.t (id int)'), refused)
  const count = () => db.read.selectFrom('platform.run').select('id').execute()
  assert.equal((await count()).length, 3)

  free_bytes = LOW_DISK_BYTES
  await write()
  free_bytes = 0
  assert.equal((await count()).length, 4)
  await db.close()
  await assert.rejects(open, { code: 'platform/disk-full', message: /To open the database .* and 0 MiB are free/ })
})

test('a full disk is known by what the system, the server and the embedded database say', () => {
  const told = [{ code: 'ENOSPC' }, { code: 'EDQUOT' }, { code: '53100' }, { errno: 51 }]
  for (const error of told) assert.ok(isDiskFull(error), messageOf(error))
  for (const error of [null, 'ENOSPC', new Error('no'), { code: '23505' }]) assert.ok(!isDiskFull(error))
})
