import { OutboundError } from '../../platform/outbound.ts'
import type { ListedInventory, ListedResource, NotListed, ResourceKind, Unread } from '../listed-resource.ts'
import type { Listed, ListedDroplet, Members, Read } from './resources.ts'

/** What can be listed. Each call reads one kind whole, but for odd objects, or fails. */
export type ResourceLists = {
  /** Ordinary and GPU droplets that exist now, and the workers of clusters; destroyed ones are not listed. */
  droplets(): Promise<Read<ListedDroplet>>
  volumes(): Promise<Read<Listed>>
  databases(): Promise<Read<Listed>>
  kubernetesClusters(): Promise<Read<Listed>>
  loadBalancers(): Promise<Read<Listed>>
  reservedIps(): Promise<Read<Listed>>
  snapshots(): Promise<Read<Listed>>
  backups(): Promise<Read<Listed>>
  apps(): Promise<Read<Listed>>
  containerRegistries(): Promise<Read<Listed>>
  projects(): Promise<Read<Listed>>
  projectMembers(project_id: string): Promise<Members>
}

/**
 * Every kind, one list after the other. A kind that the token may not list (403), or that is not there for it (404), is
 * named with the scope that it needs; any other failure is thrown, and nothing is known then. An object that cannot be
 * read is named, and hides no other.
 */
export async function readInventory(lists: ResourceLists): Promise<ListedInventory> {
  const reading: Reading = { listed: new Map(), not_listed: [], unread: [] }
  const droplets = await readKinds(reading, ['droplet', 'kubernetes_node'], 'droplet:read', lists.droplets)
  await readKinds(reading, ['volume'], 'block_storage:read', lists.volumes)
  await readKinds(reading, ['database'], 'database:read', lists.databases)
  await readKinds(reading, ['kubernetes_cluster'], 'kubernetes:read', lists.kubernetesClusters)
  await readKinds(reading, ['load_balancer'], 'load_balancer:read', lists.loadBalancers)
  // Without the droplets, every address looks as if it were assigned to none.
  if (droplets === null) reading.not_listed.push(WITHOUT_DROPLETS)
  else await readKinds(reading, ['reserved_ip'], 'reserved_ip:read', lists.reservedIps)
  await readKinds(reading, ['snapshot'], 'snapshot:read', lists.snapshots)
  await readKinds(reading, ['backup'], 'image:read', lists.backups)
  await readKinds(reading, ['app'], 'app:read', lists.apps)
  await readKinds(reading, ['container_registry'], 'registry:read', lists.containerRegistries)
  const projects = await readKinds(reading, ['project'], 'project:read', () => readProjects(lists))
  const is_whole = reading.unread.every(({ kind }) => kind !== 'project')
  const projectOf = membership(projects, is_whole)
  const parent_of = parentsOfBackups(droplets ?? [])
  return {
    kinds: [...reading.listed].map(([kind, listed]) => ({
      kind,
      resources: listed.map((one) => resourceOf(one, projectOf, parent_of)),
    })),
    not_listed: reading.not_listed,
    unread: reading.unread,
  }
}

type Reading = { listed: Map<ResourceKind, Listed[]>; not_listed: NotListed[]; unread: Unread[] }

const FORBIDDEN = 403
const NOT_FOUND = 404

const WITHOUT_DROPLETS: NotListed = {
  kind: 'reserved_ip',
  reason: 'droplets could not be listed, and only with them can be seen which addresses are assigned',
  scope: 'droplet:read',
}

/** What the list gave, or null when it is not for this token. */
async function readKinds<L extends Listed>(
  reading: Reading,
  kinds: readonly ResourceKind[],
  scope: string,
  read: () => Promise<Read<L>>,
): Promise<L[] | null> {
  try {
    const { listed, unread } = await read()
    reading.unread.push(...unread)
    for (const kind of kinds) {
      reading.listed.set(
        kind,
        listed.filter((one) => one.kind === kind),
      )
    }
    return listed
  } catch (error) {
    if (!(error instanceof OutboundError && (error.status === FORBIDDEN || error.status === NOT_FOUND))) throw error
    for (const kind of kinds) reading.not_listed.push({ kind, reason: error.message, scope })
    return null
  }
}

type Project = Listed & { readonly urns: readonly string[] }

async function readProjects(lists: ResourceLists): Promise<Read<Project>> {
  const { listed, unread } = await lists.projects()
  const projects: Project[] = []
  const incomplete: Unread[] = []
  for (const project of listed) {
    const { external_id } = project
    const { urns, is_whole } = await lists.projectMembers(external_id)
    projects.push({ ...project, urns })
    if (!is_whole) incomplete.push({ kind: 'project', external_id, reason: 'something in it has no name' })
  }
  return { listed: projects, unread: [...unread, ...incomplete] }
}

/** The name of the project, null for none; nothing when that cannot be told. */
type ProjectOf = (listed: Listed) => { project?: string | null }

/** Only some objects name their project; the others are named by it, which tells nothing where a project is unread. */
function membership(projects: readonly Project[] | null, is_whole: boolean): ProjectOf {
  if (projects === null) return () => ({})
  const by_id = new Map(projects.map(({ external_id, name }) => [external_id, name]))
  const by_urn = new Map(projects.flatMap(({ name, urns }) => urns.map((urn) => [urn.toLowerCase(), name])))
  return ({ kind, external_id, project_id }) => {
    const named = project_id === null ? undefined : by_id.get(project_id)
    const urns = (URN_TYPES[kind] ?? []).map((type) => `do:${type}:${external_id}`.toLowerCase())
    const project = named ?? urns.flatMap((urn) => by_urn.get(urn) ?? []).at(0)
    return project === undefined && !is_whole ? {} : { project: project ?? null }
  }
}

/** How the URNs of projects spell a kind. Reserved addresses keep the name of floating ones. */
const URN_TYPES: Readonly<Partial<Record<ResourceKind, readonly string[]>>> = {
  droplet: ['droplet'],
  kubernetes_node: ['droplet'],
  volume: ['volume'],
  database: ['dbaas'],
  kubernetes_cluster: ['kubernetes'],
  load_balancer: ['loadbalancer'],
  reserved_ip: ['floatingip', 'reservedip', 'reservedipv6'],
  app: ['app'],
}

type ParentOf = ReadonlyMap<string, NonNullable<ListedResource['parent']>>

function parentsOfBackups(droplets: readonly ListedDroplet[]): ParentOf {
  return new Map(
    droplets.flatMap(({ kind, external_id, backup_ids }) => backup_ids.map((id) => [id, { kind, external_id }])),
  )
}

function resourceOf(listed: Listed, projectOf: ProjectOf, parent_of: ParentOf): ListedResource {
  const { external_id, name, size, size_gb, region, tags, born_at, price_monthly } = listed
  const parent = listed.parent ?? (listed.kind === 'backup' ? (parent_of.get(external_id) ?? null) : null)
  return { external_id, name, size, size_gb, region, tags, born_at, price_monthly, parent, ...projectOf(listed) }
}
