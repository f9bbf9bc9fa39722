import assert from 'node:assert/strict'
import { memoryDatabase } from '../../../test/support/database.ts'
import { type Answer, type CallOptions, testHttp } from '../../../test/support/http.ts'
import { insertRows, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { catalogRoutes } from '../catalog/index.ts'
import { deploymentsRoutes } from '../deployments/index.ts'
import { llmUsageRoutes } from '../llm-usage/index.ts'
import { meteringRoutes } from '../metering/index.ts'
import { followDeployment, subscriptionsRoutes, transitionPreview } from '../subscriptions/index.ts'
import { tenantsRoutes } from '../tenants/index.ts'
import { previewInvoices } from './preview.ts'
import { invoicingRoutes } from './routes.ts'

type CompanyOptions = {
  /** Sees every statement. */
  on_query?: (text: string) => void
  /** Further routes under test. */
  routes?: (edge: Edge) => ((app: App) => void)[]
}

export const SELLER = { legal_name: 'Arcadia Pty Ltd', abn: '51 824 753 556', address: '1 Example St, Hobart' }

/**
 * The contexts that an invoice is made from, over HTTP, with a frozen clock on the second of May 2026 and the plan
 * `studio` of the worked example: base 50.00, 1,488 droplet hours, then 0.01 each, and `api_calls` at 0.10 each.
 */
export async function testCompany({ on_query, routes = () => [] }: CompanyOptions = {}) {
  /** What the hook was told of. */
  const told: { tenant_id: string; invoice_id: string }[] = []
  const harness = await testHttp(
    (edge) => [
      tenantsRoutes(edge),
      catalogRoutes(edge),
      deploymentsRoutes(edge, {
        onTransition: (tx, change) => followDeployment(within(tx), change, edge),
        preview: transitionPreview(edge, { previewInvoices }),
      }),
      subscriptionsRoutes(edge, { previewInvoices }),
      meteringRoutes(edge),
      llmUsageRoutes(edge),
      invoicingRoutes(edge, { seller: SELLER, onInvoiceChanged: async (_tx, document) => void told.push(document) }),
      ...routes(edge),
    ],
    on_query ? { db: await memoryDatabase({ on_query }) } : {},
  )

  const ok = async (...call: Parameters<typeof harness.call>): Promise<Answer['body']> => {
    const answer = await harness.call(...call)
    assert.ok(answer.status < 300, `${call[0]} ${call[1]}: ${answer.status} ${answer.text}`)
    return answer.body.data
  }
  const post = (path: string, body?: unknown, options?: CallOptions) =>
    ok('POST', path, { ...(body !== undefined && { body }), ...options })

  await post('/meters', { code: 'api_calls', name: 'API calls', unit: 'call', aggregation: 'sum' })
  await post('/addons', {
    code: 'storage_50gb',
    name: 'Storage 50 GB',
    price_cents: 750,
    currency: 'AUD',
    quantity: '50',
    unit: 'GB',
  })

  const company = {
    ...harness,
    told,
    ok,
    post,
    async plan(code: string, terms: { base_price_cents?: number; currency?: string } = {}) {
      const { base_price_cents = 5_000, currency = 'AUD' } = terms
      await post('/plans', { code, name: code })
      await post(`/plans/${code}/versions`, {
        currency,
        base_price_cents,
        charges: [
          { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
          { meter: 'api_calls', model: 'per_unit', unit_price: '0.10' },
        ],
      })
      await post(`/plans/${code}/versions/1/publish`)
    },
    /** A tenant with one deployment, and its id. */
    async tenant(id: string, changes: object = {}): Promise<string> {
      await post('/tenants', { id, legal_name: `${id} Pty Ltd`, country: 'AU', currency: 'AUD', ...changes })
      return company.deployment(id, `${id}-app`)
    },
    async deployment(tenant_id: string, slug: string): Promise<string> {
      return (await post('/deployments', { tenant_id, slug })).id
    },
    async subscribe(deployment_id: string, order: object = {}) {
      return post(`/deployments/${deployment_id}/subscribe`, {
        plan_code: 'studio',
        start_date: '2026-04-01',
        ...order,
      })
    },
    async use(deployment_id: string, quantity: string, occurred_at: string, properties: object = {}) {
      const event = {
        id: `${occurred_at}/${quantity}`,
        source: 'test',
        deployment_id,
        meter: 'api_calls',
        quantity,
        occurred_at,
        properties,
      }
      assert.equal((await post('/usage/events', { events: [event] })).accepted, 1)
    },
    async ask(
      tenant_id: string,
      deployment_id: string,
      event: { charge: string | null; occurred_at: string; id?: string },
    ) {
      const { id = `${event.occurred_at}/${event.charge}`, ...rest } = event
      await post('/integrations/llm-usage', {
        gateway_id: 'gateway',
        gateway_request_id: id,
        tenant_id,
        deployment_id,
        provider: 'anthropic',
        model: 'a-model',
        usage: { input_tokens: 1 },
        currency: 'AUD',
        price_version: '2026-04-01',
        adjusts: null,
        tags: {},
        ...rest,
      })
    },
    async droplets(tenant_id: string, deployment_id: string, life: { count: number; from: string; to?: string }) {
      const resources = Array.from({ length: life.count }, () => ({
        id: harness.edge.ids.uuid(),
        span_id: harness.edge.ids.uuid(),
      }))
      const seen = { first_seen_at: life.from, last_seen_at: life.from }
      await harness.db.transaction(async (tx) => {
        const inventory = within<'inventory'>(tx)
        await insertRows(
          inventory,
          'inventory.resource',
          resources.map(({ id }) => ({
            id,
            provider: 'digitalocean',
            kind: 'droplet',
            external_id: id,
            name: id,
            tags: [],
            born_at: life.from,
            gone_at: life.to ?? null,
            ...seen,
          })),
        )
        await insertRows(
          inventory,
          'inventory.span',
          resources.map(({ id, span_id }) => ({
            id: span_id,
            resource_id: id,
            starts_at: life.from,
            ends_at: life.to ?? null,
            name: id,
            size: 's-1vcpu-1gb',
            size_gb: '0',
            tenant_id,
            deployment_id,
            changed_at: life.from,
          })),
        )
      })
      return resources.map(({ id }) => id)
    },
    rollup: (body: object = {}) => post('/invoices/rollup', { period: '2026-04', ...body }),
    /** The one invoice of a tenant for a month, with its lines. */
    async invoice(tenant_id: string, period = '2026-04') {
      const { body } = await harness.call('GET', `/invoices?tenant_id=${tenant_id}&period=${period}`)
      const live = body.data.filter((invoice: { status: string }) => invoice.status !== 'void')
      assert.equal(live.length, 1, `${tenant_id} has one live invoice for ${period}`)
      return ok('GET', `/invoices/${live[0].id}`)
    },
  }
  await company.plan('studio')
  return company
}

export type Company = Awaited<ReturnType<typeof testCompany>>
