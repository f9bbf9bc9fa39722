import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'

import { type Decimal, decimal, plain, round, sum } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import type { ListedResource, ResourceKind, ResourceParent, Unread } from '../listed-resource.ts'
import { Amount, Identifier, Links, Maybe, normalised, textOrNull, Time } from './fields.ts'

/**
 * What the lists of resources answer, as schemas, and how each answer becomes a resource. Fields that are not named
 * here are ignored, and with them the passwords that the API puts into its list of databases.
 */

/** A resource as its own list gives it. `readInventory` finds what only other lists tell: projects, some parents. */
export type Listed = Omit<ListedResource, 'project'> & {
  readonly kind: ResourceKind
  /** Null where the object does not name its project: then a project may name the object. */
  readonly project_id: string | null
}

export type ListedDroplet = Listed & { readonly backup_ids: readonly string[] }

/** Sizes of apps with their monthly price in US dollars, by slug. */
export type AppPrices = ReadonlyMap<string, string>

/** The one subscription that all registries of an account share. */
export type RegistrySubscription = { readonly tier: string; readonly price_monthly: string }

/** The objects of a list that could be read, and the others. */
export type Read<L> = { readonly listed: L[]; readonly unread: readonly Unread[] }

/** Reads the objects of a list one by one. `id` is the field that names an object; what has an odd one is nameless. */
export function readObjects<Schema extends TSchema>(
  objects: readonly unknown[],
  of: { readonly kind: ResourceKind; readonly schema: Schema; readonly id?: 'id' | 'ip' | 'name' },
): { answers: Static<Schema>[]; unread: Unread[] } {
  const { kind, schema, id = 'id' } = of
  const answers: Static<Schema>[] = []
  const unread: Unread[] = []
  for (const object of objects) {
    if (Value.Check(schema, object)) answers.push(object)
    else unread.push({ kind, external_id: idOf(object, id), reason: oddness(object, schema) })
  }
  return { answers, unread }
}

function idOf(object: unknown, field: 'id' | 'ip' | 'name'): string | null {
  if (object === null || typeof object !== 'object' || !(field in object)) return null
  const id: unknown = Reflect.get(object, field)
  return typeof id === 'string' || typeof id === 'number' ? textOrNull(id) : null
}

