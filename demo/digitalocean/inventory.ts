import { createHash } from 'node:crypto'

import { present } from '../../src/kernel/invariant.ts'
import {
  ADDRESSES,
  BACKUP_TIMES,
  BACKUPS,
  CAP_HOURS,
  DATABASES,
  DROPLETS,
  LOAD_BALANCERS,
  REGION,
  type RentedAddress,
  type RentedDatabase,
  type RentedDroplet,
  type RentedLoadBalancer,
  type RentedSnapshot,
  type RentedVolume,
  SIZES,
  SNAPSHOTS,
  SPACE,
  VOLUMES,
} from './rentals.ts'

export type WireObject = Record<string, unknown>
export type WireDroplet = { id: number; name: string; tags: readonly string[] } & WireObject
export type WireVolume = { id: string; name: string; tags: readonly string[] } & WireObject
export type WireProject = { id: string; name: string } & WireObject

/** What the API lists now, each list as it spells it. */
export type Inventory = {
  droplets: readonly WireDroplet[]
  /** Listed only for `?type=gpus`. */
  gpu_droplets: readonly WireDroplet[]
  volumes: readonly WireVolume[]
  databases: readonly WireObject[]
  kubernetes_clusters: readonly WireObject[]
  load_balancers: readonly WireObject[]
  reserved_ips: readonly WireObject[]
  reserved_ipv6s: readonly WireObject[]
  snapshots: readonly WireObject[]
  /** Private images: backups, snapshots, and what was uploaded. */
  images: readonly WireObject[]
  apps: readonly WireObject[]
  instance_sizes: readonly WireObject[]
  registries: readonly WireObject[]
  registry_subscription: WireObject | null
  projects: readonly WireProject[]
  /** The URNs of what is in each project, by the id of the project. */
  project_resources: Readonly<Record<string, readonly string[]>>
}

/** What still exists of all that was rented. */
export function inventoryNow(): Inventory {
  const droplets = DROPLETS.filter((droplet) => droplet.sizes.at(-1)?.to === null)
  const volumes = VOLUMES.filter((volume) => volume.to === null)
  const members = membersOf(droplets, volumes)
  const projects = [...new Set(members.map(({ project }) => project))].map(wireProject)
  return {
    droplets: droplets.filter((droplet) => !droplet.gpu).map(wireDroplet),
    gpu_droplets: droplets.filter((droplet) => droplet.gpu).map(wireDroplet),
    volumes: volumes.map(wireVolume),
    databases: DATABASES.map(wireDatabase),
    kubernetes_clusters: [],
    load_balancers: LOAD_BALANCERS.map(wireLoadBalancer),
    reserved_ips: ADDRESSES.map(wireAddress),
    reserved_ipv6s: [],
    snapshots: SNAPSHOTS.map(wireSnapshot),
    images: BACKUPS.flatMap(({ droplet_id, droplet_name }) =>
      backupIds(droplet_id).map((id, index) => wireBackup(id, `${droplet_name} ${BACKUP_TIMES[index]}`, index)),
    ),
    apps: [],
    instance_sizes: [],
    registries: [],
    registry_subscription: null,
    projects,
    project_resources: Object.fromEntries(
      projects.map(({ id, name }) => [id, members.filter(({ project }) => project === name).map(({ urn }) => urn)]),
    ),
  }
}

/** How many resources a sync of the whole account lists. */
export function resourceCount(inventory: Inventory): number {
  const { droplets, gpu_droplets, volumes, databases, kubernetes_clusters, load_balancers } = inventory
  const { reserved_ips, reserved_ipv6s, snapshots, images, apps, registries, projects } = inventory
  const computed = [droplets, gpu_droplets, volumes, databases, kubernetes_clusters, load_balancers]
  const others = [reserved_ips, reserved_ipv6s, snapshots, images, apps, registries, projects]
  return [...computed, ...others].flat().length
}

export function volumeId(volume: Pick<RentedVolume, 'name'>): string {
  return uuidOf(`volume ${volume.name}`)
}

