/**
 * What the operator of the demo has rented, from when to when: the one source of the stand-in's inventory and of
 * every bill. Times are RFC 3339 in UTC, ends exclusive, null while it still exists; prices are USD a month.
 */

export const REGION = 'syd1'

/** The hours that make a full month's price: a month never costs more (the provider's rule since 2026). */
export const CAP_HOURS = '672'

export type Size = { readonly memory: number; readonly vcpus: number; readonly disk: number; readonly price: string }

export const SIZES = {
  's-1vcpu-512mb-10gb': { memory: 512, vcpus: 1, disk: 10, price: '4.00' },
  's-1vcpu-1gb': { memory: 1024, vcpus: 1, disk: 25, price: '6.00' },
  'gpu-4000adax1-20gb': { memory: 32768, vcpus: 8, disk: 500, price: '510.72' },
} as const satisfies Record<string, Size>

export type SizeSlug = keyof typeof SIZES

export type RentedDroplet = {
  readonly id: number
  readonly name: string
  /** `arcadia:<tenant>:<deployment>`; null for what the operator keeps for itself. */
  readonly tag: string | null
  readonly project: string | null
  /** More than one after a resize. */
  readonly sizes: readonly { readonly slug: SizeSlug; readonly from: string; readonly to: string | null }[]
  readonly gpu: boolean
  /** Some lines of a real bill carry no resource id: those can only be matched by name. */
  readonly id_on_bill: boolean
}

export type RentedVolume = {
  readonly name: string
  readonly tag: string
  readonly project: string
  readonly size_gigabytes: number
  readonly from: string
  readonly to: string | null
  readonly id_on_bill: boolean
}

/** A copy of a droplet or a volume, billed by its size. */
export type RentedSnapshot = {
  readonly id: string
  readonly name: string
  readonly of: { readonly kind: 'droplet'; readonly id: number } | { readonly kind: 'volume'; readonly name: string }
  readonly size_gigabytes: string
  readonly from: string
}

/** The weekly backups of a droplet in April 2026. */
export type RentedBackups = { readonly droplet_id: number; readonly droplet_name: string; readonly amount: string }

export type RentedDatabase = {
  readonly name: string
  readonly tag: string
  readonly project: string
  readonly size: string
  readonly storage_mib: number
  /** As the bill describes its size. */
  readonly description: string
  readonly price: string
  readonly from: string
}

export type RentedLoadBalancer = {
  readonly name: string
  readonly project: string
  readonly nodes: number
  readonly price: string
  readonly from: string
}

/** Charged for only while it is assigned to no droplet. */
export type RentedAddress = {
  readonly ip: string
  readonly project: string
  readonly droplet_id: number
}

/** Anything else that is billed by the hour. */
export type RentedService = {
  readonly product: string
  readonly group: string | null
  readonly description: string
  readonly project: string | null
  readonly category: string
  readonly price: string
  readonly from: string
  readonly to: string | null
}

/** A line that no hourly price explains; `period` is the bill it stands on. */
export type OneOff = {
  readonly period: string
  readonly product: string
  readonly description: string
  readonly amount: string
  readonly duration: string | null
  readonly duration_unit: string | null
  readonly start: string
  readonly end: string
}

export const VOLUME_PRICE_PER_GIGABYTE = '0.10'
export const SNAPSHOT_PRICE_PER_GIGABYTE = '0.06'

const STUDIO = { tag: 'arcadia:boab:studio', project: 'boab' }
const SHOP = { tag: 'arcadia:kelpie:shop', project: 'kelpie' }
const NEWSROOM = { tag: 'arcadia:fjordlys:newsroom', project: 'fjordlys' }
const CELLAR = { tag: 'arcadia:tui:cellar', project: 'tui' }
const CATALOGUE = { tag: 'arcadia:hume:catalogue', project: 'hume' }
const OPERATOR = { tag: null, project: 'platform' }

const SMALL = 's-1vcpu-512mb-10gb'
const MEDIUM = 's-1vcpu-1gb'

