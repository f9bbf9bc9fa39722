import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { invariant } from '../../src/kernel/invariant.ts'
import type { Account, AccountInvoice } from './account.ts'
import { balanceOf, csvFilename, csvOf, headerOf, summaryOf } from './documents.ts'
import { systemClock } from '../../src/platform/clock.ts'

const PAGE_SIZE_ITEMS = 20
const MAX_PAGE_SIZE_ITEMS = 200
const HOURLY_LIMIT = 5_000
const WINDOW_S = 3_600

/** What a test may break. Counted faults are used up one request at a time, then the answers are right again. */
export type Faults = {
  /** 401 to everyone, as for a revoked token. */
  unauthorized?: boolean
  /** 403 for these paths, as for a token without the scope. */
  forbidden?: readonly string[]
  /** 404 for these paths, as for a product that the account does not have. */
  absent?: readonly string[]
  too_many_requests?: { count: number; retry_after_s: number }
  server_errors?: number
  /** Answers 200 with the first half of the body. */
  cut_pages?: number
  /** Never answers. */
  silent?: number
  /** The origin that next links lead to, in place of this one. */
  next_origin?: string
  /** The quota as the headers tell it. */
  rate_limit?: { remaining: number; reset_in_s: number }
}

export type DigitalOceanStandIn = {
  url: string
  /** How many requests arrived so far, refused ones included. */
  requests(): number
  close(): Promise<void>
}

/** The provider's API over one account, read only, on the loopback. Errors are `{id, message, request_id}`. */
export async function startDigitalOceanStandIn(options: {
  token: string
  account: Account
  port?: number
  faults?: Faults
}): Promise<DigitalOceanStandIn> {
  const state: State = { ...options, faults: { ...options.faults }, requests: 0, url: '' }
  const server = createServer((request, response) => handle(state, request, response))
  state.url = await listen(server, options.port ?? 0)
  return { url: state.url, requests: () => state.requests, close: () => close(server) }
}

type State = { token: string; account: Account; faults: Faults; requests: number; url: string }
type Headers = Record<string, string>
type Refusal = { status: number; error: { id: string; message: string }; headers?: Headers }
type Answer = { status: 200; body: unknown; headers?: Headers } | Refusal

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      invariant(address !== null && typeof address === 'object', 'a listening server has an address')
      resolve(`http://127.0.0.1:${address.port}`)
    })
  })
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
}

function handle(state: State, request: IncomingMessage, response: ServerResponse): void {
  state.requests += 1
  if (usedUp(state.faults, 'silent')) return
  const url = new URL(request.url ?? '/', state.url)
  const answer = injectedFault(state.faults, url.pathname) ?? refusal(state, request) ?? route(state, url)
  const body = 'error' in answer ? { ...answer.error, request_id: requestId(state) } : answer.body
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const cut = answer.status === 200 && usedUp(state.faults, 'cut_pages')
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'x-request-id': requestId(state),
    ...rateLimitHeaders(state),
    ...answer.headers,
  })
  response.end(cut ? text.slice(0, text.length / 2) : text)
}

function injectedFault(faults: Faults, path: string): Refusal | undefined {
  if (faults.unauthorized) return failed(401, 'unauthorized', 'Unable to authenticate you.')
  if (faults.forbidden?.includes(path))
    return failed(403, 'forbidden', 'You are not authorized to perform this operation.')
  if (faults.absent?.includes(path)) return notFound()
  if (usedUp(faults, 'server_errors')) return failed(500, 'server_error', 'Unexpected server-side error.')
  if (faults.too_many_requests && faults.too_many_requests.count > 0) {
    const { count, retry_after_s } = faults.too_many_requests
    faults.too_many_requests = { count: count - 1, retry_after_s }
    const headers = { 'retry-after': String(retry_after_s) }
    return { ...failed(429, 'too_many_requests', 'API rate limit exceeded.'), headers }
  }
  return undefined
}

function usedUp(faults: Faults, fault: 'silent' | 'server_errors' | 'cut_pages'): boolean {
  const left = faults[fault] ?? 0
  if (left === 0) return false
  faults[fault] = left - 1
  return true
}

function refusal(state: State, request: IncomingMessage): Refusal | undefined {
  if (request.headers.authorization !== `Bearer ${state.token}`) {
    return failed(401, 'unauthorized', 'Unable to authenticate you.')
  }
  if (request.method !== 'GET') return failed(405, 'method_not_allowed', 'Only GET is served here.')
  return undefined
}

