import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import type { PageAfter } from './wire.ts'

export type CostLineFilter = {
  readonly period?: Period
  readonly kind?: string
  readonly match_status?: string
  readonly deployment_id?: string
  readonly provider_invoice_id?: string
}

export type CostLineRow = Omit<Selectable<DB['costs.cost_line']>, 'external_resource_id' | 'external_resource_uuid'> & {
  shares: { tenant_id: string; deployment_id: string; amount: string; weight: string | null }[]
}

/** In the order of the bills, `limit` + 1 lines strictly after `after` (invoice id, position). */
export async function listCostLines(
  reader: Reader,
  filter: CostLineFilter,
  { limit, after }: PageAfter,
): Promise<CostLineRow[]> {
  const { period, kind, match_status, deployment_id, provider_invoice_id } = filter
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (period) conditions.push(sql`i.period_start >= ${period.start} and i.period_start < ${period.end}`)
  if (kind !== undefined) conditions.push(sql`l.kind = ${kind}`)
  if (match_status !== undefined) conditions.push(sql`l.match_status = ${match_status}`)
  if (provider_invoice_id !== undefined) conditions.push(sql`l.provider_invoice_id = ${provider_invoice_id}`)
  if (deployment_id !== undefined)
    conditions.push(sql`(l.deployment_id = ${deployment_id} or exists (
    select from costs.line_share s where s.cost_line_id = l.id and s.deployment_id = ${deployment_id}))`)
  if (after) conditions.push(sql`(l.provider_invoice_id, l.position) > (${after[0]}::uuid, ${after[1]}::integer)`)
  const { rows } = await sql<CostLineRow>`
    ${SELECT_COST_LINE} where ${sql.join(conditions, sql` and `)}
    order by l.provider_invoice_id, l.position limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findCostLine(reader: Reader, id: string): Promise<CostLineRow | undefined> {
  const { rows } = await sql<CostLineRow>`${SELECT_COST_LINE} where l.id = ${id}`.execute(reader)
  return rows[0]
}

const SELECT_COST_LINE = sql`
  select l.id, l.provider, l.provider_invoice_id, l.position, l.kind, l.product, l.group_description, l.description,
    l.charge_category, l.service_category, l.service_name, trim_scale(l.amount) as amount, l.currency, l.charge_start, l.charge_end,
    trim_scale(l.quantity) as quantity, l.unit, l.project, l.region, l.extra, l.resource_id, l.resource_name, l.tenant_id,
    l.deployment_id, l.match_status, l.match_method, l.match_reason,
    coalesce((
      select json_agg(json_build_object(
        'tenant_id', s.tenant_id, 'deployment_id', s.deployment_id, 'amount', trim_scale(s.amount)::text,
        'weight', trim_scale(s.weight)::text
      ) order by s.tenant_id, s.deployment_id)
      from costs.line_share s where s.cost_line_id = l.id
    ), '[]') as shares
  from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id`

export async function findLineForAssignment(reader: Reader, id: string) {
  return reader
    .selectFrom('costs.cost_line as l')
    .innerJoin('costs.provider_invoice as i', 'i.id', 'l.provider_invoice_id')
    .select(['l.provider', 'l.kind', 'l.resource_name', 'l.match_status', 'i.period_start'])
    .where('l.id', '=', id)
    .executeTakeFirst()
}
