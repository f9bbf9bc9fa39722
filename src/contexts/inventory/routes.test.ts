import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { within } from '../../platform/db.ts'
import type { Job, JobOutcome } from '../../platform/jobs.ts'
import type { ListedResource, NotListed, ResourceKind, Unread } from '../../providers/listed-resource.ts'
import { createDeployment } from '../deployments/index.ts'
import { createTenant } from '../tenants/index.ts'
import { inventoryInvariants, inventoryJobs, type InventoryProvider, inventoryRoutes, RESOURCE_KINDS } from './index.ts'
import type { InventoryHooks } from './routes.ts'

const BORN = '2026-04-03T10:00:00Z'
const NOW = '2026-05-02T06:00:00Z'
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

type Lists = Partial<Record<ResourceKind, ListedResource[]>>

/** What the provider lists now. Kinds that a test does not speak of are listed as empty. */
const account: { droplets: ListedResource[]; volumes: ListedResource[]; others: Lists } & {
  not_listed: NotListed[]
  unread: Unread[]
  failure: Error | null
} = { droplets: [], volumes: [], others: {}, not_listed: [], unread: [], failure: null }
const provider: InventoryProvider = {
  inventory: async () => {
    if (account.failure) throw account.failure
    const lists: Lists = { droplet: account.droplets, volume: account.volumes, ...account.others }
    const refused = new Set(account.not_listed.map(({ kind }) => kind))
    const kinds = RESOURCE_KINDS.filter((kind) => !refused.has(kind))
    return {
      kinds: kinds.map((kind) => ({ kind, resources: lists[kind] ?? [] })),
      not_listed: account.not_listed,
      unread: account.unread,
    }
  },
}
let notified: (readonly string[])[] = []
const onInventoryChanged: InventoryHooks['onInventoryChanged'] = async (_tx, { resource_ids }) =>
  void notified.push(resource_ids)

const harness = await testHttp((edge) => [
  inventoryRoutes(edge, { onInventoryChanged, previewMatches: async () => ({}) }),
])
const { call, clock, db, edge } = harness
after(() => harness.close())

beforeEach(async () => {
  clock.set(NOW)
  notified = []
  Object.assign(account, { droplets: [], volumes: [], others: {}, not_listed: [], unread: [], failure: null })
  await db.transaction(async (tx) => {
    await tx.deleteFrom('inventory.span').execute()
    await tx.deleteFrom('inventory.resource').execute()
    await tx.deleteFrom('inventory.listing').execute()
    await tx.deleteFrom('inventory.ownership_change').execute()
    await tx.deleteFrom('deployments.event').execute()
    await tx.deleteFrom('deployments.deployment').execute()
    await tx.deleteFrom('tenants.tenant').execute()
    await createTenant(
      within(tx),
      { id: 'Boab', legal_name: 'Boab', country: 'AU', currency: 'USD' },
      { now: clock.now() },
    )
  })
})

async function sync(): Promise<JobOutcome> {
  return runJob(inventoryJobs(edge, { provider, onInventoryChanged })[0])
}

function runJob(job: Job | undefined): Promise<JobOutcome> {
  assert.ok(job)
  return job.handle({}, { finish: (effect) => db.transaction(effect) })
}

function deploy(slug: string) {
  return db.transaction((tx) =>
    createDeployment(within(tx), { tenant_id: 'Boab', slug }, { now: clock.now(), actor: 'test', ids: edge.ids }),
  )
}

function listed(external_id: string, name: string, changes: Partial<ListedResource>): ListedResource {
  const base = { size: '', size_gb: '0', region: 'syd1', project: null, tags: [], parent: null, price_monthly: null }
  return { external_id, name, ...base, born_at: Temporal.Instant.from(BORN), ...changes }
}

function droplet(id: string, changes: Partial<ListedResource> = {}): ListedResource {
  return listed(id, `web-${id}`, { size: 's-1vcpu-1gb', price_monthly: '6', ...changes })
}

function volume(id: string, changes: Partial<ListedResource> = {}): ListedResource {
  return listed(id, `data-${id}`, { size: '100GiB', size_gb: '100', ...changes })
}

async function spans() {
  const rows = await db.read
    .selectFrom('inventory.span')
    .select(['starts_at', 'ends_at', 'name', 'size', 'size_gb', 'deployment_id'])
    .orderBy('starts_at')
    .execute()
  return rows.map(({ starts_at, ends_at, ...row }) =>
    Object.assign(row, { starts_at: starts_at.toString(), ends_at: ends_at?.toString() ?? null }),
  )
}

