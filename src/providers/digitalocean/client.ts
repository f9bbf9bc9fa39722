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
  AppsPage,
  AppSizesAnswer,
  ClustersPage,
  DatabasesAnswer,
  DropletsPage,
  ImagesPage,
  LoadBalancersPage,
  ProjectResourcesPage,
  ProjectsPage,
  RegistriesAnswer,
  RegistrySubscriptionAnswer,
  ReservedIpsPage,
  ReservedIpv6sPage,
  SnapshotsPage,
  toApp,
  toAppPrices,
  toBackups,
  toCluster,
  toDatabase,
  toDroplet,
  toLoadBalancer,
  toProject,
  toRegistries,
  toRegistrySubscription,
  toReservedIp,
  toSnapshot,
  toVolume,
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
      return unique([...ordinary, ...gpu].flatMap((page) => page.droplets.map(toDroplet)))
    },
    volumes: async () => {
      const pages = await getPages(api, '/v2/volumes', VolumesPage)
      return unique(pages.flatMap((page) => page.volumes.map(toVolume)))
    },
    databases: async () => {
      const { body } = await getJson(api, '/v2/databases', DatabasesAnswer)
      return unique((body.databases ?? []).map(toDatabase))
    },
    kubernetesClusters: async () => {
      const pages = await getPages(api, '/v2/kubernetes/clusters', ClustersPage)
      return unique(pages.flatMap((page) => (page.kubernetes_clusters ?? []).map(toCluster)))
    },
    loadBalancers: async () => {
      const pages = await getPages(api, '/v2/load_balancers', LoadBalancersPage)
      return unique(pages.flatMap((page) => (page.load_balancers ?? []).map(toLoadBalancer)))
    },
    reservedIps: async () => {
      const v4 = await getPages(api, '/v2/reserved_ips', ReservedIpsPage)
      const v6 = await getPages(api, '/v2/reserved_ipv6', ReservedIpv6sPage)
      const answers = [
        ...v4.flatMap((page) => page.reserved_ips ?? []),
        ...v6.flatMap((page) => page.reserved_ipv6s ?? []),
      ]
      return unique(answers.map(toReservedIp))
    },
    snapshots: async () => {
      const pages = await getPages(api, '/v2/snapshots', SnapshotsPage)
      return unique(pages.flatMap((page) => (page.snapshots ?? []).map(toSnapshot)))
    },
    backups: async () => {
      const pages = await getPages(api, '/v2/images', ImagesPage, { private: 'true' })
      return unique(pages.flatMap((page) => toBackups(page.images ?? [])))
    },
    apps: async () => {
      const pages = await getPages(api, '/v2/apps', AppsPage, { with_projects: 'true' })
      const apps = pages.flatMap((page) => page.apps ?? [])
      if (apps.length === 0) return []
      const prices = toAppPrices((await getJson(api, '/v2/apps/tiers/instance_sizes', AppSizesAnswer)).body)
      return unique(apps.map((app) => toApp(app, prices)))
    },
    containerRegistries: async () => {
      const registries = (await getJson(api, '/v2/registries', RegistriesAnswer)).body.registries ?? []
      if (registries.length === 0) return []
      const { body } = await getJson(api, '/v2/registry/subscription', RegistrySubscriptionAnswer)
      return unique(toRegistries(registries, toRegistrySubscription(body)))
    },
    projects: async () => {
      const pages = await getPages(api, '/v2/projects', ProjectsPage)
      return unique(pages.flatMap((page) => (page.projects ?? []).map(toProject)))
    },
    projectResources: async (project_id) => {
      const path = `/v2/projects/${encodeURIComponent(project_id)}/resources`
      const pages = await getPages(api, path, ProjectResourcesPage)
      return pages.flatMap((page) => (page.resources ?? []).map(({ urn }) => urn))
    },
  }
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
