import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { memoryDatabase } from '../../../test/support/database.ts'
import {
  assertSound,
  csv,
  deploy,
  emptyTables,
  HEADER,
  type LineJson,
  listInventory,
  row,
  startCosts,
  upload,
} from './costs.fixture.ts'
import { matchLines } from './index.ts'
import { PATIENCE_MS } from '../../../test/support/patience.ts'

const costs = await startCosts()
const { call, db, edge } = costs
after(() => costs.close())
beforeEach(() => emptyTables(costs))

const BEFORE = '2026-02-01T00:00:00Z'
const tag = (slug: string): string[] => [`arcadia:boab:${slug}`]

async function lines(query = '') {
  const { status, body } = await call('GET', `/billing/cost-lines?${query}`)
  assert.equal(status, 200)
  return body.data
}

async function decisions() {
  return (await lines()).map(({ match_status, match_method, deployment_id, match_reason }: Record<string, string>) => [
    match_status,
    match_method,
    deployment_id,
    match_reason,
  ])
}

/** As the inventory's hook does after a change. */
async function rematchResources(): Promise<void> {
  const rows = await db.read.selectFrom('inventory.resource').select('id').execute()
  await db.transaction((tx) => matchLines(tx, { resource_ids: rows.map(({ id }) => id) }))
}

async function addRule(deployment_id: string, selects: object): Promise<void> {
  const body = { ...selects, shares: [{ deployment_id, weight: '1' }] }
  assert.equal((await call('POST', '/billing/allocation-rules', { body })).status, 201)
}

/** As the provider's items name them: the CSV of the other tests carries no ids. */
async function nameById(ids: { id: string | null; uuid: string | null }): Promise<void> {
  const named = { external_resource_id: ids.id, external_resource_uuid: ids.uuid }
  await db.script('alter table costs.cost_line disable trigger user')
  await db.transaction(async (tx) => {
    await tx.updateTable('costs.cost_line').set(named).execute()
    await matchLines(tx, {})
  })
  await db.script('alter table costs.cost_line enable trigger user')
}

test('a line is matched by the resource id that it names, in either of its two forms, whatever the name', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: '77', name: 'one', tags: tag('studio') },
    { external_id: 'aa-bb', kind: 'volume', name: 'two', tags: tag('studio') },
  ])
  await upload(costs, csv(row('Droplets', 'renamed (s-1)', '4.00')))
  for (const [id, uuid, external_id] of [
    ['77', null, '77'],
    ['5', 'aa-bb', '5'],
    [null, 'aa-bb', 'aa-bb'],
  ] as const) {
    await nameById({ id, uuid })
    assert.deepEqual(await decisions(), [['matched', 'resource_id', studio, `resource id ${external_id}`]])
  }
  await assertSound(costs)
})

test('a line without an id is matched by kind and name, without case', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: '1', name: 'Web-1', tags: tag('studio') },
    { external_id: '2', kind: 'volume', name: 'web-2', tags: tag('studio') },
  ])
  await upload(costs, csv(row('Droplets', 'web-1 (s-1)', '4.00'), row('Droplets', 'web-2 (s-1)', '4.00')))
  const [first, second] = await lines()
  assert.deepEqual([first.match_method, first.deployment_id, first.tenant_id], ['kind_and_name', studio, 'boab'])
  assert.equal(first.match_reason, 'droplet named web-1')
  assert.ok(first.resource_id)
  assert.deepEqual([second.match_status, second.resource_id], ['unmatched', null])
  assert.equal(second.match_reason, 'no droplet named web-2 was alive in this window')
})

test('backups and snapshots are the cost of what they are taken of', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: '1', name: 'web', tags: tag('studio') },
    { external_id: '2', kind: 'volume', name: 'data', tags: tag('studio') },
  ])
  const text = csv(
    row('Droplet Backups', 'web (Weekly Backup Services)', '1.20'),
    row('Droplet Snapshots', 'web-1774692000123 (syd1) 4.20GB Droplet Snapshot', '0.25'),
    row('Volume Snapshots', 'data-1774692000123 (syd1) 4.20GB Volume Snapshot', '0.25'),
  )
  await upload(costs, text)
  assert.deepEqual(
    (await lines()).map(({ deployment_id }: { deployment_id: string }) => deployment_id),
    [studio, studio, studio],
  )
})