/** Always the same uuid (version 8, RFC 9562) for the same label. */
export function uuidOf(label: string): string {
  const hex = createHash('sha256').update(label).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

type Member = { project: string; urn: string }

function membersOf(droplets: readonly RentedDroplet[], volumes: readonly RentedVolume[]): Member[] {
  return [
    ...droplets.flatMap(({ id, project }) => (project === null ? [] : { project, urn: `do:droplet:${id}` })),
    ...volumes.map((volume) => ({ project: volume.project, urn: `do:volume:${volumeId(volume)}` })),
    ...DATABASES.map(({ name, project }) => ({ project, urn: `do:dbaas:${uuidOf(`database ${name}`)}` })),
    ...LOAD_BALANCERS.map(({ name, project }) => ({ project, urn: `do:loadbalancer:${uuidOf(`balancer ${name}`)}` })),
    ...ADDRESSES.map(({ ip, project }) => ({ project, urn: `do:floatingip:${ip}` })),
    { project: SPACE.project, urn: `do:space:${SPACE.name}` },
  ]
}

const WIRE_REGION = {
  name: 'Sydney 1',
  slug: REGION,
  features: ['backups', 'ipv6', 'metadata', 'storage'],
  available: true,
  sizes: Object.keys(SIZES),
}

function wireDroplet(droplet: RentedDroplet): WireDroplet {
  const { slug } = present(droplet.sizes.at(-1), 'a droplet has a size')
  const { memory, vcpus, disk, price } = SIZES[slug]
  return {
    id: droplet.id,
    name: droplet.name,
    memory,
    vcpus,
    disk,
    locked: false,
    status: 'active',
    created_at: present(droplet.sizes[0], 'a droplet has a size').from,
    features: ['ipv6', 'private_networking'],
    backup_ids: BACKUPS.some(({ droplet_id }) => droplet_id === droplet.id) ? backupIds(droplet.id) : [],
    next_backup_window: null,
    snapshot_ids: [],
    image: { id: 63_663_980, name: '24.04 (LTS) x64', distribution: 'Ubuntu', slug: 'ubuntu-24-04-x64' },
    volume_ids: [],
    size: {
      slug,
      memory,
      vcpus,
      disk,
      transfer: 1,
      price_monthly: Number(price),
      // The real API gives a single-precision float here, and so it cannot be billed with.
      price_hourly: Math.fround(Number(price) / Number(CAP_HOURS)),
      regions: [REGION],
      available: true,
      description: droplet.gpu ? 'GPU' : 'Basic',
    },
    size_slug: slug,
    networks: { v4: [], v6: [] },
    region: WIRE_REGION,
    tags: droplet.tag === null ? [] : [droplet.tag],
  }
}

function wireVolume(volume: RentedVolume): WireVolume {
  return {
    id: volumeId(volume),
    name: volume.name,
    description: '',
    region: WIRE_REGION,
    droplet_ids: [],
    size_gigabytes: volume.size_gigabytes,
    created_at: volume.from,
    filesystem_type: 'ext4',
    filesystem_label: '',
    tags: [volume.tag],
  }
}

function wireDatabase({ name, tag, project, size, storage_mib, from }: RentedDatabase): WireObject {
  return {
    id: uuidOf(`database ${name}`),
    name,
    engine: 'pg',
    version: '17',
    num_nodes: 1,
    size,
    storage_size_mib: storage_mib,
    region: REGION,
    status: 'online',
    created_at: from,
    project_id: projectId(project),
    tags: [tag],
  }
}

function wireLoadBalancer({ name, project, nodes, from }: RentedLoadBalancer): WireObject {
  return {
    id: uuidOf(`balancer ${name}`),
    name,
    project_id: projectId(project),
    ip: '203.0.113.80',
    size_unit: nodes,
    size: 'lb-small',
    type: 'REGIONAL',
    status: 'active',
    created_at: from,
    forwarding_rules: [],
    region: WIRE_REGION,
    tag: '',
    droplet_ids: [],
  }
}

function wireAddress({ ip, project, droplet_id }: RentedAddress): WireObject {
  const droplet = present(
    DROPLETS.find(({ id }) => id === droplet_id),
    'an address is assigned to a droplet',
  )
  return { ip, region: WIRE_REGION, droplet: wireDroplet(droplet), locked: false, project_id: projectId(project) }
}

function wireSnapshot({ id, name, of, size_gigabytes, from }: RentedSnapshot): WireObject {
  return {
    id,
    name,
    created_at: from,
    regions: [REGION],
    resource_id: of.kind === 'droplet' ? String(of.id) : volumeId(of),
    resource_type: of.kind,
    min_disk_size: 10,
    size_gigabytes: Number(size_gigabytes),
    tags: [],
  }
}

function wireBackup(id: number, name: string, week: number): WireObject {
  return {
    id,
    name,
    type: 'backup',
    distribution: 'Ubuntu',
    slug: null,
    public: false,
    regions: [REGION],
    created_at: BACKUP_TIMES[week],
    min_disk_size: 10,
    size_gigabytes: 3.2,
    description: '',
    tags: [],
    status: 'available',
  }
}

/** One for each week. */
function backupIds(droplet_id: number): number[] {
  return BACKUP_TIMES.map((_time, index) => droplet_id + 1_000_000_000 + index)
}

function wireProject(name: string): WireProject {
  return {
    id: projectId(name),
    name,
    description: '',
    purpose: 'Web Application',
    environment: 'Production',
    is_default: name === SPACE.project,
    created_at: '2023-03-14T05:58:00Z',
    updated_at: '2023-03-14T05:58:00Z',
  }
}

function projectId(name: string): string {
  return uuidOf(`project ${name}`)
}
