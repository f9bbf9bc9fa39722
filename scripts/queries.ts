import { enterBooks, sendLlmUsage } from '../demo/books.ts'
import { createClient } from '../src/cli/client.ts'
import { invariant } from '../src/kernel/invariant.ts'
import { mintToken } from '../src/platform/auth.ts'
import type { Books } from '../test/scenarios/books.ts'

const TTL = Temporal.Duration.from({ hours: 1 })

/** A month through every route that reads and most that write, so that every statement is sent at least once. */
export async function walkThrough(books: Books): Promise<void> {
  const { app, ok } = books
  const call = succeeding(books.call)
  const http = await app.http()
  const url = await http.listen({ port: 0, host: '127.0.0.1' })
  const token = (role: string) =>
    mintToken(
      { sub: 'generate', role, tenant_id: null },
      { secret: app.jwt_secret, now: app.edge.clock.now(), ttl: TTL },
    )
  const operator = createClient({ url, token: await token('platform_admin') })
  await enterBooks(operator)
  await books.sync()
  await sendLlmUsage(operator, createClient({ url, token: await token('gateway') }))
  await ok('POST', '/invoices/rollup', { period: '2026-04' })
  await ok('POST', '/invoices/rollup', { period: '2026-04', force: true })
  const invoices = await operator.list<{ id: string; total_cents: number }>('/invoices?period=2026-04')
  for (const { id } of invoices) await ok('POST', `/invoices/${id}/issue`, {})
  await books.push()

  const [bill] = await operator.list<{ id: string }>('/billing/provider-invoices?period=2026-04')
  const [unmatched] = await operator.list<{ id: string }>('/billing/cost-lines?period=2026-04&match_status=unmatched')
  const [deployment] = await operator.list<{ id: string }>('/deployments?tenant_id=boab')
  const [resource] = await operator.list<{ id: string }>('/resources?assigned=false')
  const [push] = await operator.list<{ id: string }>('/finance/pushes')
  const [invoice, other] = invoices
  const detail = await operator.get<{ lines: { id: string }[] }>(`/invoices/${invoice?.id}`)
  await ok('POST', `/billing/cost-lines/${unmatched?.id}/assignment`, { deployment_id: deployment?.id, remember: true })
  await ok('POST', `/resources/${resource?.id}/assignment`, { deployment_id: deployment?.id })
  const rule = await ok('POST', '/billing/allocation-rules', {
    product: 'Spaces Subscription',
    shares: [{ deployment_id: deployment?.id, weight: '1' }],
  })
  await call('DELETE', `/billing/allocation-rules/${rule.id}`)
  await ok('POST', '/billing/exchange-rates', {
    from: 'USD',
    to: 'AUD',
    date: '2026-04-30',
    rate: '1.5',
    source: 'walk',
  })
  await ok('POST', '/billing/sync', {})
  await ok('POST', `/finance/pushes/${push?.id}/retry`, {})
  await ok('POST', `/invoices/${invoice?.id}/payments`, {
    amount_cents: 1,
    paid_at: '2026-05-02T00:00:00Z',
    reference: 'p1',
  })
  await ok('POST', `/invoices/${invoice?.id}/credit-notes`, { amount_cents: 1, reason: 'goodwill' })
  await ok('POST', `/invoices/${other?.id}/void`, {})
  await ok('PATCH', '/tenants/boab', { email: 'new@boab.example' })
  await ok('PATCH', `/deployments/${deployment?.id}`, { display_name: 'Studio 1' })
  await walkCatalog(books)
  await walkSubscription(books, deployment?.id ?? '')
  await ok('POST', '/meters', { code: 'walked', name: 'Walked', unit: 'call', aggregation: 'sum' })
  await ok('POST', '/usage/events', {
    events: [
      {
        id: 'e1',
        deployment_id: deployment?.id,
        meter: 'walked',
        quantity: '1',
        occurred_at: '2026-05-01T00:00:00Z',
      },
    ],
  })
  for (const path of [
    '/tenants',
    '/tenants/boab',
    '/meters',
    '/plans',
    '/plans/studio',
    '/addons',
    '/deployments',
    `/deployments/${deployment?.id}`,
    `/deployments/${deployment?.id}/usage?period=2026-04`,
    `/deployments/${deployment?.id}/projection`,
    `/llm-usage?deployment_id=${deployment?.id}&period=2026-04`,
    '/billing/balance',
    '/billing/balances',
    '/billing/history?period=2026-05&type=Payment',
    '/billing/expected?period=2026-04',
    '/billing/cost-lines?period=2026-04&kind=droplet',
    `/billing/provider-invoices/${bill?.id}`,
    '/billing/products?period=2026-04&classified=false',
    '/billing/allocation-rules',
    '/billing/exchange-rates?currency=USD',
    '/resources?kind=droplet&alive=true',
    '/resources?project=boab&name=studio',
    '/resources/listings',
    `/resources/${resource?.id}`,
    '/invoices?status=issued',
    `/invoices/${invoice?.id}`,
    `/invoices/${invoice?.id}/lines/${detail.lines[0]?.id}/explanation`,
    '/finance/pushes?status=pushed',
    '/margin?period=2026-04&group_by=tenant',
    '/margin?period=2026-04&group_by=deployment',
    '/margin?period=2026-04&group_by=kind&currency=AUD',
    '/exports/focus?period=2026-04',
    '/exports/focus?period=2026-04&tenant_id=boab',
  ]) {
    await call('GET', path)
  }
  await call('POST', '/quotes', {
    body: {
      plan: { code: 'studio' },
      addons: [{ code: 'storage_50gb' }],
      usage: { droplet_hours: '1' },
      period: { start: '2026-04-01', end: '2026-05-01' },
      tenant_id: 'boab',
    },
  })
  const months = { from: '2026-04', to: '2026-04' }
  const terms = { currency: 'USD', interval: 'year', base_price_cents: 1 }
  await ok('POST', '/what-if', { plan: { code: 'studio', terms }, ...months })
  await ok('POST', '/what-if', { plan: { code: 'studio', version: 1 }, ...months })
  await call('GET', '/audit')
  await call('GET', '/doctor')
}

