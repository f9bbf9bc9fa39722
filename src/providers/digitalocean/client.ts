import { isDeepStrictEqual } from 'node:util'
import type { Static, TSchema } from 'typebox'

import { invariant } from '../../kernel/invariant.ts'
import { type Clock, systemClock } from '../../platform/clock.ts'
import {
  createOutbound,
  type Outbound,
  OutboundError,
  type OutboundResponse,
  type Query,
} from '../../platform/outbound.ts'
import type { ListedInventory } from '../listed-resource.ts'
import {
  type Balance,
  BalanceAnswer,
  type BillingEntry,
  BillingHistoryPage,
  type InvoiceHeader,
  InvoiceItemsPage,
  InvoicesPage,
  type InvoiceSummary,
  InvoiceSummaryAnswer,
  toBalance,
  toBillingEntry,
  toInvoiceHeader,
  toInvoiceItem,
  toInvoiceSummary,
} from './answers.ts'
import { readInventory, type ResourceLists } from './inventory.ts'
import type { InvoiceItem } from './item.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import {
  AppAnswer,
  AppsPage,
  AppSizesAnswer,
  ClusterAnswer,
  ClustersPage,
  DatabaseAnswer,
  DatabasesAnswer,
  DropletAnswer,
  DropletsPage,
  ImageAnswer,
  ImagesPage,
  LoadBalancerAnswer,
  LoadBalancersPage,
  mayBeBackup,
  ProjectAnswer,
  ProjectResourcesPage,
  ProjectsPage,
  type Read,
  readObjects,
  RegistriesAnswer,
  RegistryAnswer,
  RegistrySubscriptionAnswer,
  ReservedIpAnswer,
  ReservedIpsPage,
  ReservedIpv6sPage,
  SnapshotAnswer,
  SnapshotsPage,
  toApp,
  toAppPrices,
  toBackup,
  toCluster,
  toDatabase,
  toDroplet,
  toLoadBalancer,
  toMembers,
  toProject,
  toRegistries,
  toRegistrySubscription,
  toReservedIp,
  toSnapshot,
  toVolume,
  VolumeAnswer,
  VolumesPage,
} from './resources.ts'

const DEFAULT_API_URL = 'https://api.digitalocean.com'
/** The invoice uuid that stands for the running month. */
export const PREVIEW = 'preview'

/** The most that the API gives. */
const PAGE_SIZE_ITEMS = 200
/** 200,000 items: far above any real list, and an end to one that never ends. */
const MAX_PAGES = 1_000
/** A list of some pages is read in seconds, and gets an entry in days. */
const MAX_STEADY_READS = 3
const MAX_RATE_WAIT_MS = 60_000

export type DigitalOceanOptions = {
  /** Needs `billing:read`, `tag:read`, and the read scope of every kind that is to be in the inventory. Never logged. */
  token: string
  api_url?: string
  log?: { warn(fields: object, message: string): void }
  clock?: Clock
  timeout_ms?: number
  backoff_ms?: number
  max_retries?: number
  max_rate_wait_ms?: number
  fetch?: typeof fetch
}

/**
 * The provider's API, read only. Lists are complete: every page is read. Amounts are decimal strings in USD. Every
 * call that fails does so with an OutboundError; an answer of another shape is `invalid_response` and names the path.
 */
export type DigitalOcean = {
  balance(): Promise<Balance>
  billingHistory(): Promise<BillingEntry[]>
  /** Newest first. `preview` is the running month, remade by the provider every day. */
  invoices(): Promise<{ invoices: InvoiceHeader[]; preview: InvoiceHeader | null }>
  /** `invoice_uuid` may be PREVIEW, here and below. */
  invoiceItems(invoice_uuid: string): Promise<InvoiceItem[]>
  /** As `parseInvoiceCsv` reads it: the audit copy, without resource ids. */
  invoiceCsv(invoice_uuid: string): Promise<string>
  invoiceSummary(invoice_uuid: string): Promise<InvoiceSummary>
  /** Everything that is rented now, each kind whole or not at all: see `readInventory`. */
  inventory(): Promise<ListedInventory>
}

export function createDigitalOcean(options: DigitalOceanOptions): DigitalOcean {
  const api = createApi(options)
  return {
    balance: async () => toBalance((await getJson(api, '/v2/customers/my/balance', BalanceAnswer)).body),
    billingHistory: async () => {
      const pages = await getSteadyPages(api, '/v2/customers/my/billing_history', BillingHistoryPage)
      return pages.flatMap((page) => page.billing_history.map(toBillingEntry))
    },
    invoices: async () => {
      const pages = await getPages(api, '/v2/customers/my/invoices', InvoicesPage)
      const preview = pages[0]?.invoice_preview
      return {
        invoices: pages.flatMap((page) => page.invoices.map(toInvoiceHeader)),
        preview: preview ? toInvoiceHeader(preview) : null,
      }
    },
    invoiceItems: async (invoice_uuid) => {
      const pages = await getPages(api, invoicePath(invoice_uuid), InvoiceItemsPage)
      return pages.flatMap((page) => page.invoice_items.map(toInvoiceItem))
    },
    invoiceCsv: async (invoice_uuid) => (await getText(api, `${invoicePath(invoice_uuid)}/csv`)).body,
    invoiceSummary: async (invoice_uuid) =>
      toInvoiceSummary((await getJson(api, `${invoicePath(invoice_uuid)}/summary`, InvoiceSummaryAnswer)).body),
    inventory: () => readInventory(resourceLists(api)),
  }
}

