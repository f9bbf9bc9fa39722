import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from './db.ts'
import { readMigrations, schemaState } from './migrate.ts'
import { findTemplate, makeTemplate } from './template.ts'

test('a new directory starts from the template, also where a process died while making one', async (t) => {
  await makeTemplate(Temporal.Instant.fromEpochMilliseconds(0))
  const data_dir = await mkdtemp(join(tmpdir(), 'arcadia-template-'))
  t.after(() => rm(data_dir, { recursive: true, force: true }))
  await mkdir(join(data_dir, 'pglite'))
  await writeFile(join(data_dir, 'pglite', 'PG_VERSION'), 'half of it')
  await writeFile(join(data_dir, 'pglite.half-made'), '')
  const config = { database: { kind: 'embedded' as const, data_dir } }
  const db = await openDatabase(config, { template: findTemplate })
  assert.deepEqual(await schemaState(db, await readMigrations()), { state: 'current' })
  await db.script(`insert into platform.run (id, name, started_at, outcome)
    values (gen_random_uuid(), 'kept', now(), 'running')`)
  await db.close()
  const again = await openDatabase(config, {
    template: async () => assert.fail('a database that is there needs no template'),
  })
  assert.equal((await again.read.selectFrom('platform.run').select('name').execute())[0]?.name, 'kept')
  await again.close()
})