/** A step that fails would leave out statements without a word. */
function succeeding(call: Books['call']): Books['call'] {
  return async (method, path, options) => {
    const answer = await call(method, path, options)
    invariant(answer.status < 400, `${method} ${path} failed: ${answer.text}`)
    return answer
  }
}

async function walkCatalog({ ok, call: given }: Books): Promise<void> {
  const call = succeeding(given)
  const version = { currency: 'AUD', base_price_cents: 100 }
  await ok('POST', '/plans', { code: 'walk', name: 'Walk', version })
  await call('PUT', '/plans/walk/versions/1', { body: version })
  await ok('POST', '/plans/walk/versions/1/publish')
  await ok('POST', '/plans/walk/versions/1/retire')
  await call('PATCH', '/addons/daily_backup', { body: { name: 'Daily backup' } })
}

async function walkSubscription({ ok, call: given }: Books, deployment_id: string): Promise<void> {
  const call = succeeding(given)
  const { subscription } = await ok('GET', `/deployments/${deployment_id}`)
  const changed = await ok('POST', `/subscriptions/${subscription.id}/addons`, { code: 'daily_backup' })
  const addon = changed.addons.find((attached: { code: string }) => attached.code === 'daily_backup')
  await call('DELETE', `/subscriptions/${subscription.id}/addons/${addon.id}`)
  const discounted = await ok('POST', `/subscriptions/${subscription.id}/discounts`, { name: 'Walk', rate: '0.1' })
  await call('DELETE', `/subscriptions/${subscription.id}/discounts/${discounted.discounts[0].id}`)
  const overridden = await ok('POST', `/subscriptions/${subscription.id}/overrides`, { base_price_cents: 1 })
  await call('DELETE', `/subscriptions/${subscription.id}/overrides/${overridden.overrides[0].id}`)
  await call('GET', `/subscriptions/${subscription.id}`)
  await ok('POST', `/subscriptions/${subscription.id}/plan-change?preview=true`, { plan_code: 'starter' })
  await ok('POST', `/subscriptions/${subscription.id}/plan-change`, { plan_code: 'starter' })
  await ok('POST', `/deployments/${deployment_id}/transition`, { to: 'paused', reason: 'walk' })
  await ok('POST', `/deployments/${deployment_id}/transition`, { to: 'active', reason: 'walk' })
  await ok('POST', `/subscriptions/${subscription.id}/cancel`, {})
}

/** `db/queries.snap.sql`: every statement as the database sees it, lists of parameters cut to one. */
export function describeQueries(statements: Iterable<string>): string {
  const texts = new Set(
    [...statements]
      .filter((text) => !/\bpgboss\b/.test(text))
      .map((text) =>
        text
          .replace(/\s+/g, ' ')
          .trim()
          .replace(/\$\d+(?:, \$\d+)+/g, '$1, …')
          .replace(/(\(\$1, …\))(?:, \(\$1, …\))+/g, '$1, …'),
      ),
  )
  return `-- Generated by walking through a month: every statement as sent (\`npm run generate\`). Do not edit.\n\n${[...texts].toSorted().join(';\n\n')};\n`
}
