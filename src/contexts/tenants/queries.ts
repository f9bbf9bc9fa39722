import { sql } from 'kysely'
import { CursorText, found, type Page, pageOf, readCursor } from '../../platform/wire.ts'
import type { Reader } from '../../platform/db.ts'
import type { Tenant } from './tenant.ts'

/** So many are named; that there is one is what counts. */
const USES_SHOWN_MAX = 10

/** Tenants by id; `scope` is the only one the caller may see, null means all. */
export async function listTenants(
  reader: Reader,
  { scope, limit, cursor }: Page & { scope: string | null },
): Promise<{ data: Tenant[]; next_cursor: string | null }> {
  const [after] = readCursor(cursor, [CursorText]) ?? []
  const rows = await reader
    .selectFrom('tenants.tenant')
    .selectAll()
    .$if(scope !== null, (query) => query.where('id', '=', scope))
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => [row.id])
}

export async function readTenant(reader: Reader, id: string, { scope }: { scope: string | null }): Promise<Tenant> {
  const row = await reader
    .selectFrom('tenants.tenant')
    .selectAll()
    .where('id', '=', id)
    .$if(scope !== null, (query) => query.where('id', '=', scope))
    .executeTakeFirst()
  return found(row, `tenant: ${id}`)
}

/** The stored id that equals `id` but for case, if there is one. */
export async function findIdWithoutCase(reader: Reader, id: string): Promise<string | undefined> {
  const row = await reader
    .selectFrom('tenants.tenant')
    .select('id')
    .where(sql<string>`lower(id)`, '=', id.toLowerCase())
    .executeTakeFirst()
  return row?.id
}

/** Whether anything is sold, charged or billed in the tenant's currency. */
export async function isCurrencyInUse(reader: Reader, tenant_id: string): Promise<boolean> {
  const { rows } = await sql<{ used: boolean }>`
    select exists (select from subscriptions.subscription where tenant_id = ${tenant_id})
      or exists (select from llm_usage.event where tenant_id = ${tenant_id})
      or exists (select from invoicing.invoice where tenant_id = ${tenant_id}) as used`.execute(reader)
  return rows[0]?.used === true
}

/** What the tenant has or has had, in words. */
export async function usesOfTenant(reader: Reader, tenant_id: string): Promise<string[]> {
  const { rows } = await sql<{ use: string }>`
    select named.use
    from (
      select 1, format('deployment %s', slug) from deployments.deployment where tenant_id = ${tenant_id}
      union all
      select 2, format('invoice %s', coalesce(number, id::text)) from invoicing.invoice where tenant_id = ${tenant_id}
      union all
      select 3, format('a rollup of %s that is parked', period_start) from invoicing.parked where tenant_id = ${tenant_id}
    ) as named(rank, use)
    order by named.rank, named.use limit ${sql.lit(USES_SHOWN_MAX)}`.execute(reader)
  return rows.map(({ use }) => use)
}

/** Whether there are months that began and ended in the tenant's zone on an invoice. */
export async function isTimeZoneInUse(reader: Reader, tenant_id: string): Promise<boolean> {
  const invoice = await reader
    .selectFrom('invoicing.invoice')
    .select('id')
    .where('tenant_id', '=', tenant_id)
    .limit(1)
    .executeTakeFirst()
  return invoice !== undefined
}