test('a name counts for as long as the resource bore it', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await listInventory(edge, '2026-03-01T00:00:00Z', [
    { external_id: '1', name: 'old-web', tags: tag('studio') },
    { external_id: '2', name: 'web', tags: tag('shop'), born_at: Temporal.Instant.from('2026-03-01T00:00:00Z') },
  ])
  const february = 'Droplets,,web (s-1),672,2026-02-01 00:00:00 +0000,2026-03-01 00:00:00 +0000,$4.00,,iaas'
  await upload(costs, csv(february), 'period=2026-02')
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00')))
  const owners = new Map((await lines()).map((line: LineJson) => [line.charge_period.start, line.deployment_id]))
  assert.deepEqual(owners.get('2026-02-01T00:00:00Z'), studio)
  assert.deepEqual(owners.get('2026-04-01T00:00:00Z'), shop)
})

test('two resources of one name count if they agree; else the line is ambiguous', async () => {
  const [studio] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  const named = (tags: string[]) => [
    { external_id: '1', name: 'web', tags: tag('studio') },
    { external_id: '2', name: 'web', tags },
  ]
  await listInventory(edge, BEFORE, named(tag('studio')))
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00')))
  const [agreed] = await lines()
  assert.deepEqual([agreed.match_status, agreed.deployment_id, agreed.resource_id], ['matched', studio, null])
  await listInventory(edge, '2026-02-02T00:00:00Z', named(tag('shop')))
  await db.transaction((tx) => matchLines(tx, {}))
  assert.deepEqual(await decisions(), [['unmatched', null, null, 'ambiguous: 2 resources named web']])
})

test('a resource that changed hands in the time of a line splits it by the time of each, and the parts add up', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await listInventory(edge, '2026-04-20T00:00:00Z', [{ external_id: '1', name: 'web', tags: tag('shop') }])
  const early = 'Droplets,,web (s-1),240,2026-04-01 00:00:00 +0000,2026-04-11 00:00:00 +0000,$1.00,,iaas'
  await upload(costs, csv(row('Droplets', 'web (s-1)', '10.00'), row('Droplets', 'web (s-1)', '-0.05'), early))
  const [whole, refund, before] = await lines()
  assert.deepEqual(
    [whole.match_status, whole.match_method, whole.deployment_id, whole.match_reason],
    ['allocated', 'kind_and_name', null, 'droplet named web, which changed hands: split by the time of each'],
  )
  assert.ok(whole.resource_id)
  const parts = (line: LineJson) => Object.fromEntries(line.shares.map((one) => [one.deployment_id, one.amount]))
  assert.deepEqual(parts(whole), { [studio]: '6.33', [shop]: '3.67' })
  assert.deepEqual(whole.shares.map(({ weight }: { weight: string }) => weight).toSorted(), ['1641600', '950400'])
  assert.deepEqual(parts(refund), { [studio]: '-0.03', [shop]: '-0.02' })
  assert.deepEqual([before.match_status, before.deployment_id], ['matched', studio])
  await assertSound(costs)

  await db.transaction((tx) => tx.updateTable('inventory.span').set({ deployment_id: shop }).execute())
  await rematchResources()
  assert.deepEqual(
    (await lines()).map(({ match_status, deployment_id, shares }: LineJson) => [match_status, deployment_id, shares]),
    [
      ['matched', shop, []],
      ['matched', shop, []],
      ['matched', shop, []],
    ],
  )
})

test('time without a deployment does not count: the line is of who had the resource in the rest of it', async () => {
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web' }])
  const studio = await deploy(edge, 'boab', 'studio')
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00')))
  assert.equal((await lines())[0].match_status, 'unmatched')
  await db.transaction(async (tx) => {
    const from = Temporal.Instant.from('2026-04-20T00:00:00Z')
    const { id, ...open } = await tx.selectFrom('inventory.span').selectAll().executeTakeFirstOrThrow()
    await tx.updateTable('inventory.span').set({ ends_at: from }).where('id', '=', id).execute()
    const owner = { tenant_id: 'boab', deployment_id: studio }
    const later = { ...open, ...owner, tags: [...open.tags], id: edge.ids.uuid(), starts_at: from }
    await tx.insertInto('inventory.span').values(later).execute()
  })
  await rematchResources()
  assert.deepEqual(await decisions(), [['matched', 'kind_and_name', studio, 'droplet named web']])
})

