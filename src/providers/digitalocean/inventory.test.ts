import assert from 'node:assert/strict'
import { test } from 'node:test'

import { OutboundError } from '../../platform/outbound.ts'
import { type ListedResource, RESOURCE_KINDS, type ResourceKind } from '../listed-resource.ts'
import { createDigitalOcean } from './index.ts'

const BORN = '2026-04-03T10:00:00Z'
const CLUSTER = 'bd5f5959-5e1e-4205-a714-a914373942af'
const PROJECT = {
  id: '4e1bfbc3-dc3e-41f2-a18f-1b4d7ba71679',
  name: 'boab',
  environment: 'Production',
  created_at: BORN,
}
const REGION = { slug: 'syd1' }
const [APPS, APP_SIZES] = ['/v2/apps', '/v2/apps/tiers/instance_sizes']

/** An account that has nothing; a test puts in what it speaks of. */
const NOTHING: Record<string, unknown> = {
  '/v2/droplets': { droplets: [] },
  '/v2/volumes': { volumes: [] },
  '/v2/databases': { databases: null },
  '/v2/kubernetes/clusters': { kubernetes_clusters: null },
  '/v2/load_balancers': { load_balancers: [] },
  '/v2/reserved_ips': { reserved_ips: [] },
  '/v2/reserved_ipv6': { reserved_ipv6s: [] },
  '/v2/snapshots': { snapshots: [] },
  '/v2/images': { images: [] },
  [APPS]: { apps: null },
  '/v2/registries': { registries: [] },
  '/v2/projects': { projects: [] },
}

test('an account that has nothing is listed whole, with one request for each list', async () => {
  const { inventory, asked } = await read({})
  assert.deepEqual(
    inventory.kinds.map(({ kind, resources }) => [kind, resources.length]),
    RESOURCE_KINDS.map((kind) => [kind, 0]),
  )
  assert.deepEqual(inventory.not_listed, [])
  // Droplets are asked for twice: those with a GPU are a list of their own.
  assert.deepEqual(asked, ['/v2/droplets', ...Object.keys(NOTHING)])
})

test('GPU droplets are listed with the ordinary ones, and each droplet once', async () => {
  const { resources } = await read({
    '/v2/droplets': ({ searchParams }: URL) => ({
      droplets: searchParams.get('type') === 'gpus' ? [droplet(1), droplet(77)] : [droplet(1), droplet(2)],
    }),
  })
  assert.deepEqual(
    resources('droplet').map(({ external_id }) => external_id),
    ['1', '2', '77'],
  )
})

test('a droplet comes with its size, price, tags and time; a float for a price is read to the cent', async () => {
  const size = { price_monthly: Math.fround(7.2), price_hourly: 0.00743999984115362 }
  const { resources } = await read({ '/v2/droplets': { droplets: [droplet(1, { size, tags: ['blue'] })] } })
  assert.deepEqual(resources('droplet'), [
    {
      external_id: '1',
      name: 'web-1',
      size: 's-1vcpu-1gb',
      size_gb: '0',
      region: 'syd1',
      project: null,
      tags: ['blue'],
      born_at: Temporal.Instant.from(BORN),
      parent: null,
      price_monthly: '7.2',
    },
  ])
})

test('a filter and the page size hold even when a next link forgets them', async () => {
  const { searches } = await read({
    '/v2/droplets': ({ searchParams }: URL) => ({
      droplets: [],
      links: {
        pages: searchParams.get('page') === '1' ? { next: 'https://api.digitalocean.com/v2/droplets?page=2' } : {},
      },
    }),
  })
  assert.deepEqual(searches.slice(0, 4), [
    '?page=1&per_page=200',
    '?page=2&per_page=200',
    '?type=gpus&page=1&per_page=200',
    '?type=gpus&page=2&per_page=200',
  ])
})

test('a worker of a cluster is a node of it, and no droplet', async () => {
  const tags = ['k8s', `k8s:${CLUSTER}`, 'k8s:worker']
  const { resources } = await read({ '/v2/droplets': { droplets: [droplet(1, { tags }), droplet(2)] } })
  const parent = { kind: 'kubernetes_cluster', external_id: CLUSTER }
  assert.deepEqual(resources('kubernetes_node').map(brief), [['1', 's-1vcpu-1gb', parent]])
  assert.deepEqual(resources('droplet').map(brief), [['2', 's-1vcpu-1gb', null]])
})

