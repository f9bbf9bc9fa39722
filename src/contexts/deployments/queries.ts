import { sql } from 'kysely'
import { dateIn } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { CursorText, found, type Page, pageOf, readCursor } from '../../platform/wire.ts'
import type { Deployment, DeploymentEvent, DeploymentStatus } from './deployment.ts'

/** What a deployment runs on today, or will first when its subscription starts later. */
export type CurrentSubscription = {
  id: string
  starts_on: Temporal.PlainDate
  ends_on: Temporal.PlainDate | null
  plan_code: string
  plan_version: number
  mode: 'normal' | 'trial' | 'paused'
  addons: {
    id: string
    code: string
    name: string
    price_cents: bigint
    currency: string
    quantity: string
    unit: string | null
  }[]
}

const EVENTS_SHOWN_MAX = 200

export type DeploymentFilter = { scope: string | null; tenant_id?: string; status?: DeploymentStatus }

/** Deployments by tenant and slug; `scope` is the only tenant the caller may see, null means all. */
export async function listDeployments(
  reader: Reader,
  { scope, tenant_id, status, limit, cursor }: Page & DeploymentFilter,
): Promise<{ data: Deployment[]; next_cursor: string | null }> {
  const after = readCursor(cursor, [CursorText, CursorText])
  const rows = await reader
    .selectFrom('deployments.deployment')
    .selectAll()
    .$if(scope !== null, (query) => query.where('tenant_id', '=', scope))
    .$if(tenant_id !== undefined, (query) => query.where('tenant_id', '=', tenant_id ?? ''))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? 'active'))
    .$if(after !== undefined, (query) => query.where(sql<boolean>`(tenant_id, slug) > (${after?.[0]}, ${after?.[1]})`))
    .orderBy('tenant_id')
    .orderBy('slug')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => [row.tenant_id, row.slug])
}

/** A deployment with what it runs on now and its latest events, the newest first. */
export async function readDeployment(
  reader: Reader,
  id: string,
  { scope, now }: { scope: string | null; now: Temporal.Instant },
): Promise<Deployment & { subscription: CurrentSubscription | null; events: DeploymentEvent[] }> {
  const row = await reader
    .selectFrom('deployments.deployment as d')
    .innerJoin('tenants.tenant as t', 't.id', 'd.tenant_id')
    .selectAll('d')
    .select('t.timezone')
    .where('d.id', '=', id)
    .$if(scope !== null, (query) => query.where('d.tenant_id', '=', scope))
    .executeTakeFirst()
  const { timezone, ...deployment } = found(row, 'deployment')
  return {
    ...deployment,
    subscription: await readCurrentSubscription(reader, deployment, dateIn(now, timezone)),
    events: await reader
      .selectFrom('deployments.event')
      .selectAll()
      .where('tenant_id', '=', deployment.tenant_id)
      .where('deployment_id', '=', id)
      .orderBy('occurred_at', 'desc')
      .orderBy('id')
      .limit(EVENTS_SHOWN_MAX)
      .execute(),
  }
}

async function readCurrentSubscription(
  reader: Reader,
  { tenant_id, id }: Deployment,
  today: Temporal.PlainDate,
): Promise<CurrentSubscription | null> {
  const current = await reader
    .selectFrom('subscriptions.subscription as s')
    .innerJoin('subscriptions.phase as p', (join) =>
      join.onRef('p.tenant_id', '=', 's.tenant_id').onRef('p.subscription_id', '=', 's.id'),
    )
    .innerJoin('catalog.plan_version as v', 'v.id', 'p.plan_version_id')
    .select(['s.id', 's.starts_on', 's.ends_on', 'p.mode', 'v.plan_code', 'v.version as plan_version'])
    .where('s.tenant_id', '=', tenant_id)
    .where('s.deployment_id', '=', id)
    .where((row) => row.or([row('p.ends_on', 'is', null), row('p.ends_on', '>', today)]))
    .orderBy('p.starts_on')
    .limit(1)
    .executeTakeFirst()
  if (current === undefined) return null
  const addons = await reader
    .selectFrom('subscriptions.addon')
    .select(['id', 'code', 'name', 'price_cents', 'currency', 'quantity', 'unit'])
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', current.id)
    .where((row) => row.or([row('ends_on', 'is', null), row('ends_on', '>', today)]))
    .orderBy('starts_on')
    .orderBy('code')
    .orderBy('id')
    .execute()
  return { ...current, addons }
}