test('a line by id for a time before or after the resource is of who had it then or last', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [{ external_id: '77', name: 'web', tags: tag('studio') }])
  await listInventory(edge, '2026-03-01T00:00:00Z', [])
  await upload(costs, csv(row('Droplets', 'web (s-1)', '1.20')))
  assert.equal((await lines())[0].match_status, 'unmatched')
  await nameById({ id: '77', uuid: null })
  assert.deepEqual(await decisions(), [['matched', 'resource_id', studio, 'resource id 77']])
})

test('every kind of resource is found by its kind and name', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: 'a', kind: 'database', name: 'pg-main', tags: tag('studio') },
    { external_id: 'b', kind: 'load_balancer', name: 'edge', tags: tag('studio') },
    { external_id: 'c', kind: 'reserved_ip', name: '203.0.113.9', tags: tag('studio') },
  ])
  const text = csv(
    row('Database Clusters', '1 GB / 1 vCPU / 10 GB', '15.15').replace(',,', ',PG-main,'),
    row('Load Balancers', 'edge (syd1)', '12.00'),
    row('Floating IPs', 'Unused Floating IP - 203.0.113.9', '1.00'),
  )
  await upload(costs, text)
  assert.deepEqual(await decisions(), [
    ['matched', 'kind_and_name', studio, 'database named PG-main'],
    ['matched', 'kind_and_name', studio, 'load_balancer named edge'],
    ['matched', 'kind_and_name', studio, 'reserved_ip named 203.0.113.9'],
  ])
})

test('what was taken of a resource or is a part of it is its owner’s, unless it has one of its own', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [
    { external_id: '1', name: 'web', tags: tag('studio') },
    { external_id: 'k', kind: 'kubernetes_cluster', name: 'prod', tags: tag('shop') },
    { external_id: 's', kind: 'snapshot', name: 'before-upgrade', parent: { kind: 'droplet', external_id: '1' } },
    {
      external_id: 't',
      kind: 'snapshot',
      name: 'golden',
      tags: tag('shop'),
      parent: { kind: 'droplet', external_id: '1' },
    },
  ])
  const text = csv(
    row('Droplet Backups', 'web (Weekly Backup Services)', '1.20'),
    row('Droplet Snapshots', 'before-upgrade (syd1) 4.20GB Droplet Snapshot', '0.25'),
    row('Droplet Snapshots', 'golden (syd1) 4.20GB Droplet Snapshot', '0.25'),
    row('Kubernetes Clusters', 'pool-1 (s-2vcpu-4gb)', '24.00').replace(',,', ',prod,'),
  )
  await upload(costs, text)
  assert.deepEqual(await decisions(), [
    ['matched', 'parent', studio, 'belongs to the droplet web'],
    ['matched', 'parent', studio, 'belongs to the droplet web'],
    ['matched', 'kind_and_name', shop, 'snapshot named golden'],
    ['matched', 'parent', shop, 'belongs to the kubernetes_cluster prod'],
  ])
  await db.transaction((tx) =>
    tx.updateTable('inventory.span').set({ deployment_id: shop }).where('name', 'in', ['web', 'prod']).execute(),
  )
  const parents = await db.read
    .selectFrom('inventory.resource')
    .select('id')
    .where('name', 'in', ['web', 'prod'])
    .execute()
  await db.transaction((tx) => matchLines(tx, { resource_ids: parents.map(({ id }) => id) }))
  assert.deepEqual(
    (await lines()).map(({ deployment_id }: LineJson) => deployment_id),
    [shop, shop, shop, shop],
  )
})

test('a resource that is known but nobody’s is passed on to the later rungs', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: '1', name: 'web', tags: tag('studio') },
    { external_id: 's', kind: 'snapshot', name: 'web' },
    { external_id: '2', name: 'api' },
  ])
  await upload(costs, csv(row('Droplet Snapshots', 'web (syd1) 4.20GB Droplet Snapshot', '0.25')))
  assert.deepEqual(await decisions(), [['matched', 'parent', studio, 'belongs to the droplet web']])
  const { id } = await db.read
    .selectFrom('inventory.resource')
    .select('id')
    .where('kind', '=', 'snapshot')
    .executeTakeFirstOrThrow()
  assert.equal((await lines())[0].resource_id, id)
  await nameById({ id: '2', uuid: null })
  assert.deepEqual(await decisions(), [['matched', 'parent', studio, 'belongs to the droplet web']])
  await assertSound(costs)
})