test('a cluster has the sizes of its pools, in their order, and its control plane', async () => {
  const pools = [
    { size: 's-2vcpu-4gb', count: 1 },
    { size: 's-1vcpu-2gb', count: 2 },
    { size: 's-1vcpu-2gb', count: 1 },
    { size: 'g-2vcpu-8gb', count: 0 },
  ]
  const cluster = { id: CLUSTER, name: 'prod', region: 'syd1', tags: ['k8s'], node_pools: pools, created_at: BORN }
  const clusters = [cluster, { ...cluster, id: 'other', node_pools: null, ha: true }]
  const { resources } = await read({ '/v2/kubernetes/clusters': { kubernetes_clusters: clusters } })
  assert.deepEqual(sizes(resources('kubernetes_cluster')), ['s-1vcpu-2gb x3 + s-2vcpu-4gb x1', 'ha'])
})

test('a database has the size and number of its nodes, and its storage in gigabytes', async () => {
  const database = { id: 'd', name: 'db', size: 'db-s-1vcpu-1gb', num_nodes: 2, region: 'syd1', created_at: BORN }
  const databases = [{ ...database, storage_size_mib: 61_952, tags: null, connection: { password: 'hush' } }]
  const { resources, inventory } = await read({ '/v2/databases': { databases } })
  const [first] = resources('database')
  assert.deepEqual([first?.size, first?.size_gb, first?.tags], ['db-s-1vcpu-1gb x2', '60.5', []])
  assert.doesNotMatch(JSON.stringify(inventory), /hush/)
})

test('a load balancer has its kind and its number of nodes, also where it is sold in three sizes, and no tags', async () => {
  const balancer = { id: '1', name: 'edge', region: REGION, created_at: BORN, tag: 'arcadia:boab:studio' }
  const load_balancers = [
    { ...balancer, size_unit: 3, size: 'lb-small', type: 'REGIONAL_NETWORK' },
    { ...balancer, id: '2', size: 'lb-medium' },
    { ...balancer, id: '3', type: 'GLOBAL', region: undefined, size_unit: 1 },
  ]
  const { resources } = await read({ '/v2/load_balancers': { load_balancers } })
  const listed = resources('load_balancer')
  assert.deepEqual(sizes(listed), ['regional_network x3', 'regional x3', 'global x1'])
  assert.deepEqual(
    listed.map(({ tags, region }) => [tags.length, region]),
    [
      [0, 'syd1'],
      [0, 'syd1'],
      [0, null],
    ],
  )
})

test('an address tells whether it is assigned, and has a birthday only where the provider knows it', async () => {
  const { resources } = await read({
    '/v2/reserved_ips': {
      reserved_ips: [
        { ip: '203.0.113.1', region: REGION, droplet: null },
        { ip: '203.0.113.2', region: REGION, droplet: { id: 7 } },
        { ip: '203.0.113.3', region: REGION, droplet: {} },
      ],
    },
    '/v2/reserved_ipv6': {
      reserved_ipv6s: [{ ip: '2001:db8::1', region_slug: 'syd1', droplet: null, reserved_at: BORN }],
    },
  })
  const listed = resources('reserved_ip')
  assert.deepEqual(sizes(listed), ['unassigned', 'assigned', 'unassigned', 'unassigned'])
  assert.deepEqual(
    listed.map(({ born_at }) => born_at?.toString() ?? null),
    [null, null, null, BORN],
  )
})

test('a snapshot names what it was taken of, and a backup is named by its droplet', async () => {
  const copy = { name: 'web', regions: ['syd1'], created_at: BORN, tags: null }
  const { resources } = await read({
    '/v2/droplets': { droplets: [droplet(7, { backup_ids: [71] })] },
    '/v2/snapshots': {
      snapshots: [
        { ...copy, id: '1', resource_type: 'droplet', resource_id: '7', size_gigabytes: 2.3399999141693115 },
        { ...copy, id: '2', resource_type: 'volume', resource_id: 'v', size_gigabytes: 0.1008 },
        { ...copy, id: '3', resource_type: 'castle', resource_id: 'c', size_gigabytes: 1 },
      ],
    },
    '/v2/images': {
      images: [
        { ...copy, id: 71, type: 'backup', size_gigabytes: 3.2 },
        { ...copy, id: 72, type: 'backup', size_gigabytes: null },
        { ...copy, id: 1, type: 'snapshot', size_gigabytes: 2.34 },
        { ...copy, id: 73, type: 'custom', size_gigabytes: 9 },
      ],
    },
  })
  const parents = (kind: ResourceKind) => resources(kind).map(({ parent, size_gb }) => [parent, size_gb])
  assert.deepEqual(parents('snapshot'), [
    [{ kind: 'droplet', external_id: '7' }, '2.34'],
    [{ kind: 'volume', external_id: 'v' }, '0.1008'],
    [null, '1'],
  ])
  assert.deepEqual(parents('backup'), [
    [{ kind: 'droplet', external_id: '7' }, '3.2'],
    [null, '0'],
  ])
})

