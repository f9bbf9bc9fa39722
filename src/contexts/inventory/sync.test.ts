import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import { resourceCount } from '../../../demo/digitalocean/inventory.ts'
import { type Faults, startDigitalOceanStandIn } from '../../../demo/digitalocean/server.ts'
import { memoryDatabase } from '../../../test/support/database.ts'
import { Problem } from '../../kernel/problem.ts'
import { frozenClock } from '../../platform/clock.ts'
import { randomIds } from '../../platform/ids.ts'
import { createDigitalOcean } from '../../providers/digitalocean/index.ts'
import { syncInventory } from './index.ts'
import { IMPATIENCE_MS } from '../../../test/support/patience.ts'

const TOKEN = 'dop_v1_test'
const account = demoAccount()
const total = resourceCount(account)
const db = await memoryDatabase()
const clock = frozenClock('2026-05-02T06:00:00Z')
after(() => db.close())

for (const [name, { faults, code }] of Object.entries<{ faults: Faults; code: string }>({
  'a refused token': { faults: { unauthorized: true }, code: 'provider/refused-token' },
  'too many requests': { faults: { too_many_requests: { count: 9, retry_after_s: 0 } }, code: 'provider/unavailable' },
  'a server error': { faults: { server_errors: 9 }, code: 'provider/unavailable' },
  'half a page': { faults: { cut_pages: 9 }, code: 'provider/unreadable-answer' },
  'an answer that never comes': { faults: { silent: 9 }, code: 'provider/unavailable' },
})) {
  test(`${name} is told as ${code}, loses nothing, and the next sync completes`, async () => {
    await run({})
    const before = await living()
    await assert.rejects(run(faults), (error) => error instanceof Problem && error.code === code)
    assert.equal(await living(), before)
    clock.set(clock.now().add({ hours: 1 }))
    assert.equal((await run({})).listed, total)
    assert.equal(await living(), total)
  })
}

for (const [name, faults] of Object.entries<Faults>({
  'may not list': { forbidden: ['/v2/droplets', '/v2/projects'] },
  'does not find': { absent: ['/v2/droplets', '/v2/projects'] },
})) {
  test(`what the token ${name} stays as it is, and is named with the scope that is needed`, async () => {
    await run({})
    const before = await living()
    clock.set(clock.now().add({ hours: 1 }))
    const { listed, gone, changed, not_listed } = await run(faults)
    const untouched = account.droplets.length + account.reserved_ips.length + account.projects.length
    assert.deepEqual([listed, gone, changed], [total - untouched, 0, 0])
    assert.equal(await living(), before)
    assert.deepEqual(
      not_listed.map(({ kind, scope }) => `${kind} ${scope}`),
      ['droplet droplet:read', 'kubernetes_node droplet:read', 'reserved_ip droplet:read', 'project project:read'],
    )
    assert.match(not_listed[0]?.reason ?? '', /GET \/v2\/droplets: status 40[34]/)
  })
}

test('a project whose members cannot be read leaves the projects of all resources as they are', async () => {
  await run({})
  clock.set(clock.now().add({ hours: 1 }))
  const [project] = account.projects
  const { changed, not_listed } = await run({ forbidden: [`/v2/projects/${project?.id}/resources`] })
  assert.deepEqual([changed, not_listed.map(({ kind }) => kind)], [0, ['project']])
})

async function run(faults: Faults) {
  const standIn = await startDigitalOceanStandIn({ token: TOKEN, account, faults })
  try {
    return await syncInventory({
      provider: createDigitalOcean({
        token: TOKEN,
        api_url: standIn.url,
        timeout_ms: IMPATIENCE_MS,
        backoff_ms: 1,
        max_retries: 1,
      }),
      clock,
      ids: randomIds,
      transact: db.transaction,
      onInventoryChanged: async () => {},
    })
  } finally {
    await standIn.close()
  }
}

async function living(): Promise<number> {
  const rows = await db.read.selectFrom('inventory.resource').select('id').where('gone_at', 'is', null).execute()
  return rows.length
}