test('a backup that is billed when its droplet is gone is of who had the last of that name, unless one is there', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('shop') }])
  await listInventory(edge, '2026-02-10T00:00:00Z', [{ external_id: '2', name: 'web', tags: tag('studio') }])
  await listInventory(edge, '2026-03-01T00:00:00Z', [])
  await upload(costs, csv(row('Droplet Backups', 'web (Weekly Backup Services)', '1.20')))
  assert.deepEqual(await decisions(), [
    ['matched', 'parent', studio, 'belongs to the droplet web, the last of that name'],
  ])
  const born_at = Temporal.Instant.from('2026-04-20T00:00:00Z')
  await listInventory(edge, '2026-04-20T00:00:00Z', [{ external_id: '3', name: 'web', tags: tag('shop'), born_at }])
  await rematchResources()
  assert.deepEqual(await decisions(), [['matched', 'parent', shop, 'belongs to the droplet web']])
})

test('a line of an open bill is of the deployment that one of its tags names, whatever else stands there', async () => {
  // An archived deployment that was never billed had the slug before, and its tag.
  await deploy(edge, 'boab', 'studio')
  await db.script("update deployments.deployment set state = 'archived'")
  const studio = await deploy(edge, 'boab', 'studio')
  await deploy(edge, 'boab', 'shop')
  const tags = [
    '{"env":"prod","arcadia:boab:studio":""}',
    '{"owner":"arcadia:BOAB:Studio"}',
    '{"arcadia": "boab:studio"}',
    '{"arcadia":"boab:studio","also":"arcadia:boab:shop"}',
    '{"arcadia":"boab:nobody"}',
    '{"arcadia":"boab:studio',
    'arcadia:boab:studio',
  ]
  const text = [
    'BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName,Tags',
    ...tags.map((json, index) => {
      const quoted = `"${json.replaceAll('"', '""')}"`
      const [start, end] = ['2026-04-01T00:00:00Z', '2026-05-01T00:00:00Z']
      return `${index + 1},USD,${start},Usage,${start},${end},Example Cloud,${quoted}`
    }),
  ].join('\n')
  assert.equal((await upload(costs, text, '')).status, 201)
  const found = (await decisions()).map(([, method, deployment, reason]: string[]) => [method, deployment, reason])
  const tagged = ['tag', studio, 'tagged arcadia:boab:studio']
  const nothing = [null, null, 'the line names no resource: an allocation rule can share it']
  assert.deepEqual(found, [tagged, tagged, tagged, nothing, nothing, nothing, nothing])
  await assertSound(costs)
})

test('a node of a cluster is the cluster’s', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, BEFORE, [
    { external_id: 'k', kind: 'kubernetes_cluster', name: 'prod', tags: tag('studio') },
    {
      external_id: '9',
      kind: 'kubernetes_node',
      name: 'pool-1-x',
      parent: { kind: 'kubernetes_cluster', external_id: 'k' },
    },
  ])
  await upload(costs, csv(row('Droplets', 'pool-1-x (s-1)', '4.00')))
  await nameById({ id: '9', uuid: null })
  assert.deepEqual(await decisions(), [['matched', 'parent', studio, 'belongs to the kubernetes_cluster prod']])
})

test('a line that nothing else knows is of the deployment of its project, before anything remembered or a rule', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [
    { external_id: 'p', kind: 'project', name: 'Studio site', tags: tag('studio') },
    { external_id: 'q', kind: 'project', name: 'nobody' },
  ])
  await addRule(shop, { product: 'Spaces Subscription' })
  await upload(
    costs,
    csv(
      row('Spaces Subscription', 'Spaces', '5.00', 'studio site'),
      row('Spaces Subscription', 'Spaces', '5.00', 'nobody'),
      row('Spaces Subscription', 'Spaces', '5.00'),
    ),
  )
  assert.deepEqual(
    (await decisions()).map(([status, method, deployment]: string[]) => [status, method, deployment]),
    [
      ['matched', 'project', studio],
      ['allocated', 'allocation_rule', null],
      ['allocated', 'allocation_rule', null],
    ],
  )
  await assertSound(costs)
})