test('an app has the sizes of its parts and the price of those that always run; what has no fixed price leaves it unknown', async () => {
  const web = { instance_size_slug: 'apps-s-1vcpu-1gb', instance_count: 2 }
  const specs = [
    { services: [web, {}], workers: [web], jobs: [web] },
    { services: [web], static_sites: [{}] },
    { services: [{ ...web, autoscaling: { min_instance_count: 1 } }] },
    { services: [web], databases: [{ production: true }, { production: false }] },
    { workers: [{ instance_size_slug: 'basic-xxs' }], databases: [{ production: true }] },
    { functions: [{}] },
    { jobs: [web] },
  ]
  const apps = specs.map((spec, index) => ({
    id: `a${index}`,
    spec: { ...spec, name: `app-${index}` },
    created_at: BORN,
  }))
  const { resources } = await read({
    [APPS]: { apps },
    [APP_SIZES]: {
      instance_sizes: [
        { slug: 'apps-s-1vcpu-1gb', usd_per_month: '10.00' },
        { slug: 'apps-s-1vcpu-0.5gb', usd_per_month: '5.00' },
      ],
    },
  })
  assert.deepEqual(
    resources('app').map(({ name, size, price_monthly }) => [name, size, price_monthly]),
    [
      ['app-0', 'apps-s-1vcpu-0.5gb x1 + apps-s-1vcpu-1gb x6', '45'],
      ['app-1', 'apps-s-1vcpu-1gb x2 + static-site x1', null],
      ['app-2', 'apps-s-1vcpu-1gb autoscaled x2', null],
      ['app-3', 'apps-s-1vcpu-1gb x2 + dev-database x1', null],
      ['app-4', 'basic-xxs x1', null],
      ['app-5', 'functions x1', null],
      ['app-6', 'apps-s-1vcpu-1gb x2', null],
    ],
  )
})

test('the subscription that registries share is paid once, at the oldest', async () => {
  const registries = [
    { name: 'younger', region: 'syd1', created_at: '2026-04-04T00:00:00Z' },
    { name: 'older', region: 'fra1', created_at: BORN },
  ]
  const tier = { slug: 'basic', monthly_price_in_cents: 550 }
  const { resources } = await read({
    '/v2/registries': { registries },
    '/v2/registry/subscription': { subscription: { tier } },
  })
  assert.deepEqual(
    resources('container_registry').map(({ external_id, size, region, price_monthly }) => [
      external_id,
      size,
      region,
      price_monthly,
    ]),
    [
      ['older', 'basic', 'fra1', '5.5'],
      ['younger', 'basic', 'syd1', '0'],
    ],
  )
})

test('the project of a resource is the one that it names, or that names it; each project is asked once', async () => {
  const other = { ...PROJECT, id: 'p-2', name: 'Arcadia:boab:studio' }
  const volume = { name: 'data', size_gigabytes: 10, region: REGION, tags: null, created_at: BORN }
  const database = { name: 'db', size: 's', num_nodes: 1, region: 'syd1', created_at: BORN }
  const { resources, asked } = await read({
    '/v2/droplets': { droplets: [droplet(1, { tags: [`k8s:${CLUSTER}`] })] },
    '/v2/volumes': {
      volumes: [
        { ...volume, id: 'V-1' },
        { ...volume, id: 'v-2' },
      ],
    },
    '/v2/databases': {
      databases: [
        { ...database, id: 'd-1', project_id: PROJECT.id },
        { ...database, id: 'd-2', project_id: '' },
      ],
    },
    '/v2/reserved_ips': { reserved_ips: [{ ip: '203.0.113.1', region: REGION, droplet: null }] },
    '/v2/projects': { projects: [PROJECT, other] },
    [members(PROJECT.id)]: urns('do:droplet:1', 'do:volume:v-1', 'do:space:bucket'),
    [members(other.id)]: urns('do:dbaas:d-2', 'do:floatingip:203.0.113.1'),
  })
  const projects = (kind: ResourceKind) => resources(kind).map(({ project }) => project)
  assert.deepEqual(projects('kubernetes_node'), [PROJECT.name])
  assert.deepEqual(projects('volume'), [PROJECT.name, null])
  assert.deepEqual(projects('database'), [PROJECT.name, other.name])
  assert.deepEqual(projects('reserved_ip'), [other.name])
  assert.deepEqual(
    resources('project').map(({ tags, size, project }) => [tags, size, project]),
    [
      [[], 'production', null],
      [['Arcadia:boab:studio'], 'production', null],
    ],
  )
  assert.equal(asked.filter((path) => path.endsWith('/resources')).length, 2)
})