export const DROPLETS: readonly RentedDroplet[] = [
  droplet(500_000_101, 'studio-web-1', STUDIO, SMALL, '2026-03-02T09:00:00Z'),
  droplet(500_000_102, 'studio-web-2', STUDIO, SMALL, '2026-03-02T09:05:00Z'),
  droplet(500_000_103, 'studio-jobs-1', STUDIO, SMALL, '2026-03-02T09:10:00Z'),
  nameOnly(droplet(490_000_210, 'shop-app-1', SHOP, MEDIUM, '2026-02-10T03:30:00Z')),
  nameOnly(droplet(450_000_310, 'newsroom-web-1', NEWSROOM, MEDIUM, '2025-02-03T00:00:00Z')),
  droplet(450_000_311, 'newsroom-worker-1', NEWSROOM, MEDIUM, '2025-02-03T00:30:00Z', '2026-04-16T12:30:00Z'),
  droplet(510_000_312, 'newsroom-worker-1', NEWSROOM, MEDIUM, '2026-04-16T12:00:00Z'),
  {
    ...droplet(
      508_000_313,
      'newsroom-train-1',
      NEWSROOM,
      'gpu-4000adax1-20gb',
      '2026-04-08T09:00:00Z',
      '2026-04-08T12:30:00Z',
    ),
    gpu: true,
  },
  droplet(511_000_410, 'cellar-app-1', CELLAR, SMALL, '2026-04-20T09:15:00Z'),
  {
    ...nameOnly(droplet(470_000_510, 'catalogue-app-1', CATALOGUE, MEDIUM, '2025-08-04T00:00:00Z')),
    sizes: [
      { slug: SMALL, from: '2025-08-04T00:00:00Z', to: '2026-04-13T12:15:00Z' },
      { slug: MEDIUM, from: '2026-04-13T12:15:00Z', to: null },
    ],
  },
  nameOnly(droplet(340_000_610, 'monitoring', OPERATOR, SMALL, '2023-03-14T06:00:00Z')),
  droplet(400_000_611, 'build-runner', OPERATOR, MEDIUM, '2024-06-11T00:00:00Z'),
  droplet(509_000_612, 'build-4f2a', OPERATOR, MEDIUM, '2026-04-09T02:00:00Z', '2026-04-09T04:30:00Z'),
  droplet(509_500_613, 'build-9c07', OPERATOR, MEDIUM, '2026-04-14T23:00:00Z', '2026-04-15T00:45:00Z'),
]

export const VOLUMES: readonly RentedVolume[] = [
  { name: 'shop-data', ...SHOP, size_gigabytes: 20, from: '2026-04-11T00:00:00Z', to: null, id_on_bill: true },
  { name: 'newsroom-media', ...NEWSROOM, size_gigabytes: 50, from: '2025-02-03T00:00:00Z', to: null, id_on_bill: true },
  {
    name: 'catalogue-data',
    ...CATALOGUE,
    size_gigabytes: 10,
    from: '2025-08-04T00:00:00Z',
    to: null,
    id_on_bill: false,
  },
]

export const SNAPSHOTS: readonly RentedSnapshot[] = [
  {
    id: '151000001',
    name: 'shop-app-1-1774692000123',
    of: { kind: 'droplet', id: 490_000_210 },
    size_gigabytes: '4.20',
    from: '2026-03-28T10:00:00Z',
  },
  {
    id: '151000002',
    name: 'catalogue-app-1-1774000800456',
    of: { kind: 'droplet', id: 470_000_510 },
    size_gigabytes: '2.10',
    from: '2026-03-20T10:00:00Z',
  },
  {
    id: '151000003',
    name: 'build-runner-1718092800789',
    of: { kind: 'droplet', id: 400_000_611 },
    size_gigabytes: '10.15',
    from: '2024-06-11T08:00:00Z',
  },
  {
    id: 'd1e5c0de-0000-8000-8000-000000000001',
    name: 'newsroom-media-2026-03',
    of: { kind: 'volume', name: 'newsroom-media' },
    size_gigabytes: '8.50',
    from: '2026-03-31T12:00:00Z',
  },
]