function resourceLists(api: Api): ResourceLists {
  return {
    droplets: async () => {
      const ordinary = await getPages(api, '/v2/droplets', DropletsPage)
      const gpu = await getPages(api, '/v2/droplets', DropletsPage, { type: 'gpus' })
      const objects = [...ordinary, ...gpu].flatMap((page) => page.droplets)
      return readList(objects, { kind: 'droplet', schema: DropletAnswer }, toDroplet)
    },
    volumes: async () => {
      const pages = await getPages(api, '/v2/volumes', VolumesPage)
      const objects = pages.flatMap((page) => page.volumes)
      return readList(objects, { kind: 'volume', schema: VolumeAnswer }, toVolume)
    },
    databases: async () => {
      const { body } = await getJson(api, '/v2/databases', DatabasesAnswer)
      return readList(body.databases ?? [], { kind: 'database', schema: DatabaseAnswer }, toDatabase)
    },
    kubernetesClusters: async () => {
      const pages = await getPages(api, '/v2/kubernetes/clusters', ClustersPage)
      const objects = pages.flatMap((page) => page.kubernetes_clusters ?? [])
      return readList(objects, { kind: 'kubernetes_cluster', schema: ClusterAnswer }, toCluster)
    },
    loadBalancers: async () => {
      const pages = await getPages(api, '/v2/load_balancers', LoadBalancersPage)
      const objects = pages.flatMap((page) => page.load_balancers ?? [])
      return readList(objects, { kind: 'load_balancer', schema: LoadBalancerAnswer }, toLoadBalancer)
    },
    reservedIps: async () => {
      const v4 = await getPages(api, '/v2/reserved_ips', ReservedIpsPage)
      const v6 = await getPages(api, '/v2/reserved_ipv6', ReservedIpv6sPage)
      const objects = [
        ...v4.flatMap((page) => page.reserved_ips ?? []),
        ...v6.flatMap((page) => page.reserved_ipv6s ?? []),
      ]
      return readList(objects, { kind: 'reserved_ip', schema: ReservedIpAnswer, id: 'ip' }, toReservedIp)
    },
    snapshots: async () => {
      const pages = await getPages(api, '/v2/snapshots', SnapshotsPage)
      const objects = pages.flatMap((page) => page.snapshots ?? [])
      return readList(objects, { kind: 'snapshot', schema: SnapshotAnswer }, toSnapshot)
    },
    backups: async () => {
      const pages = await getPages(api, '/v2/images', ImagesPage, { private: 'true' })
      const objects = pages.flatMap((page) => page.images ?? []).filter(mayBeBackup)
      return readList(objects, { kind: 'backup', schema: ImageAnswer }, toBackup)
    },
    apps: async () => {
      const pages = await getPages(api, '/v2/apps', AppsPage, { with_projects: 'true' })
      const objects = pages.flatMap((page) => page.apps ?? [])
      if (objects.length === 0) return NOTHING
      const prices = toAppPrices((await getJson(api, '/v2/apps/tiers/instance_sizes', AppSizesAnswer)).body)
      return readList(objects, { kind: 'app', schema: AppAnswer }, (app) => toApp(app, prices))
    },
    containerRegistries: async () => {
      const objects = (await getJson(api, '/v2/registries', RegistriesAnswer)).body.registries ?? []
      if (objects.length === 0) return NOTHING
      const { body } = await getJson(api, '/v2/registry/subscription', RegistrySubscriptionAnswer)
      const read = readObjects(objects, { kind: 'container_registry', schema: RegistryAnswer, id: 'name' })
      return { listed: unique(toRegistries(read.answers, toRegistrySubscription(body))), unread: read.unread }
    },
    projects: async () => {
      const pages = await getPages(api, '/v2/projects', ProjectsPage)
      const objects = pages.flatMap((page) => page.projects ?? [])
      return readList(objects, { kind: 'project', schema: ProjectAnswer }, toProject)
    },
    projectMembers: async (project_id) => {
      const path = `/v2/projects/${encodeURIComponent(project_id)}/resources`
      const pages = await getPages(api, path, ProjectResourcesPage)
      return toMembers(pages.flatMap((page) => page.resources ?? []))
    },
  }
}

const NOTHING = { listed: [], unread: [] }

function readList<Schema extends TSchema, L extends { readonly external_id: string }>(
  objects: readonly unknown[],
  of: Parameters<typeof readObjects<Schema>>[1],
  toListed: (answer: Static<Schema>) => L,
): Read<L> {
  const { answers, unread } = readObjects(objects, of)
  const nameless = unread.filter(({ external_id }) => external_id === null)
  const named = unread.flatMap(({ external_id, ...rest }) => (external_id === null ? [] : { external_id, ...rest }))
  return { listed: unique(answers.map(toListed)), unread: [...unique(named), ...nameless] }
}

