import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import type { Act } from '../events/index.ts'
import {
  checkTransition,
  type Deployment,
  type DeploymentChanges,
  type DeploymentEvent,
  type DeploymentState,
  newsIn,
} from './deployment.ts'
import { slugTaken, unknownTenant } from './problems.ts'
import { isBillable } from './queries.ts'

type Tx = ContextTx<'deployments'>

export type NewDeployment = Pick<Deployment, 'tenant_id' | 'slug'> &
  Partial<Pick<Deployment, 'display_name' | 'region' | 'template_code' | 'template_version' | 'llm_mode'>> & {
    state?: 'trial' | 'active'
  }

/** Throws `deployments/unknown-tenant` and `deployments/slug-taken`. */
export async function createDeployment(tx: Tx, given: NewDeployment, act: Act): Promise<Deployment> {
  const { tenant_id, slug } = given
  await freeSlug(tx, { tenant_id, slug }, act)
  const deployment = await tx
    .insertInto('deployments.deployment')
    .values({
      display_name: slug,
      region: null,
      template_code: null,
      template_version: null,
      llm_mode: 'metered',
      state: 'active',
      ...given,
      id: act.ids.uuid(),
      billing_action_suspended: false,
      created_at: act.now,
      updated_at: act.now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  await record(tx, deployment, { kind: 'created', to_state: deployment.state }, act)
  return deployment
}

/** Sets what is given and records what is news. */
export async function updateDeployment(
  tx: Tx,
  { id, changes }: { id: string; changes: DeploymentChanges },
  act: Act,
): Promise<Deployment> {
  const deployment = await lockDeployment(tx, id)
  const news = newsIn(deployment, changes)
  if (Object.keys(news).length === 0) return deployment
  await record(tx, deployment, { kind: 'updated', details: news }, act)
  return store(tx, deployment, { ...news, updated_at: act.now })
}

export type Transition = { id: string; to: DeploymentState; reason: string | null }

/** What others follow a transition act. */
export type DeploymentTransition = {
  tenant_id: string
  deployment_id: string
  from: DeploymentState
  to: DeploymentState
  at: Temporal.Instant
}

/**
 * Moves a deployment on, if its lifecycle lets it. The caller passes `change` on to whoever follows, in the same
 * transaction. Throws 404, `deployments/invalid-transition` and `deployments/billing-action-suspended`.
 */
export async function transition(
  tx: Tx,
  { id, to, reason }: Transition,
  act: Act,
): Promise<{ deployment: Deployment; change: DeploymentTransition }> {
  const deployment = await lockDeployment(tx, id)
  const { tenant_id, state: from } = deployment
  checkTransition(deployment, { to, actor: act.actor })
  await record(tx, deployment, { kind: 'transition', from_state: from, to_state: to, reason }, act)
  return {
    deployment: await store(tx, deployment, { state: to, updated_at: act.now }),
    change: { tenant_id, deployment_id: id, from, to, at: act.now },
  }
}

/**
 * The slug is free, or is taken over from an archived deployment that was never billed: from then on it means the new
 * one, on the tags of resources too.
 */
async function freeSlug(tx: Tx, { tenant_id, slug }: Pick<Deployment, 'tenant_id' | 'slug'>, act: Act): Promise<void> {
  const tenant = await tx
    .selectFrom('tenants.tenant as t')
    .leftJoin('deployments.deployment as d', (join) =>
      join.onRef('d.tenant_id', '=', 't.id').on('d.slug', '=', slug).on('d.slug_released_at', 'is', null),
    )
    .select('d.id as held_by')
    .where('t.id', '=', tenant_id)
    .executeTakeFirst()
  if (!tenant) {
    throw unknownTenant('Add the tenant first.', [{ path: 'tenant_id', message: `there is no tenant ${tenant_id}` }])
  }
  if (tenant.held_by !== null) await releaseSlug(tx, tenant.held_by, act)
}

async function releaseSlug(tx: Tx, id: string, act: Act): Promise<void> {
  const holder = await lockDeployment(tx, id)
  const { tenant_id, slug, state } = holder
  if (state !== 'archived') {
    throw slugTaken(`Tenant ${tenant_id} has a deployment ${slug}, which is ${state}. Choose another slug.`, [
      { path: 'slug', message: `is held by deployment ${id}` },
    ])
  }
  if (await isBillable(tx, holder)) {
    throw slugTaken(`Tenant ${tenant_id} was billed for its archived deployment ${slug}. Choose another slug.`, [
      { path: 'slug', message: `is held by deployment ${id}, which was billed or has something to bill` },
    ])
  }
  await record(tx, holder, { kind: 'updated', details: { slug_released_at: act.now } }, act)
  await store(tx, holder, { slug_released_at: act.now, updated_at: act.now })
}

async function lockDeployment(tx: Tx, id: string): Promise<Deployment> {
  const query = tx.selectFrom('deployments.deployment').selectAll().where('id', '=', id).forNoKeyUpdate()
  return found(await query.executeTakeFirst(), 'deployment')
}

async function store(tx: Tx, { tenant_id, id }: Deployment, changes: Partial<Deployment>): Promise<Deployment> {
  return tx
    .updateTable('deployments.deployment')
    .set(changes)
    .where('tenant_id', '=', tenant_id)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

type Happening = Pick<DeploymentEvent, 'kind'> &
  Partial<Pick<DeploymentEvent, 'from_state' | 'to_state' | 'reason'>> & { details?: object }

async function record(
  tx: Tx,
  { tenant_id, id }: Deployment,
  { details = {}, ...what }: Happening,
  act: Act,
): Promise<void> {
  await insertRows(tx, 'deployments.event', [
    { ...what, tenant_id, id: act.ids.uuid(), deployment_id: id, details, actor: act.actor, occurred_at: act.now },
  ])
}