async function owners() {
  return (await spans()).map(({ starts_at, deployment_id }) => [starts_at, deployment_id])
}

type SpanJson = {
  starts_at: string
  project: string | null
  tags: string[]
  price_monthly: string | null
  deployment_id: string | null
}

const nameOf = ({ name }: { name: string }) => name

async function listing(kind: ResourceKind) {
  const { body } = await call('GET', '/resources/listings')
  return body.data.find((row: { kind: string }) => row.kind === kind)
}

async function onlyResource() {
  const { body } = await call('GET', '/resources')
  assert.equal(body.data.length, 1)
  return body.data[0]
}

async function assertSound(): Promise<void> {
  const findings = await runAudit(db.read, inventoryInvariants)
  assert.deepEqual(
    findings.filter(({ ok }) => !ok),
    [],
  )
}

test('what is listed is stored with a span from its birth, in whole seconds', async () => {
  const studio = await deploy('studio')
  account.droplets = [
    droplet('7', { born_at: Temporal.Instant.from('2026-04-03T10:00:00.75Z'), tags: ['ARCADIA:boab:Studio'] }),
  ]
  account.volumes = [volume('v-1')]
  assert.equal((await sync()).detail, '2 resources listed: 2 new, 0 changed, 0 gone')
  const { status, body } = await call('GET', '/resources')
  assert.equal(status, 200)
  const [data, web] = body.data
  assert.deepEqual([data.kind, data.size, data.size_gb, data.deployment_id], ['volume', '100GiB', '100', null])
  assert.deepEqual(web, {
    id: web.id,
    provider: 'digitalocean',
    kind: 'droplet',
    external_id: '7',
    name: 'web-7',
    size: 's-1vcpu-1gb',
    size_gb: '0',
    region: 'syd1',
    project: null,
    tags: ['ARCADIA:boab:Studio'],
    parent: null,
    price_monthly: '6',
    born_at: BORN,
    gone_at: null,
    last_seen_at: NOW,
    tenant_id: 'Boab',
    deployment_id: studio.id,
    assigned_by: 'tag',
  })
  assert.deepEqual(
    notified.map((ids) => ids.toSorted()),
    [[data.id, web.id].toSorted()],
  )
  clock.set('2026-05-02T07:37:00Z')
  await sync()
  assert.deepEqual(notified.at(-1), [])
  await assertSound()
})

test('a change of name or size ends a span and opens the next', async () => {
  account.volumes = [volume('v-1')]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.volumes = [volume('v-1', { size_gb: '200' })]
  await sync()
  clock.set('2026-05-02T08:37:00Z')
  account.volumes = [volume('v-1', { size_gb: '200', name: 'archive' })]
  await sync()
  assert.deepEqual(
    (await spans()).map(({ starts_at, ends_at, size_gb, name }) => [starts_at, ends_at, size_gb, name]),
    [
      [BORN, '2026-05-02T07:37:00Z', '100', 'data-v-1'],
      ['2026-05-02T07:37:00Z', '2026-05-02T08:37:00Z', '200', 'data-v-1'],
      ['2026-05-02T08:37:00Z', null, '200', 'archive'],
    ],
  )
  await assertSound()
})

test('a change of project, tags or price ends a span and opens the next', async () => {
  const { id: deployment_id } = await deploy('studio')
  const states: Partial<ListedResource>[] = [
    { tags: ['blue', 'arcadia:boab:studio'] },
    { tags: ['arcadia:boab:studio', 'blue'], project: 'boab' },
    { tags: ['arcadia:boab:studio', 'blue', 'green'], project: 'boab' },
    { tags: ['arcadia:boab:studio', 'blue', 'green'], project: 'boab', price_monthly: '7' },
  ]
  for (const [hour, state] of states.entries()) {
    clock.set(Temporal.Instant.from(NOW).add({ hours: hour }).toString())
    account.droplets = [droplet('7', state)]
    await sync()
  }
  const { id } = await onlyResource()
  const { body } = await call('GET', `/resources/${id}`)
  assert.deepEqual(
    body.data.spans.map((span: SpanJson) => [span.starts_at, span.project, span.tags.length, span.price_monthly]),
    [
      [BORN, null, 2, '6'],
      ['2026-05-02T07:00:00Z', 'boab', 2, '6'],
      ['2026-05-02T08:00:00Z', 'boab', 3, '6'],
      ['2026-05-02T09:00:00Z', 'boab', 3, '7'],
    ],
  )
  assert.ok(body.data.spans.every((span: SpanJson) => span.deployment_id === deployment_id))
  assert.deepEqual([body.data.project, body.data.price_monthly, body.data.spans[3].ends_at], ['boab', '7', null])
  await assertSound()
})