test('a resource without a deployment is named, and matched once it has one', async () => {
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00')))
  const [line] = await lines()
  assert.ok(line.resource_id)
  assert.deepEqual(await decisions(), [
    ['unmatched', null, null, 'the resource has no deployment: tag it or assign it'],
  ])
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, '2026-05-02T00:00:00Z', [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await rematchResources()
  assert.deepEqual(await decisions(), [['matched', 'kind_and_name', studio, 'droplet named web']])
})

test('the lines of a resource that is given to another deployment follow it at once, by name or by id', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00'), row('Droplets', 'other (s-1)', '4.00')))
  await addRule(shop, { product: 'Droplets' })
  const owners = async () =>
    (await lines()).map(({ match_status, deployment_id }: LineJson) => [match_status, deployment_id])
  assert.deepEqual(await owners(), [
    ['matched', studio],
    ['allocated', null],
  ])
  await db.transaction((tx) => tx.updateTable('inventory.span').set({ deployment_id: shop }).execute())
  await rematchResources()
  assert.deepEqual((await owners())[0], ['matched', shop])

  await nameById({ id: null, uuid: '1' })
  await db.transaction((tx) => tx.updateTable('inventory.span').set({ deployment_id: studio, name: 'x' }).execute())
  await rematchResources()
  assert.deepEqual(await owners(), [
    ['matched', studio],
    ['matched', studio],
  ])
  await assertSound(costs)
})

test('a line whose two ids name two resources of two deployments is ambiguous, also without a name', async () => {
  await deploy(edge, 'boab', 'studio')
  await deploy(edge, 'boab', 'shop')
  await listInventory(edge, BEFORE, [
    { external_id: '1', name: 'one', tags: tag('studio') },
    { external_id: 'aa-bb', kind: 'volume', name: 'two', tags: tag('shop') },
  ])
  await upload(costs, csv(row('Bandwidth', 'Bandwidth overage', '0.37')))
  await nameById({ id: '1', uuid: 'aa-bb' })
  assert.deepEqual(await decisions(), [['unmatched', null, null, 'ambiguous: the ids of the line name 2 resources']])
})

test('lines that the inventory cannot know say so', async () => {
  await upload(
    costs,
    csv(
      'Database Clusters,pg-main,1 GB / 1 vCPU / 10 GB,720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$15.15,,paas',
      row('Bandwidth', 'Bandwidth overage', '0.37'),
    ),
  )
  assert.deepEqual(await decisions(), [
    ['unmatched', null, null, 'no database named pg-main was alive in this window'],
    ['unmatched', null, null, 'the line names no resource: an allocation rule can share it'],
  ])
})

test('an assignment by hand stays when lines are matched again, and null gives the line back', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await listInventory(edge, BEFORE, [{ external_id: '1', name: 'web', tags: tag('studio') }])
  await upload(costs, csv(row('Droplets', 'web (s-1)', '4.00')))
  const [{ id }] = await lines()
  const path = `/billing/cost-lines/${id}/assignment`
  const { body } = await call('POST', path, { body: { deployment_id: shop } })
  assert.deepEqual([body.data.match_method, body.data.deployment_id], ['by_hand', shop])
  await db.transaction((tx) => matchLines(tx, {}))
  assert.deepEqual(await decisions(), [['matched', 'by_hand', shop, 'assigned by test-platform_admin']])
  const back = await call('POST', path, { body: { deployment_id: null } })
  assert.deepEqual([back.body.data.match_method, back.body.data.deployment_id], ['kind_and_name', studio])
})

function databaseRow(month: string): string {
  return `Database Clusters,PG-main,1 GB / 1 vCPU / 10 GB,720,${month}-01 00:00:00 +0000,${month}-28 00:00:00 +0000,$15.15,,paas`
}

