import { sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'
import type { FindByName } from '../../platform/naming.ts'
import { CursorText, found, Id, type Page, pageOf, readCursor } from '../../platform/wire.ts'
import type { Deployment, DeploymentEvent, DeploymentState } from './deployment.ts'

const EVENTS_SHOWN_MAX = 200

/** A deployment with its latest events, the newest first. */
type DeploymentWhole = Deployment & { events: DeploymentEvent[] }

export type DeploymentFilter = { scope: string | null; tenant_id?: string; slug?: string; state?: DeploymentState }

/** `tenant~slug`, as a deployment may be named wherever its id is taken. One whose slug is free again has its id only. */
export const findDeploymentByName: FindByName = async (reader, words, scope) => {
  const [tenant_id = '', slug = ''] = words.split('~')
  if (scope !== null && scope !== tenant_id) return undefined
  const row = await reader
    .selectFrom('deployments.deployment')
    .select('id')
    .where('tenant_id', '=', tenant_id)
    .where('slug', '=', slug)
    .where('slug_released_at', 'is', null)
    .executeTakeFirst()
  return row?.id
}

/** Deployments by tenant and slug; `scope` is the only tenant the caller may see, null means all. */
export async function listDeployments(
  reader: Reader,
  { scope, tenant_id, slug, state, limit, cursor }: Page & DeploymentFilter,
): Promise<{ data: Deployment[]; next_cursor: string | null }> {
  const after = readCursor(cursor, [CursorText, CursorText, Id])
  const rows = await reader
    .selectFrom('deployments.deployment')
    .selectAll()
    .$if(scope !== null, (query) => query.where('tenant_id', '=', scope))
    .$if(tenant_id !== undefined, (query) => query.where('tenant_id', '=', tenant_id ?? ''))
    .$if(slug !== undefined, (query) => query.where('slug', '=', slug ?? ''))
    .$if(state !== undefined, (query) => query.where('state', '=', state ?? 'active'))
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(tenant_id, slug, id) > (${after?.[0]}, ${after?.[1]}, ${after?.[2]}::uuid)`),
    )
    .orderBy('tenant_id')
    .orderBy('slug')
    .orderBy('id')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => [row.tenant_id, row.slug, row.id])
}

/** Whether anything of it is on an invoice that is not void, or will be on one. */
export async function isBillable(
  reader: Reader,
  { tenant_id, id }: Pick<Deployment, 'tenant_id' | 'id'>,
): Promise<boolean> {
  const own = sql`tenant_id = ${tenant_id} and deployment_id = ${id}`
  const { rows } = await sql<{ billable: boolean }>`
    select exists (
        select from (select tenant_id, invoice_id from invoicing.invoice_line where ${own}) l
        join invoicing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id and i.status <> 'void'
      )
      or exists (select from subscriptions.subscription where ${own} and (ends_on is null or ends_on > starts_on))
      or exists (select from metering.usage_event where ${own})
      or exists (select from llm_usage.event where ${own} and not byok) as billable`.execute(reader)
  return rows[0]?.billable === true
}

/** `scope` is the only tenant whose deployment is found; null means any. Throws 404. */
export async function readDeployment(
  reader: Reader,
  id: string,
  { scope }: { scope: string | null },
): Promise<DeploymentWhole> {
  const row = await reader
    .selectFrom('deployments.deployment')
    .selectAll()
    .where('id', '=', id)
    .$if(scope !== null, (query) => query.where('tenant_id', '=', scope))
    .executeTakeFirst()
  const deployment = found(row, 'deployment')
  const events = await reader
    .selectFrom('deployments.event')
    .selectAll()
    .where('tenant_id', '=', deployment.tenant_id)
    .where('deployment_id', '=', id)
    .orderBy('occurred_at', 'desc')
    .orderBy('id')
    .limit(EVENTS_SHOWN_MAX)
    .execute()
  return { ...deployment, events }
}