for (const [status, path] of [
  [403, '/v2/apps'],
  [404, '/v2/registries'],
] as const) {
  test(`a ${status} for one list names its kind and the scope, and the other kinds are listed`, async () => {
    const { inventory } = await read({ [path]: status })
    const [refused] = inventory.not_listed
    assert.equal(inventory.not_listed.length, 1)
    assert.match(refused?.reason ?? '', new RegExp(`GET ${path}: status ${status}`))
    assert.match(refused?.scope ?? '', /^(app|registry):read$/)
    assert.deepEqual(
      inventory.kinds.map(({ kind }) => kind),
      RESOURCE_KINDS.filter((kind) => kind !== refused?.kind),
    )
  })
}

test('without projects no resource says that it has none', async () => {
  const { resources } = await read({ '/v2/droplets': { droplets: [droplet(1)] }, '/v2/projects': 403 })
  assert.ok(resources('droplet').every((one) => !Object.hasOwn(one, 'project')))
})

for (const path of Object.keys(NOTHING)) {
  test(`any other failure of ${path} fails the whole reading`, async () => {
    for (const failure of [401, 500, {}]) {
      await assert.rejects(read({ [path]: failure }), (error) => error instanceof OutboundError)
    }
  })
}

test('an odd object is named as unread with its place, and hides no other', async () => {
  const { size: _size, ...sizeless } = droplet(2)
  const { inventory, resources } = await read({
    '/v2/droplets': ({ searchParams }: URL) => ({
      droplets: [
        droplet(1),
        sizeless,
        droplet(3, { created_at: null }),
        ...(searchParams.has('type') ? [] : [{ name: 'no id' }, 7]),
      ],
    }),
    '/v2/reserved_ips': { reserved_ips: [{ ip: '203.0.113.9', region: 7 }] },
    '/v2/databases': { databases: [{ id: 'd', name: 'db', connection: { password: 'hush' } }] },
    '/v2/images': { images: [{ id: 9, type: 'snapshot' }, { id: 10 }] },
  })
  assert.deepEqual(
    resources('droplet').map(({ external_id }) => external_id),
    ['1'],
  )
  assert.deepEqual(
    inventory.unread?.map(({ kind, external_id }) => [kind, external_id]),
    [
      ['droplet', '2'],
      ['droplet', '3'],
      ['droplet', null],
      ['droplet', null],
      ['database', 'd'],
      ['reserved_ip', '203.0.113.9'],
      ['backup', '10'],
    ],
  )
  const reasons = inventory.unread?.map(({ reason }) => reason) ?? []
  assert.deepEqual(reasons.slice(0, 2), ['it has no size', 'created_at is not as the provider documents it'])
  assert.deepEqual(inventory.not_listed, [])
  assert.ok(!JSON.stringify(inventory).includes('hush'))
})

test('where something in a project cannot be read, what no project names stays where it was', async () => {
  const droplets = { droplets: [droplet(1), droplet(2)] }
  const { resources, inventory } = await read({
    '/v2/droplets': droplets,
    '/v2/projects': { projects: [PROJECT] },
    [members(PROJECT.id)]: { resources: [{ urn: 'do:droplet:1' }, { urn: null }] },
  })
  assert.deepEqual(
    resources('droplet').map((one) => ('project' in one ? one.project : 'not told')),
    ['boab', 'not told'],
  )
  assert.deepEqual(
    inventory.unread?.map(({ kind, external_id }) => [kind, external_id]),
    [['project', PROJECT.id]],
  )
})

/** Answers by path: a number is a status, a function makes the answer to an address. */
async function read(answers: Record<string, unknown>) {
  const requests: URL[] = []
  const answer: typeof fetch = async (input) => {
    const url = new URL(input instanceof Request ? input.url : input)
    requests.push(url)
    const given = { ...NOTHING, ...answers }[url.pathname] ?? 404
    const body: unknown = typeof given === 'function' ? given(url) : given
    return typeof body === 'number' ? new Response('{}', { status: body }) : Response.json(body)
  }
  const inventory = await createDigitalOcean({ token: 'dop_v1_hush', fetch: answer, max_retries: 0 }).inventory()
  const resources = (kind: ResourceKind): readonly ListedResource[] =>
    inventory.kinds.find((listed) => listed.kind === kind)?.resources ?? []
  const asked = requests.map(({ pathname }) => pathname)
  return { inventory, resources, asked, searches: requests.map(({ search }) => search) }
}

function droplet(id: number, changes: object = {}) {
  const size = { size_slug: 's-1vcpu-1gb', size: { price_monthly: 6 } }
  return { id, name: `web-${id}`, ...size, region: REGION, tags: [], created_at: BORN, ...changes }
}

function members(project_id: string): string {
  return `/v2/projects/${project_id}/resources`
}

function urns(...all: string[]) {
  return { resources: all.map((urn) => ({ urn })) }
}

function brief({ external_id, size, parent }: ListedResource) {
  return [external_id, size, parent]
}

function sizes(listed: readonly ListedResource[]): string[] {
  return listed.map(({ size }) => size)
}