test('a remembered assignment holds for the other bills of the resource, until it is forgotten', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await upload(costs, csv(databaseRow('2026-03')), 'period=2026-03')
  const [{ id }] = await lines()
  const path = `/billing/cost-lines/${id}/assignment`
  await call('POST', path, { body: { deployment_id: studio, remember: true } })
  await upload(costs, csv(databaseRow('2026-04')))
  const [april] = await lines('period=2026-04')
  assert.deepEqual([april.match_method, april.deployment_id], ['remembered', studio])
  await call('POST', path, { body: { deployment_id: null, remember: true } })
  assert.deepEqual(
    (await lines()).map((line: LineJson) => line.match_status),
    ['unmatched', 'unmatched'],
  )
})

test('a rule shares what has no deployment, to the cent; the rule that names most wins; without it the lines are unmatched again', async () => {
  const [studio, shop] = [await deploy(edge, 'boab', 'studio'), await deploy(edge, 'boab', 'shop')]
  await upload(
    costs,
    csv(
      row('Load Balancers', 'edge (syd1)', '10.01', 'platform'),
      row('Droplets', 'monitoring (s-1)', '4.00', 'Platform'),
    ),
  )
  const both = [
    { deployment_id: studio, weight: '1' },
    { deployment_id: shop, weight: '1' },
  ]
  const general = await call('POST', '/billing/allocation-rules', { body: { project: 'platform', shares: both } })
  assert.equal(general.status, 201)
  const body = { project: 'platform', product: 'load balancers', shares: [{ deployment_id: shop, weight: '1' }] }
  const special = await call('POST', '/billing/allocation-rules', { body })
  const shares = async () =>
    (await lines()).map((line: LineJson) => line.shares.map((one) => [one.deployment_id, one.amount]).toSorted())
  assert.deepEqual(await shares(), [
    [[shop, '10.01']],
    [
      [studio, '2'],
      [shop, '2'],
    ].toSorted(),
  ])
  await assertSound(costs)
  assert.equal((await call('DELETE', `/billing/allocation-rules/${special.body.data.id}`)).status, 204)
  const [balancer] = await shares()
  assert.deepEqual(balancer.map(([, amount]: string[]) => amount).toSorted(), ['5', '5.01'])
  assert.deepEqual((await lines(`deployment_id=${studio}`)).length, 2)
  await assertSound(costs)
  await call('DELETE', `/billing/allocation-rules/${general.body.data.id}`)
  assert.deepEqual(
    (await lines()).map((line: LineJson) => [line.match_status, line.shares]),
    [
      ['unmatched', []],
      ['unmatched', []],
    ],
  )
  await assertSound(costs)
})

test('a credit and a tax line stay out of it, whatever rules there are', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  const body = { product: 'Credits', shares: [{ deployment_id: studio, weight: '1' }] }
  await call('POST', '/billing/allocation-rules', { body })
  const text = `${HEADER}\nCredits,,Promotional credit,,2026-04-01 00:00:00 +0000,2026-04-30 23:59:59 +0000,-$2.00,,\n`
  await upload(costs, text)
  assert.equal((await lines())[0].match_status, 'not_applicable')
})

test(
  'a bill of a thousand lines takes no more statements than a bill of one, and a change of no resource none',
  { timeout: PATIENCE_MS },
  async (t) => {
    let statements = 0
    const counted = await startCosts(null, { db: await memoryDatabase({ on_query: () => (statements += 1) }) })
    t.after(counted.close)
    const cost = async (invoice_number: string, names: string[]): Promise<number> => {
      const text = csv(...names.map((name) => row('Droplets', `${name} (s-1)`, '4.00')))
      const before = statements
      assert.equal((await upload(counted, text, `period=2026-04&invoice_number=${invoice_number}`)).status, 201)
      return statements - before
    }
    await deploy(counted.edge, 'boab', 'studio')
    const names = Array.from({ length: 1_000 }, (_, index) => `web-${index}`)
    const resources = names.map((name, index) => ({ external_id: String(index), name, tags: tag('studio') }))
    await listInventory(counted.edge, BEFORE, resources)
    assert.equal(await cost('2', names), await cost('1', ['web-1']))
    const before = statements
    await counted.db.transaction((tx) => matchLines(tx, { resource_ids: [] }))
    assert.equal(statements, before)
    const { body } = await counted.call('GET', '/billing/provider-invoices')
    const large = body.data.find((invoice: { invoice_number: string }) => invoice.invoice_number === '2')
    assert.deepEqual([large.matched_lines, large.coverage], [1_000, '1'])
  },
)