test('what the provider does not tell stays: the project while projects cannot be read, and the parent', async () => {
  const parent = { kind: 'droplet', external_id: '7' } as const
  account.others = { backup: [listed('b-1', 'web-7 weekly', { project: 'boab', parent })] }
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  const { project: _project, ...silent } = listed('b-1', 'web-7 weekly', {})
  account.others = { backup: [silent] }
  await sync()
  const backup = await onlyResource()
  assert.deepEqual([backup.project, backup.parent], ['boab', parent])
  assert.equal((await spans()).length, 1)
})

test('a node of a cluster is one resource with the cluster as its parent, also when it was listed as a droplet first', async () => {
  const parent = { kind: 'kubernetes_cluster', external_id: 'c-1' } as const
  account.droplets = [droplet('7')]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = []
  account.others = { kubernetes_node: [droplet('7', { parent })] }
  await sync()
  const node = await onlyResource()
  assert.deepEqual([node.kind, node.parent, node.gone_at], ['kubernetes_node', parent, null])
  assert.equal((await spans()).length, 1)
  clock.set('2026-05-02T08:37:00Z')
  account.others = {}
  await sync()
  clock.set('2026-05-02T09:37:00Z')
  account.others = { kubernetes_node: [droplet('7', { parent })] }
  await sync()
  assert.equal((await onlyResource()).gone_at, null)
  await assertSound()
})

test('what has no birthday begins when it is first listed', async () => {
  account.others = { reserved_ip: [listed('203.0.113.9', '203.0.113.9', { size: 'unassigned', born_at: null })] }
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.others = { reserved_ip: [listed('203.0.113.9', '203.0.113.9', { size: 'assigned', born_at: null })] }
  await sync()
  assert.deepEqual(
    (await spans()).map(({ starts_at, size }) => [starts_at, size]),
    [
      [NOW, 'unassigned'],
      ['2026-05-02T07:37:00Z', 'assigned'],
    ],
  )
})

test('a kind that cannot be listed is left alone, is shown with its reason, and is listed again afterwards', async () => {
  account.droplets = [droplet('7')]
  account.others = { app: [listed('a-1', 'site', {})] }
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = []
  account.not_listed = [{ kind: 'app', reason: 'GET /v2/apps: status 403', scope: 'app:read' }]
  const { detail } = await sync()
  assert.equal(detail, '0 resources listed: 0 new, 0 changed, 1 gone; app not listed, needs app:read')
  assert.deepEqual((await call('GET', '/resources?alive=true')).body.data.map(nameOf), ['site'])
  assert.deepEqual(await listing('app'), {
    provider: 'digitalocean',
    kind: 'app',
    listed_at: NOW,
    tried_at: '2026-05-02T07:37:00Z',
    last_error: 'GET /v2/apps: status 403',
    scope: 'app:read',
    unread: [],
  })
  clock.set('2026-05-02T08:37:00Z')
  account.not_listed = []
  account.others = {}
  await sync()
  const { listed_at, last_error, scope } = await listing('app')
  assert.deepEqual([listed_at, last_error, scope], ['2026-05-02T08:37:00Z', null, null])
  assert.deepEqual((await call('GET', '/resources?alive=true')).body.data, [])
  await assertSound()
})

test('what could not be read is shown and is not gone; where it has no id, nothing of its kind is', async () => {
  account.droplets = [droplet('7'), droplet('8'), droplet('9')]
  account.others = { app: [listed('a-1', 'site', {})] }
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = [droplet('7')]
  account.others = {}
  account.unread = [
    { kind: 'droplet', external_id: '8', reason: 'it has no size' },
    { kind: 'app', external_id: null, reason: 'it is no object' },
  ]
  const { detail } = await sync()
  assert.equal(
    detail,
    '1 resources listed: 0 new, 0 changed, 1 gone; 2 unread: droplet 8 (it has no size), app without an id (it is no object)',
  )
  const alive = (await call('GET', '/resources?alive=true')).body.data
  assert.deepEqual(alive.map(({ external_id }: { external_id: string }) => external_id).toSorted(), ['7', '8', 'a-1'])
  assert.deepEqual((await listing('droplet')).unread, [{ external_id: '8', reason: 'it has no size' }])
  account.unread = []
  clock.set('2026-05-02T08:37:00Z')
  assert.match((await sync()).detail, /2 gone$/)
  assert.deepEqual((await listing('droplet')).unread, [])
  await assertSound()
})