export const DATABASES: readonly RentedDatabase[] = [
  {
    name: 'catalogue-db',
    ...CATALOGUE,
    size: 'db-s-1vcpu-1gb',
    storage_mib: 10_240,
    description: '1 GB / 1 vCPU / 10 GB',
    price: '15.15',
    from: '2026-04-21T00:00:00Z',
  },
]

export const LOAD_BALANCERS: readonly RentedLoadBalancer[] = [
  { name: 'edge-lb-1', project: OPERATOR.project, nodes: 1, price: '12.00', from: '2026-04-24T00:00:00Z' },
]

export const ADDRESSES: readonly RentedAddress[] = [
  { ip: '203.0.113.10', project: SHOP.project, droplet_id: 490_000_210 },
]

export const BACKUPS: readonly RentedBackups[] = [
  { droplet_id: 490_000_210, droplet_name: 'shop-app-1', amount: '1.20' },
  { droplet_id: 450_000_310, droplet_name: 'newsroom-web-1', amount: '1.20' },
  { droplet_id: 340_000_610, droplet_name: 'monitoring', amount: '0.80' },
]

/** When each of the weekly backups was taken. */
export const BACKUP_TIMES = [
  '2026-04-05T12:06:00Z',
  '2026-04-12T12:07:00Z',
  '2026-04-19T12:05:00Z',
  '2026-04-26T12:08:00Z',
] as const

/** The bucket that the account's subscription of Spaces is used for. */
export const SPACE = { name: 'operator-assets', project: OPERATOR.project }

export const SERVICES: readonly RentedService[] = [
  {
    product: 'Spaces Subscription',
    group: null,
    description: 'Spaces ($5/mo 250GiB storage & 1TiB bandwidth)',
    project: null,
    category: 'iaas',
    price: '5.00',
    from: '2024-01-01T00:00:00Z',
    to: null,
  },
  {
    product: 'Reserved IPs',
    group: null,
    description: 'Unused Reserved IP - 203.0.113.24',
    project: OPERATOR.project,
    category: 'iaas',
    price: '5.00',
    from: '2026-04-10T00:00:00Z',
    to: '2026-04-14T04:00:00Z',
  },
]

export const ONE_OFFS: readonly OneOff[] = [
  promotionalCredit('2023-04', '-2.00'),
  promotionalCredit('2023-05', '-1.00'),
  bandwidth('2024-11', '0.84'),
  bandwidth('2025-12', '1.12'),
  ...BACKUPS.map(aprilBackups),
  bandwidth('2026-04', '0.37'),
  { ...bandwidth('2026-04', '4.17'), product: 'Widget Fabric', description: 'Widget Fabric standard tier' },
  promotionalCredit('2026-04', '-2.00'),
]

function droplet(
  id: number,
  name: string,
  owner: { readonly tag: string | null; readonly project: string },
  slug: SizeSlug,
  from: string,
  to: string | null = null,
): RentedDroplet {
  return { id, name, ...owner, sizes: [{ slug, from, to }], gpu: false, id_on_bill: true }
}

function nameOnly(rented: RentedDroplet): RentedDroplet {
  return { ...rented, id_on_bill: false }
}

function bandwidth(period: string, amount: string): OneOff {
  const month = Temporal.PlainYearMonth.from(period)
  return {
    period,
    product: 'Bandwidth',
    description: 'Bandwidth overage',
    amount,
    duration: null,
    duration_unit: null,
    start: `${month.toString()}-01T00:00:00Z`,
    end: `${month.add({ months: 1 }).toString()}-01T00:00:00Z`,
  }
}

function promotionalCredit(period: string, amount: string): OneOff {
  return { ...bandwidth(period, amount), product: 'Credits', description: 'Promotional credit' }
}

/** The quantity is a count, whatever the column is called. */
function aprilBackups({ droplet_name, amount }: RentedBackups): OneOff {
  return {
    period: '2026-04',
    product: 'Droplet Backups',
    description: `${droplet_name} (Weekly Backup Services)`,
    amount,
    duration: String(BACKUP_TIMES.length),
    duration_unit: 'Backups',
    start: BACKUP_TIMES[0],
    end: BACKUP_TIMES[3],
  }
}