function route(state: State, url: URL): Answer {
  const { account } = state
  switch (url.pathname) {
    case '/v2/customers/my/balance':
      return ok(balanceOf(account))
    case '/v2/customers/my/billing_history':
      return page(state, url, 'billing_history', account.billing_history)
    case '/v2/customers/my/invoices':
      return page(state, url, 'invoices', account.invoices.map(headerOf), {
        invoice_preview: headerOf(account.preview),
      })
    case '/v2/droplets':
      return page(state, url, 'droplets', droplets(account, url))
    case '/v2/volumes':
      return page(state, url, 'volumes', account.volumes)
    case '/v2/databases':
      return ok({ databases: account.databases })
    case '/v2/kubernetes/clusters':
      return page(state, url, 'kubernetes_clusters', account.kubernetes_clusters)
    case '/v2/load_balancers':
      return page(state, url, 'load_balancers', account.load_balancers)
    case '/v2/reserved_ips':
      return page(state, url, 'reserved_ips', account.reserved_ips)
    case '/v2/reserved_ipv6':
      return page(state, url, 'reserved_ipv6s', account.reserved_ipv6s)
    case '/v2/snapshots':
      return page(state, url, 'snapshots', account.snapshots)
    case '/v2/images':
      return page(state, url, 'images', account.images)
    case '/v2/apps':
      return page(state, url, 'apps', account.apps)
    case '/v2/apps/tiers/instance_sizes':
      return ok({ instance_sizes: account.instance_sizes })
    case '/v2/registries':
      return ok({ registries: account.registries })
    case '/v2/registry/subscription':
      return account.registry_subscription === null ? notFound() : ok({ subscription: account.registry_subscription })
    case '/v2/projects':
      return page(state, url, 'projects', account.projects)
    default:
      return routeProject(state, url) ?? routeInvoice(state, url)
  }
}

function routeProject(state: State, url: URL): Answer | undefined {
  const [, id] = /^\/v2\/projects\/([^/]+)\/resources$/.exec(url.pathname) ?? []
  const urns = id === undefined ? undefined : state.account.project_resources[id]
  return urns && page(state, url, 'resources', urns.map(projectResource))
}

function projectResource(urn: string): Record<string, string> {
  return { urn, assigned_at: '2023-03-14T05:58:00Z', status: 'ok' }
}

function droplets(account: Account, url: URL): Account['droplets'] {
  const listed = url.searchParams.get('type') === 'gpus' ? account.gpu_droplets : account.droplets
  const tag = url.searchParams.get('tag_name')
  return tag === null ? listed : listed.filter((droplet) => droplet.tags.includes(tag))
}

function routeInvoice(state: State, url: URL): Answer {
  const [, uuid = '', document] =
    /^\/v2\/customers\/my\/invoices\/([^/]+)(?:\/(csv|summary))?$/.exec(url.pathname) ?? []
  const invoice = findInvoice(state.account, uuid)
  if (!invoice) return notFound()
  if (document === 'summary') return ok(summaryOf(invoice))
  if (document === 'csv') return csv(state.account, invoice)
  return page(state, url, 'invoice_items', invoice.items)
}

function findInvoice(account: Account, uuid: string): AccountInvoice | undefined {
  if (uuid === 'preview') return account.preview
  return [account.preview, ...account.invoices].find((invoice) => invoice.invoice_uuid === uuid)
}

function csv(account: Account, invoice: AccountInvoice): Answer {
  const disposition = `attachment; filename="${csvFilename(account, invoice)}"`
  return {
    status: 200,
    body: csvOf(invoice),
    headers: { 'content-type': 'text/csv', 'content-disposition': disposition },
  }
}

function page(
  state: State,
  url: URL,
  key: string,
  all: readonly unknown[],
  beside: Record<string, unknown> = {},
): Answer {
  const size = readCount(url, 'per_page', PAGE_SIZE_ITEMS)
  const number = readCount(url, 'page', 1)
  if (size === undefined || number === undefined || size > MAX_PAGE_SIZE_ITEMS) {
    return failed(400, 'bad_request', `page is at least 1, and per_page from 1 to ${MAX_PAGE_SIZE_ITEMS}.`)
  }
  const last = Math.max(1, Math.ceil(all.length / size))
  const pages = number < last ? { next: pageLink(state, url, number + 1), last: pageLink(state, url, last) } : undefined
  const items = all.slice((number - 1) * size, number * size)
  return ok({ [key]: items, ...beside, links: pages ? { pages } : {}, meta: { total: all.length } })
}

function readCount(url: URL, name: string, otherwise: number): number | undefined {
  const text = url.searchParams.get(name)
  if (text === null) return otherwise
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined
}

function pageLink(state: State, url: URL, number: number): string {
  const link = new URL(url.pathname + url.search, state.faults.next_origin ?? state.url)
  link.searchParams.set('page', String(number))
  return link.href
}

function ok(body: unknown): Answer {
  return { status: 200, body }
}

function notFound(): Refusal {
  return failed(404, 'not_found', 'The resource you were accessing could not be found.')
}

function failed(status: number, id: string, message: string): Refusal {
  return { status, error: { id, message } }
}

function requestId(state: State): string {
  return `00000000-0000-8000-8000-${String(state.requests).padStart(12, '0')}`
}

function rateLimitHeaders(state: State): Headers {
  const { remaining, reset_in_s } = state.faults.rate_limit ?? {
    remaining: Math.max(0, HOURLY_LIMIT - state.requests),
    reset_in_s: WINDOW_S,
  }
  const reset = systemClock.now().add({ seconds: reset_in_s }).epochMilliseconds
  return {
    'ratelimit-limit': String(HOURLY_LIMIT),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(Math.floor(reset / 1000)),
  }
}