test('a kind that was never listed has no time', async () => {
  account.not_listed = [{ kind: 'app', reason: 'GET /v2/apps: status 403', scope: 'app:read' }]
  await sync()
  const { listed_at, tried_at } = await listing('app')
  assert.deepEqual([listed_at, tried_at], [null, NOW])
  const first = await call('GET', '/resources/listings?limit=5')
  const rest = await call('GET', `/resources/listings?cursor=${first.body.next_cursor}`)
  assert.deepEqual(
    [...first.body.data, ...rest.body.data].map(({ kind }) => kind),
    RESOURCE_KINDS.toSorted(),
  )
})

test('a project that is named like a deployment, or assigned by hand, belongs to it', async () => {
  const { id } = await deploy('studio')
  account.others = {
    project: [listed('p-1', 'Arcadia:Boab:studio', { tags: ['Arcadia:Boab:studio'] }), listed('p-2', 'platform', {})],
  }
  await sync()
  const { body } = await call('GET', '/resources?kind=project')
  assert.deepEqual(
    body.data.map((project: { deployment_id: string | null }) => project.deployment_id),
    [id, null],
  )
  const path = `/resources/${body.data[1].id}/assignment`
  assert.equal((await call('POST', path, { body: { deployment_id: id } })).body.data.deployment_id, id)
})

test('what is listed no longer is gone, and stays; listed again it lives on', async () => {
  account.droplets = [droplet('7')]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = []
  await sync()
  assert.equal((await onlyResource()).gone_at, '2026-05-02T07:37:00Z')
  await assertSound()
  clock.set('2026-05-02T08:37:00Z')
  account.droplets = [droplet('7')]
  await sync()
  assert.equal((await onlyResource()).gone_at, null)
  assert.deepEqual(
    (await spans()).map(({ starts_at, ends_at }) => [starts_at, ends_at]),
    [
      [BORN, '2026-05-02T07:37:00Z'],
      ['2026-05-02T08:37:00Z', null],
    ],
  )
  await assertSound()
})

test('a list that fails half-way records nothing', async () => {
  account.droplets = [droplet('7')]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  Object.assign(account, { droplets: [], failure: new Error('connection lost') })
  await assert.rejects(sync(), /connection lost/)
  const { gone_at, last_seen_at } = await onlyResource()
  assert.deepEqual([gone_at, last_seen_at], [null, NOW])
})

test('a listing that is older than the last recorded one is left out', async () => {
  account.droplets = [droplet('7')]
  await sync()
  clock.set('2026-05-02T05:00:00Z')
  account.droplets = []
  await sync()
  assert.equal((await onlyResource()).gone_at, null)
})

test('the same listing again changes nothing', async () => {
  account.droplets = [droplet('7')]
  await sync()
  const before = await spans()
  assert.equal((await sync()).detail, '1 resources listed: 0 new, 0 changed, 0 gone')
  assert.deepEqual(await spans(), before)
})

test('without a token the sync is skipped and says so', async () => {
  const outcome = await runJob(inventoryJobs(edge, { provider: null, onInventoryChanged })[0])
  assert.deepEqual(outcome, { outcome: 'skipped', detail: 'DIGITALOCEAN_TOKEN is not set' })
})

test('a deployment that is created after the resource gets its whole life', async () => {
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  const { body } = await call('GET', '/resources?assigned=false')
  assert.deepEqual(body.data[0].tags, ['arcadia:boab:studio'])
  const { id } = await deploy('studio')
  clock.set('2026-05-02T07:37:00Z')
  await sync()
  assert.deepEqual(
    (await spans()).map(({ starts_at, ends_at, deployment_id }) => [starts_at, ends_at, deployment_id]),
    [[BORN, null, id]],
  )
})

test('a tag that changes to another deployment counts from then on', async () => {
  const [studio, shop] = [await deploy('studio'), await deploy('shop')]
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = [droplet('7', { tags: ['arcadia:boab:shop'] })]
  await sync()
  assert.deepEqual(await owners(), [
    [BORN, studio.id],
    ['2026-05-02T07:37:00Z', shop.id],
  ])
})