type Api = { outbound: Outbound; rate_limit: RateLimit; origin: string }

function createApi(options: DigitalOceanOptions): Api {
  // The runtime quotes a header value that it refuses, so a bad token must not get as far as that.
  invariant(/^[\x21-\x7e]+$/.test(options.token), 'the DigitalOcean token has no blanks and only ASCII characters')
  const { token, api_url = DEFAULT_API_URL, log, timeout_ms, backoff_ms, max_retries } = options
  return {
    origin: new URL(api_url).origin,
    outbound: createOutbound({
      base_url: api_url,
      headers: { authorization: `Bearer ${token}` },
      ...(timeout_ms !== undefined && { timeout_ms }),
      ...(backoff_ms !== undefined && { backoff_ms }),
      ...(max_retries !== undefined && { max_retries }),
      ...(options.fetch && { fetch: options.fetch }),
    }),
    rate_limit: createRateLimit({
      clock: options.clock ?? systemClock,
      max_wait_ms: options.max_rate_wait_ms ?? MAX_RATE_WAIT_MS,
      onWait: (wait_ms) => log?.warn({ provider: 'digitalocean', wait_ms }, 'the request quota is nearly used up'),
    }),
  }
}

function invoicePath(invoice_uuid: string): string {
  return `/v2/customers/my/invoices/${encodeURIComponent(invoice_uuid)}`
}

type Linked = { links?: { pages?: { next?: string | null } } }

/** All pages of a list, or an OutboundError: half a list is never returned. */
async function getPages<Schema extends TSchema>(
  api: Api,
  path: string,
  schema: Static<Schema> extends Linked ? Schema : never,
  filter: Query = {},
): Promise<Static<Schema>[]> {
  const pages: Static<Schema>[] = []
  const followed = new Set<string>()
  const first: Query = { ...filter, page: 1, per_page: PAGE_SIZE_ITEMS }
  let query = first
  for (let read = 0; read < MAX_PAGES; read += 1) {
    const { body } = await getJson(api, path, schema, query)
    pages.push(body)
    const next = nextLink(body)
    if (next === null) return pages
    if (followed.has(next)) throw pagingError(path, 'a next link comes back')
    followed.add(next)
    query = Object.assign({}, first, queryOf(next, api, path))
  }
  throw pagingError(path, `more than ${MAX_PAGES} pages`)
}

/**
 * All pages of a list whose entries nothing but their content tells apart, so that one which moved to the next page while
 * the list was read would count twice: where the first page is another one afterwards, all are read again.
 */
async function getSteadyPages<Schema extends TSchema>(
  api: Api,
  path: string,
  schema: Static<Schema> extends Linked ? Schema : never,
): Promise<Static<Schema>[]> {
  for (let read = 0; read < MAX_STEADY_READS; read += 1) {
    const pages = await getPages(api, path, schema)
    if (pages.length <= 1) return pages
    const { body } = await getJson(api, path, schema, { page: 1, per_page: PAGE_SIZE_ITEMS })
    if (isDeepStrictEqual(body, pages[0])) return pages
  }
  throw pagingError(path, `changes each time that it is read, ${MAX_STEADY_READS} times`)
}

function nextLink(page: Linked): string | null {
  return page.links?.pages?.next || null
}

/**
 * Only the query of a next link is used, on top of the first one: the path stays that of the list, and a link that
 * forgets the page size or a filter does not change what is read.
 */
function queryOf(next: string, api: Api, path: string): Query {
  const url = URL.parse(next, api.origin)
  if (url === null) throw pagingError(path, 'a next link is not an address')
  // Following it would hand the token, or our trust, to another host.
  if (url.origin !== api.origin) throw pagingError(path, `a next link leads to ${url.host}`)
  return Object.fromEntries(url.searchParams)
}

function pagingError(path: string, detail: string): OutboundError {
  const failure = {
    reason: 'invalid_response',
    status: 200,
    request_id: null,
    method: 'GET',
    path,
    attempts: 1,
  } as const
  return new OutboundError(failure, detail)
}

async function getJson<Schema extends TSchema>(
  api: Api,
  path: string,
  schema: Schema,
  query: Query = {},
): Promise<OutboundResponse<Static<Schema>>> {
  return limited(api, () => api.outbound.getJson(path, schema, { query }))
}

function getText(api: Api, path: string): Promise<OutboundResponse<string>> {
  return limited(api, () => api.outbound.getText(path))
}

async function limited<T>(api: Api, call: () => Promise<OutboundResponse<T>>): Promise<OutboundResponse<T>> {
  await api.rate_limit.wait()
  const response = await call()
  api.rate_limit.observe(response.headers)
  return response
}

/** Resources move between pages, and lists overlap, while they are read. */
function unique<T extends { readonly external_id: string }>(resources: readonly T[]): T[] {
  return [...new Map(resources.map((resource) => [resource.external_id, resource])).values()]
}