/** The place and what is wrong there, never what stands there: a list of databases holds passwords. */
function oddness(object: unknown, schema: TSchema): string {
  const [error] = Value.Errors(schema, object)
  const place = error?.instancePath.replace(/^\//, '').replaceAll('/', '.')
  const missing = error?.keyword === 'required' ? error.params.requiredProperties.join(', ') : undefined
  if (missing !== undefined) return place ? `${place} has no ${missing}` : `it has no ${missing}`
  return place ? `${place} is not as the provider documents it` : 'it is no object'
}

const Region = Type.Object({ slug: Type.String() })
const Name = Type.String({ minLength: 1 })
const Id = Type.String({ minLength: 1 })
const Count = Type.Integer({ minimum: 0 })
/** A JSON number, because the API gives no other; never money. */
const Gigabytes = Type.Number({ minimum: 0, maximum: 1_000_000_000 })
const Tags = Maybe(Type.Array(Type.String()))
/** An empty list may be null. */
const ListOf = <T extends TSchema>(schema: T) => Type.Union([Type.Array(schema), Type.Null()])

export const DropletAnswer = Type.Object({
  id: Identifier,
  name: Name,
  size_slug: Type.String(),
  size: Type.Object({ price_monthly: Type.Number({ minimum: 0, maximum: 1_000_000 }) }),
  region: Region,
  tags: Type.Array(Type.String()),
  backup_ids: Maybe(Type.Array(Identifier)),
  created_at: Time,
})

export const VolumeAnswer = Type.Object({
  id: Id,
  name: Name,
  size_gigabytes: Type.Integer({ minimum: 0 }),
  region: Region,
  tags: Tags,
  created_at: Time,
})

export const DatabaseAnswer = Type.Object({
  id: Id,
  name: Name,
  size: Type.String(),
  num_nodes: Count,
  storage_size_mib: Maybe(Count),
  region: Type.String(),
  tags: Tags,
  created_at: Time,
  project_id: Maybe(Type.String()),
})

export const ClusterAnswer = Type.Object({
  id: Id,
  name: Name,
  region: Type.String(),
  tags: Tags,
  ha: Maybe(Type.Boolean()),
  node_pools: ListOf(Type.Object({ size: Type.String(), count: Count })),
  created_at: Time,
})

export const LoadBalancerAnswer = Type.Object({
  id: Id,
  name: Name,
  size: Maybe(Type.String()),
  size_unit: Maybe(Count),
  type: Maybe(Type.String()),
  region: Maybe(Region),
  created_at: Time,
  project_id: Maybe(Type.String()),
})

export const ReservedIpAnswer = Type.Object({
  ip: Id,
  region: Maybe(Region),
  region_slug: Maybe(Type.String()),
  droplet: Type.Optional(Type.Union([Type.Object({ id: Type.Optional(Identifier) }), Type.Null()])),
  reserved_at: Maybe(Time),
  project_id: Maybe(Type.String()),
})

export const SnapshotAnswer = Type.Object({
  id: Identifier,
  name: Name,
  resource_type: Type.String(),
  resource_id: Identifier,
  size_gigabytes: Gigabytes,
  regions: Type.Array(Type.String()),
  tags: Tags,
  created_at: Time,
})

export const ImageAnswer = Type.Object({
  id: Identifier,
  name: Name,
  type: Type.String(),
  size_gigabytes: Type.Optional(Type.Union([Gigabytes, Type.Null()])),
  regions: Type.Array(Type.String()),
  tags: Tags,
  created_at: Time,
})

const AppComponent = Type.Object({
  instance_size_slug: Maybe(Type.String()),
  instance_count: Maybe(Count),
  autoscaling: Type.Optional(Type.Union([Type.Object({}), Type.Null()])),
})

export const AppAnswer = Type.Object({
  id: Id,
  spec: Type.Object({
    name: Name,
    services: Type.Optional(ListOf(AppComponent)),
    workers: Type.Optional(ListOf(AppComponent)),
    jobs: Type.Optional(ListOf(AppComponent)),
    static_sites: Type.Optional(ListOf(Type.Object({}))),
    functions: Type.Optional(ListOf(Type.Object({}))),
    databases: Type.Optional(ListOf(Type.Object({ production: Maybe(Type.Boolean()) }))),
  }),
  region: Maybe(Region),
  created_at: Time,
  project_id: Maybe(Type.String()),
})

export const RegistryAnswer = Type.Object({ name: Name, region: Maybe(Type.String()), created_at: Time })

export const ProjectAnswer = Type.Object({ id: Id, name: Name, environment: Maybe(Type.String()), created_at: Time })

/** What is in a list is checked one by one: an odd object must not hide the others. */
const Listing = ListOf(Type.Unknown())

export const DropletsPage = Type.Object({ links: Links, droplets: Type.Array(Type.Unknown()) })
export const VolumesPage = Type.Object({ links: Links, volumes: Type.Array(Type.Unknown()) })
export const DatabasesAnswer = Type.Object({ databases: Listing })
export const ClustersPage = Type.Object({ links: Links, kubernetes_clusters: Listing })
export const LoadBalancersPage = Type.Object({ links: Links, load_balancers: Listing })
export const ReservedIpsPage = Type.Object({ links: Links, reserved_ips: Listing })
export const ReservedIpv6sPage = Type.Object({ links: Links, reserved_ipv6s: Listing })
export const SnapshotsPage = Type.Object({ links: Links, snapshots: Listing })
export const ImagesPage = Type.Object({ links: Links, images: Listing })
export const AppsPage = Type.Object({ links: Links, apps: Listing })
export const AppSizesAnswer = Type.Object({
  instance_sizes: Listing,
})
export const RegistriesAnswer = Type.Object({ registries: Listing })
const AppSizeAnswer = Type.Object({ slug: Id, usd_per_month: Amount })
const MemberAnswer = Type.Object({ urn: Type.String() })
export const RegistrySubscriptionAnswer = Type.Object({
  subscription: Type.Object({ tier: Type.Object({ slug: Type.String(), monthly_price_in_cents: Count }) }),
})
export const ProjectsPage = Type.Object({ links: Links, projects: Listing })
export const ProjectResourcesPage = Type.Object({
  links: Links,
  resources: Listing,
})

/** A worker of a Kubernetes cluster is listed as a droplet, too: its tag tells which cluster it works for. */
export function toDroplet(answer: Static<typeof DropletAnswer>): ListedDroplet {
  const cluster_id = answer.tags.flatMap((tag) => CLUSTER_TAG.exec(tag)?.[1] ?? []).at(0)
  return {
    ...common(answer),
    kind: cluster_id === undefined ? 'droplet' : 'kubernetes_node',
    parent: cluster_id === undefined ? null : { kind: 'kubernetes_cluster', external_id: cluster_id },
    size: answer.size_slug,
    region: answer.region.slug,
    // The one price that comes as a JSON number. It is a price of whole cents; the digits below are a float's noise.
    price_monthly: normalised(answer.size.price_monthly.toFixed(2)),
    backup_ids: (answer.backup_ids || []).map(String),
  }
}

const CLUSTER_TAG = /^k8s:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

export function toVolume(answer: Static<typeof VolumeAnswer>): Listed {
  return {
    ...common(answer),
    kind: 'volume',
    size: `${answer.size_gigabytes}GiB`,
    size_gb: String(answer.size_gigabytes),
    region: answer.region.slug,
  }
}

export function toDatabase(answer: Static<typeof DatabaseAnswer>): Listed {
  return {
    ...common(answer),
    kind: 'database',
    size: times(answer.size, answer.num_nodes),
    size_gb: plain(decimal(BigInt(answer.storage_size_mib || 0)).div(MIB_PER_GIB)),
    region: answer.region,
  }
}

const MIB_PER_GIB = decimal('1024')

/** Its nodes are resources of their own; what the cluster itself costs is its `ha` control plane. */
export function toCluster(answer: Static<typeof ClusterAnswer>): Listed {
  const pools = (answer.node_pools ?? []).map(({ size, count }) => ({ part: size, count }))
  return {
    ...common(answer),
    kind: 'kubernetes_cluster',
    size: [...partsOf(pools), ...(answer.ha ? ['ha'] : [])].join(PLUS),
    region: answer.region,
  }
}

/** `regional x2`: the kind of balancer and its nodes. Its tag selects droplets and says nothing of its own owner. */
export function toLoadBalancer(answer: Static<typeof LoadBalancerAnswer>): Listed {
  const nodes = answer.size_unit || (LEGACY_NODES[answer.size || ''] ?? 1)
  return {
    ...common(answer),
    kind: 'load_balancer',
    size: times((answer.type || 'REGIONAL').toLowerCase(), nodes),
    region: answer.region ? answer.region.slug : null,
  }
}

/** Regions that have no `size_unit` still sell three sizes, each a number of nodes. */
const LEGACY_NODES: Readonly<Record<string, number>> = { 'lb-small': 1, 'lb-medium': 3, 'lb-large': 6 }

/** Of both versions of IP. Only one that is not assigned is charged for. */
export function toReservedIp(answer: Static<typeof ReservedIpAnswer>): Listed {
  const { ip, droplet, reserved_at, project_id } = answer
  return {
    ...UNTAGGED,
    kind: 'reserved_ip',
    external_id: ip,
    name: ip,
    size: droplet?.id === undefined ? 'unassigned' : 'assigned',
    region: answer.region ? answer.region.slug : textOrNull(answer.region_slug),
    born_at: reserved_at ? Temporal.Instant.from(reserved_at) : null,
    project_id: textOrNull(project_id),
  }
}

export function toSnapshot(answer: Static<typeof SnapshotAnswer>): Listed {
  const { resource_type, resource_id, size_gigabytes } = answer
  return {
    ...common(answer),
    kind: 'snapshot',
    parent: isParentKind(resource_type) ? { kind: resource_type, external_id: String(resource_id) } : null,
    size: resource_type,
    size_gb: gigabytes(size_gigabytes),
    region: answer.regions[0] ?? null,
  }
}

/** Private images are backups, snapshots, which have a list of their own, and images that were uploaded. */
export function mayBeBackup(image: unknown): boolean {
  const known = image !== null && typeof image === 'object' && 'type' in image && typeof image.type === 'string'
  return !known || image.type === 'backup'
}

export function toBackup(answer: Static<typeof ImageAnswer>): Listed {
  return {
    ...common(answer),
    kind: 'backup',
    size_gb: gigabytes(answer.size_gigabytes ?? 0),
    region: answer.regions[0] ?? null,
  }
}

/**
 * Its price is that of the services and workers, which run all the time; it is unknown as soon as a part has no fixed
 * price: one that scales by itself, a database that comes with the app, functions, a static site, which may be free.
 */
export function toApp(answer: Static<typeof AppAnswer>, prices: AppPrices): Listed {
  const { services, workers, jobs, static_sites, functions, databases } = answer.spec
  const running = [...(services ?? []), ...(workers ?? [])]
  const dev_databases = (databases ?? []).filter(({ production }) => production !== true)
  const unpriced = [...(static_sites ?? []), ...(functions ?? []), ...dev_databases]
  return {
    ...common({ ...answer, name: answer.spec.name }),
    kind: 'app',
    size: partsOf([
      ...[...running, ...(jobs ?? [])].map((one) => ({ part: componentSize(one), count: one.instance_count || 1 })),
      { part: 'static-site', count: (static_sites ?? []).length },
      { part: 'functions', count: (functions ?? []).length },
      { part: 'dev-database', count: dev_databases.length },
    ]).join(PLUS),
    region: answer.region ? answer.region.slug : null,
    price_monthly: running.length === 0 || unpriced.length > 0 ? null : priceOf(running, prices),
  }
}

/** A size that cannot be read has no price, as one that is not listed. */
export function toAppPrices({ instance_sizes }: Static<typeof AppSizesAnswer>): AppPrices {
  const sizes = (instance_sizes ?? []).filter((size) => Value.Check(AppSizeAnswer, size))
  return new Map(sizes.map(({ slug, usd_per_month }) => [slug, normalised(usd_per_month)]))
}

export type Members = {
  readonly urns: readonly string[]
  /** False: something in the project cannot be read. */
  readonly is_whole: boolean
}

export function toMembers(listed: readonly unknown[]): Members {
  const members = listed.filter((member) => Value.Check(MemberAnswer, member))
  return { urns: members.map(({ urn }) => urn), is_whole: members.length === listed.length }
}

/** The subscription is paid once: its price stands at the oldest registry, and the others cost nothing beside it. */
export function toRegistries(
  answers: readonly Static<typeof RegistryAnswer>[],
  { tier, price_monthly }: RegistrySubscription,
): Listed[] {
  return answers
    .map((answer) => common({ ...answer, id: answer.name }))
    .toSorted((a, b) => Temporal.Instant.compare(a.born_at, b.born_at) || (a.name < b.name ? -1 : 1))
    .map((registry, index) => ({
      ...registry,
      kind: 'container_registry',
      size: tier,
      region: answers.find(({ name }) => name === registry.name)?.region || null,
      price_monthly: index === 0 ? price_monthly : '0',
    }))
}

export function toRegistrySubscription({
  subscription: { tier },
}: Static<typeof RegistrySubscriptionAnswer>): RegistrySubscription {
  return { tier: tier.slug, price_monthly: plain(fromMinor(BigInt(tier.monthly_price_in_cents), 'USD')) }
}

/** A project has no tags: a name that is written like the tag of a deployment stands for it. */
export function toProject(answer: Static<typeof ProjectAnswer>): Listed {
  return {
    ...common(answer),
    kind: 'project',
    size: (answer.environment || '').toLowerCase(),
    tags: /^arcadia:/i.test(answer.name) ? [answer.name] : [],
    region: null,
  }
}

const UNTAGGED = { size: '', size_gb: '0', tags: [], parent: null, price_monthly: null, project_id: null } as const

type Common = {
  id: string | number
  name: string
  created_at: string
  tags?: readonly string[] | '' | null
  project_id?: string | null
}

function common({ id, name, created_at, tags, project_id }: Common) {
  return {
    ...UNTAGGED,
    external_id: String(id),
    name,
    tags: tags || [],
    born_at: Temporal.Instant.from(created_at),
    project_id: textOrNull(project_id),
  }
}

const PLUS = ' + '

/** `s-1vcpu-2gb x3`; the same part twice is one, and their order is that of their names. */
function partsOf(parts: readonly { part: string; count: number }[]): string[] {
  const counts = new Map<string, number>()
  for (const { part, count } of parts) if (count > 0) counts.set(part, (counts.get(part) ?? 0) + count)
  return [...counts].map(([part, count]) => times(part, count)).toSorted()
}

function times(part: string, count: number): string {
  return `${part} x${count}`
}

type Component = Static<typeof AppComponent>

/** What the provider takes where the app names no size. */
const DEFAULT_APP_SIZE = 'apps-s-1vcpu-0.5gb'

function componentSize({ instance_size_slug, autoscaling }: Component): string {
  const slug = instance_size_slug || DEFAULT_APP_SIZE
  return autoscaling ? `${slug} autoscaled` : slug
}

function priceOf(components: readonly Component[], prices: AppPrices): string | null {
  const amounts: Decimal[] = []
  for (const component of components) {
    const price = prices.get(componentSize(component))
    if (price === undefined) return null
    amounts.push(decimal(price).times(decimal(BigInt(component.instance_count || 1))))
  }
  return plain(sum(amounts))
}

function isParentKind(word: string): word is ResourceParent['kind'] & ('droplet' | 'volume') {
  return word === 'droplet' || word === 'volume'
}

/** Places of a size; the rest is a float's noise. */
const GIGABYTE_PLACES = 4

function gigabytes(size: number): string {
  return plain(round(decimal(size.toFixed(GIGABYTE_PLACES)), GIGABYTE_PLACES))
}