test('the first assignment by hand covers the whole life, and the next sync keeps it', async () => {
  const { id: deployment_id } = await deploy('studio')
  account.droplets = [droplet('7')]
  await sync()
  notified = []
  const { id } = await onlyResource()
  const answer = await call('POST', `/resources/${id}/assignment`, { body: { deployment_id } })
  assert.equal(answer.status, 200)
  assert.deepEqual([answer.body.data.deployment_id, answer.body.data.assigned_by], [deployment_id, 'hand'])
  assert.deepEqual(notified, [[id]])
  clock.set('2026-05-02T07:37:00Z')
  await sync()
  assert.deepEqual(
    (await spans()).map(({ starts_at, ends_at, deployment_id: owner }) => [starts_at, ends_at, owner]),
    [[BORN, null, deployment_id]],
  )
  await assertSound()
})

test('a later assignment by hand beats the tag from now on, or from the time that is given', async () => {
  const [studio, shop] = [await deploy('studio'), await deploy('shop')]
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  const { id } = await onlyResource()
  clock.set('2026-05-02T06:30:00.9Z')
  await call('POST', `/resources/${id}/assignment`, { body: { deployment_id: shop.id } })
  assert.deepEqual(await owners(), [
    [BORN, studio.id],
    ['2026-05-02T06:30:00Z', shop.id],
  ])
  const body = { deployment_id: shop.id, from: '2026-04-20T00:00:00Z' }
  assert.equal((await call('POST', `/resources/${id}/assignment`, { body })).status, 200)
  assert.deepEqual(await owners(), [
    [BORN, studio.id],
    ['2026-04-20T00:00:00Z', shop.id],
    ['2026-05-02T06:30:00Z', shop.id],
  ])
  await assertSound()
})

test('what a former owner had is kept when a time that has passed is given to another', async () => {
  const [studio, shop] = [await deploy('studio'), await deploy('shop')]
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = [droplet('7', { name: 'renamed', tags: ['arcadia:boab:studio'] })]
  await sync()
  const { id } = await onlyResource()
  const lost = async () => {
    const rows = await db.read.selectFrom('inventory.ownership_change').selectAll().orderBy('starts_at').execute()
    return rows.map((row) => [row.deployment_id, row.starts_at.toString(), row.ends_at?.toString() ?? null])
  }
  assert.deepEqual(await lost(), [])
  const body = { deployment_id: shop.id, from: '2026-04-20T00:00:00Z' }
  assert.equal((await call('POST', `/resources/${id}/assignment`, { body })).status, 200)
  assert.equal((await call('POST', `/resources/${id}/assignment`, { body })).status, 200)
  assert.deepEqual(await lost(), [
    [studio.id, '2026-04-20T00:00:00Z', '2026-05-02T07:37:00Z'],
    [studio.id, '2026-05-02T07:37:00Z', null],
  ])
})

test('null takes the assignment by hand away: the tag decides again', async () => {
  const [studio, shop] = [await deploy('studio'), await deploy('shop')]
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  const { id } = await onlyResource()
  await call('POST', `/resources/${id}/assignment`, { body: { deployment_id: shop.id } })
  const { body } = await call('POST', `/resources/${id}/assignment`, { body: { deployment_id: null } })
  assert.deepEqual([body.data.deployment_id, body.data.assigned_by], [studio.id, 'tag'])
})

test('an assignment that begins outside the life is refused', async () => {
  const [studio, shop] = [await deploy('studio'), await deploy('shop')]
  account.droplets = [droplet('7', { tags: ['arcadia:boab:studio'] })]
  await sync()
  const { id } = await onlyResource()
  const future = { deployment_id: shop.id, from: '2027-01-01T00:00:00Z' }
  assert.equal(
    (await call('POST', `/resources/${id}/assignment`, { body: future })).body.code,
    'inventory/assignment-outside-life',
  )
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = []
  await sync()
  const answer = await call('POST', `/resources/${id}/assignment`, { body: { deployment_id: shop.id } })
  assert.deepEqual([answer.status, answer.body.code], [422, 'inventory/assignment-outside-life'])
  assert.deepEqual(
    (await spans()).map(({ deployment_id }) => deployment_id),
    [studio.id],
  )
})

