import { dateIn, isBefore } from '../../kernel/period.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { findPublishedVersion, readAddons } from '../catalog/index.ts'
import { insertAddons, type Made, requireCurrencyOf, type WantedAddon } from './commands.ts'
import { openingPhases } from './phase.ts'
import type { Touched } from './preview.ts'
import { alreadySubscribed, deploymentClosed, overlapping } from './problems.ts'

type Tx = ContextTx<'subscriptions'>

export type Order = {
  deployment_id: string
  plan_code: string
  plan_version?: number
  addons: readonly WantedAddon[]
  start_date?: Temporal.PlainDate | undefined
  trial_days?: number
}

/**
 * Sells a plan to a deployment, from `start_date` (default: today in the tenant's zone; it may be in the past) on.
 * Throws 404, `subscriptions/deployment-closed`,
 * `subscriptions/already-subscribed`, `subscriptions/overlap`, `subscriptions/currency-mismatch`, and what
 * `findPublishedVersion` and `readAddons` throw.
 */
export async function subscribe(tx: Tx, order: Order, { now, ids }: Made): Promise<Touched> {
  const { deployment_id, plan_code: code, plan_version, trial_days } = order
  const deployment = await lockDeployment(tx, deployment_id)
  const { tenant_id, state: deployment_state } = deployment
  const starts_on = order.start_date ?? dateIn(now, deployment.timezone)
  await requireFreeDays(tx, { deployment_id, starts_on })
  const version = await findPublishedVersion(tx, { code, version: plan_version })
  const sold = await readAddons(
    tx,
    order.addons.map((addon) => addon.code),
    { keep: true },
  )
  requireCurrencyOf(deployment, { version, addons: sold })

  const trial_ends_on = trial_days === undefined ? null : starts_on.add({ days: trial_days })
  const subscription = { tenant_id, id: ids.uuid(), deployment_id, starts_on, ends_on: null, trial_ends_on }
  await tx
    .insertInto('subscriptions.subscription')
    .values({ ...subscription, created_at: now, changed_at: now })
    .execute()
  const phases = openingPhases({ starts_on, plan_version_id: version.id, deployment_state, trial_ends_on })
  await insertRows(
    tx,
    'subscriptions.phase',
    phases.map((phase) => ({ tenant_id, id: ids.uuid(), subscription_id: subscription.id, ...phase })),
  )
  await insertAddons(tx, subscription, { wanted: order.addons, sold, ids })
  return { id: subscription.id, tenant_id, deployment_id, timezone: deployment.timezone, from: starts_on }
}

/** Orders of one deployment come in one after the other, and its tenant's currency stays until the order is in. */
async function lockDeployment(tx: Tx, id: string) {
  const row = await tx
    .selectFrom('deployments.deployment as d')
    .innerJoin('tenants.tenant as t', 't.id', 'd.tenant_id')
    .select(['d.tenant_id', 'd.state', 't.currency', 't.timezone'])
    .where('d.id', '=', id)
    .forNoKeyUpdate(['d'])
    .forShare(['t'])
    .executeTakeFirst()
  const deployment = found(row, 'deployment')
  if (deployment.state === 'cancelled' || deployment.state === 'archived') {
    throw deploymentClosed('Add a new deployment and subscribe that one.', [
      { path: 'deployment_id', message: `the deployment is ${deployment.state}` },
    ])
  }
  return deployment
}

async function requireFreeDays(
  tx: Tx,
  { deployment_id, starts_on }: { deployment_id: string; starts_on: Temporal.PlainDate },
): Promise<void> {
  const others = await tx
    .selectFrom('subscriptions.subscription')
    .select(['id', 'starts_on', 'ends_on'])
    .where('deployment_id', '=', deployment_id)
    .execute()
  const live = others.find((other) => other.ends_on === null)
  if (live) {
    throw alreadySubscribed(`Change or cancel subscription ${live.id} instead.`, [
      { path: 'deployment_id', message: `has subscription ${live.id}, which has no end` },
    ])
  }
  // One that was cancelled on its first day covers none.
  const covering = others.filter((other) => other.ends_on !== null && isBefore(other.starts_on, other.ends_on))
  const last = covering.find(({ ends_on }) => ends_on !== null && isBefore(starts_on, ends_on))
  if (last) {
    throw overlapping(`Subscription ${last.id} ends on ${last.ends_on}. Start on that day or later.`, [
      { path: 'start_date', message: `must not be before ${last.ends_on}` },
    ])
  }
}
