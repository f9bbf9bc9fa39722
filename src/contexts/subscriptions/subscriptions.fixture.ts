import assert from 'node:assert/strict'
import { testHttp } from '../../../test/support/http.ts'
import { present } from '../../kernel/invariant.ts'
import { monthsOf, overlap } from '../../kernel/period.ts'
import { within } from '../../platform/db.ts'
import { catalogRoutes, readPlanTerms } from '../catalog/index.ts'
import { deploymentsRoutes, type TransitionHook } from '../deployments/index.ts'
import { overridden, quote, segments } from '../pricing/index.ts'
import { eventsRoutes } from '../events/index.ts'
import { tenantsRoutes } from '../tenants/index.ts'
import { followDeployment } from './follow.ts'
import type { PreviewInvoices } from './preview.ts'
import { discountsIn, readSubscriptions } from './queries.ts'
import { subscriptionsRoutes, transitionPreview } from './routes.ts'

export const UNKNOWN = '00000000-0000-4000-8000-000000000000'
/** In Sydney it is the 2nd already. */
export const NOW = '2026-05-01T15:00:00Z'
export const TODAY = '2026-05-02'

type PhaseOut = { mode: string; plan_code: string; starts_on: string; ends_on: string | null }

/**
 * The subscriptions over HTTP, for the tenant `acme` in Sydney with the plans `studio` (50.00) and `team` (80.00) and the
 * add-on `storage` (7.50), all in AUD; `dollars` are in USD, and `draft` is not published.
 */
export async function testSubscriptions() {
  const harness = await testHttp(
    (edge) => [
      eventsRoutes(edge),
      tenantsRoutes(edge),
      catalogRoutes(edge),
      deploymentsRoutes(edge, {
        onTransition: (tx, change) => followDeployment(within(tx), change, edge),
        preview: transitionPreview(edge, { previewInvoices: quoteWithoutUsage }),
      }),
      subscriptionsRoutes(edge, { previewInvoices: quoteWithoutUsage }),
    ],
    { now: NOW },
  )
  const { call, edge } = harness
  const onTransition: TransitionHook = (tx, change) => followDeployment(within(tx), change, edge)
  const tenant = { legal_name: 'Acme', country: 'AU', currency: 'AUD', timezone: 'Australia/Sydney' }
  await call('POST', '/tenants', { body: { id: 'acme', ...tenant } })
  const sell = async (code: string, version: object) => {
    await call('POST', '/plans', { body: { code, name: code, version: { currency: 'AUD', ...version } } })
    await call('POST', `/plans/${code}/versions/1/publish`)
  }
  await sell('studio', { base_price_cents: 5000 })
  await sell('team', { base_price_cents: 8000 })
  await sell('dollars', { base_price_cents: 5000, currency: 'USD' })
  await call('POST', '/plans', {
    body: { code: 'draft', name: 'Draft', version: { currency: 'AUD', base_price_cents: 1 } },
  })
  const addon = { name: 'Storage', price_cents: 750, currency: 'AUD', quantity: '50', unit: 'GB' }
  await call('POST', '/addons', { body: { ...addon, code: 'storage' } })
  await call('POST', '/addons', { body: { ...addon, code: 'dollars', currency: 'USD' } })

  let deployments = 0
  async function deploy(body: object = {}): Promise<string> {
    deployments += 1
    const made = await call('POST', '/deployments', { body: { tenant_id: 'acme', slug: `d${deployments}`, ...body } })
    return made.body.data.id
  }

  const order = (deployment_id: string, body: object = {}) =>
    call('POST', `/deployments/${deployment_id}/subscribe`, { body: { plan_code: 'studio', addons: [], ...body } })

  async function subscribed(body: object = {}, deployment: object = {}) {
    const deployment_id = await deploy(deployment)
    const made = await order(deployment_id, body)
    assert.equal(made.status, 201, made.text)
    const id: string = made.body.data.id
    return { deployment_id, id, data: made.body.data }
  }

  async function phasesOf(deployment_id: string): Promise<string[]> {
    const rows = await harness.db.read
      .selectFrom('subscriptions.phase as p')
      .innerJoin('subscriptions.subscription as s', 's.id', 'p.subscription_id')
      .innerJoin('catalog.plan_version as v', 'v.id', 'p.plan_version_id')
      .select(['p.mode', 'v.plan_code', 'p.starts_on', 'p.ends_on'])
      .where('s.deployment_id', '=', deployment_id)
      .orderBy('p.starts_on')
      .execute()
    return rows.map((row) => `${row.plan_code} ${row.mode} ${row.starts_on} ${row.ends_on ?? '…'}`)
  }

  const move = async (id: string, to: string) => {
    const { status } = await call('POST', `/deployments/${id}/transition`, { body: { to } })
    assert.equal(status, 200)
  }

  return { ...harness, onTransition, sell, deploy, order, subscribed, phasesOf, move }
}

export const outline = (data: { phases: PhaseOut[] }) =>
  data.phases.map((phase) => `${phase.plan_code} ${phase.mode} ${phase.starts_on} ${phase.ends_on ?? '…'}`)

/** Invoices of one deployment, of monthly base prices, add-ons and discounts alone; none is issued. */
const quoteWithoutUsage: PreviewInvoices = async (reader, { deployment_id, touched }) => {
  const months = []
  for (const period of monthsOf(touched)) {
    const subscriptions = await readSubscriptions(reader, { period, deployment_id })
    const ids = subscriptions.flatMap(({ phases }) => phases.map((phase) => phase.plan_version_id))
    const plans = await readPlanTerms(reader, ids)
    const invoice = quote({
      currency: 'AUD',
      period,
      tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
      subscriptions: subscriptions.map((subscription) => ({
        deployment_id,
        subscription_id: subscription.subscription_id,
        discounts: discountsIn(subscription, period),
        addons: subscription.addons.flatMap(({ start, end, ...terms }) => {
          const active = overlap(period, { start, end })
          return active === undefined ? [] : [{ ...terms, active }]
        }),
        segments: segments({
          period,
          phases: subscription.phases,
        }).map(({ active, mode, plan_version_id, override_id }) => ({
          active,
          mode,
          plan: overridden(
            present(plans.get(plan_version_id), 'the plan is there'),
            subscription.overrides.get(override_id ?? '') ?? null,
          ),
          usage: {},
          year: null,
        })),
      })),
      llm: [],
      adjustments: [],
    })
    months.push({ period, quote: invoice, invoice })
  }
  return { months, billed_by_hand: null }
}