test('resources are filtered, and paged by name', async () => {
  const { id } = await deploy('studio')
  account.droplets = [droplet('1', { tags: ['arcadia:boab:studio'] }), droplet('2', { project: 'boab' }), droplet('3')]
  account.volumes = [volume('v-1')]
  await sync()
  clock.set('2026-05-02T07:37:00Z')
  account.droplets = account.droplets.slice(0, 2)
  await sync()
  const names = async (query: string) => {
    const { status, body } = await call('GET', `/resources?${query}`)
    assert.equal(status, 200)
    return body.data.map(({ name }: { name: string }) => name)
  }
  assert.deepEqual(await names('kind=volume'), ['data-v-1'])
  assert.deepEqual(await names(`deployment_id=${id}`), ['web-1'])
  assert.deepEqual(await names('assigned=true'), ['web-1'])
  assert.deepEqual(await names('assigned=false'), ['data-v-1', 'web-2', 'web-3'])
  assert.deepEqual(await names('alive=false'), ['web-3'])
  assert.deepEqual(await names('project=boab'), ['web-2'])
  assert.deepEqual(await names('name=WEB-'), ['web-1', 'web-2', 'web-3'])
  assert.deepEqual(await names('name=%25'), [])
  const first = await call('GET', '/resources?limit=3')
  assert.equal(first.body.data.length, 3)
  assert.deepEqual(await names(`limit=3&cursor=${first.body.next_cursor}`), ['web-3'])
})

test('each refusal has its status', async () => {
  account.droplets = [droplet('7')]
  await sync()
  const { id } = await onlyResource()
  const path = `/resources/${id}/assignment`
  const status = async (...[method, to, options]: Parameters<typeof call>) => (await call(method, to, options)).status
  assert.equal(await status('GET', '/resources', { as: 'nobody' }), 401)
  assert.equal(await status('GET', '/resources', { as: { tenant: 'Boab' } }), 403)
  assert.equal(await status('POST', path, { as: { tenant: 'Boab' }, body: { deployment_id: null } }), 403)
  for (const list of ['/resources/listings', `/resources/${id}`]) {
    assert.equal(await status('GET', list, { as: 'nobody' }), 401)
    assert.equal(await status('GET', list, { as: { tenant: 'Boab' } }), 403)
  }
  assert.equal(await status('GET', `/resources/${UNKNOWN_ID}`), 404)
  assert.equal(await status('GET', '/resources/listings?cursor=nonsense'), 422)
  assert.equal(await status('GET', '/resources?colour=blue'), 422)
  assert.equal(await status('GET', '/resources?kind=castle'), 422)
  assert.equal(await status('GET', '/resources?cursor=nonsense'), 422)
  assert.equal(await status('POST', path, { body: {} }), 422)
  assert.equal(await status('POST', path, { body: { deployment_id: 7 } }), 422)
  assert.equal(await status('POST', path, { body: { deployment_id: null, colour: 'blue' } }), 422)
  assert.equal(await status('POST', `/resources/${UNKNOWN_ID}/assignment`, { body: { deployment_id: null } }), 404)
  const unknown = await call('POST', path, { body: { deployment_id: UNKNOWN_ID } })
  assert.deepEqual([unknown.status, unknown.body.code], [422, 'inventory/unknown-deployment'])
})

for (const [name, damage] of Object.entries({
  'inventory.spans-within-life': (id: string) =>
    db.transaction((tx) =>
      tx
        .updateTable('inventory.resource')
        .set({ born_at: Temporal.Instant.from(NOW) })
        .where('id', '=', id)
        .execute(),
    ),
  'inventory.living-have-one-open-span': (id: string) =>
    db.transaction((tx) =>
      tx
        .updateTable('inventory.span')
        .set({ ends_at: Temporal.Instant.from(NOW) })
        .where('resource_id', '=', id)
        .execute(),
    ),
  'inventory.assignment-by-hand-holds': async (id: string) => {
    const { id: assigned_deployment_id } = await deploy('studio')
    await db.transaction((tx) =>
      tx
        .updateTable('inventory.resource')
        .set({ assigned_tenant_id: 'Boab', assigned_deployment_id })
        .where('id', '=', id)
        .execute(),
    )
  },
})) {
  test(`the audit finds what breaks ${name}`, async () => {
    account.droplets = [droplet('7')]
    await sync()
    await damage((await onlyResource()).id)
    const findings = await runAudit(db.read, inventoryInvariants)
    assert.deepEqual(
      findings.filter(({ ok }) => !ok).map((finding) => finding.name),
      [name],
    )
  })
}
