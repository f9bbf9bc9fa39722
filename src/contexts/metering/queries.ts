import { sql } from 'kysely'
import { decimal, plain } from '../../kernel/decimal.ts'
import { type Reader, rowset, toJson } from '../../platform/db.ts'
import { isUuid } from '../../platform/intake.ts'
import { DERIVED_METERS, type Meter, type References, type UsageEvent, type UsageEventRow } from './event.ts'

/** A stretch of time of one deployment, half-open. `key` is the caller's own name for it. */
export type UsageWindow = {
  readonly key: string
  readonly tenant_id: string
  readonly deployment_id: string
  readonly start: Temporal.Instant
  readonly end: Temporal.Instant
}

/** A stretch of time of one tenant, half-open, whose facts may have changed since `since`. */
export type ChangeWindow = {
  readonly key: string
  readonly tenant_id: string
  readonly start: Temporal.Instant
  readonly end: Temporal.Instant
  readonly since: Temporal.Instant
}

const SECONDS_PER_HOUR = decimal('3600')

/**
 * Quantities by meter for each window, by the window's key: canonical decimal strings; a meter without anything is
 * absent. A resource that is alive counts up to the window's end, so a window that is still running must end now.
 */
export async function readUsage(
  reader: Reader,
  windows: readonly UsageWindow[],
): Promise<Map<string, Record<string, string>>> {
  const usage = new Map<string, Record<string, string>>(windows.map(({ key }) => [key, {}]))
  if (windows.length === 0) return usage
  const add = (key: string, meter: string, quantity: string): void => {
    const quantities = usage.get(key)
    if (quantities) quantities[meter] = quantity
  }
  for (const row of await readSeconds(reader, windows)) {
    add(row.key, row.meter, plain(decimal(row.weighted_seconds).div(SECONDS_PER_HOUR)))
  }
  for (const row of await readAggregates(reader, windows)) add(row.key, row.meter, plain(decimal(row.quantity)))
  return usage
}

/**
 * The keys of windows that hold events received, or resource spans changed or lost to another owner, at or after
 * `since`. The quantities of a window named here may still be the same.
 */
export async function changedWindows(reader: Reader, candidates: readonly ChangeWindow[]): Promise<Set<string>> {
  const { rows } = await sql<{ key: string }>`
    select w.key
    from jsonb_to_recordset(${toJson(candidates)}::jsonb)
      as w(key text, tenant_id text, "start" timestamptz, "end" timestamptz, since timestamptz)
    where exists (
      select from metering.usage_event e
      where e.tenant_id = w.tenant_id and e.received_at >= w.since and e.occurred_at >= w."start" and e.occurred_at < w."end"
    ) or exists (
      select from inventory.span s
      where s.tenant_id = w.tenant_id and s.changed_at >= w.since
        and s.starts_at < w."end" and coalesce(s.ends_at > w."start", true)
    ) or exists (
      select from inventory.ownership_change c
      where c.tenant_id = w.tenant_id and c.changed_at >= w.since
        and c.starts_at < w."end" and coalesce(c.ends_at > w."start", true)
    )`.execute(reader)
  return new Set(rows.map(({ key }) => key))
}

/** A deployment with its tenant's zone. `tenant_id` null looks at every tenant's. */
export function findDeployment(reader: Reader, id: string, tenant_id: string | null) {
  return reader
    .selectFrom('deployments.deployment as d')
    .innerJoin('tenants.tenant as t', 't.id', 'd.tenant_id')
    .select(['d.id', 'd.tenant_id', 't.timezone'])
    .where('d.id', '=', id)
    .$if(tenant_id !== null, (query) => query.where('d.tenant_id', '=', tenant_id))
    .executeTakeFirst()
}

/** Units by meter code. */
export async function readUnits(reader: Reader, meters: readonly string[]): Promise<Map<string, string>> {
  const derived = Object.entries(DERIVED_METERS).map(([meter, { unit }]) => [meter, unit] as const)
  if (meters.length === 0) return new Map(derived)
  const rows = await reader.selectFrom('catalog.meter').select(['code', 'unit']).where('code', 'in', meters).execute()
  return new Map([...derived, ...rows.map(({ code, unit }) => [code, unit] as const)])
}

/** What the events refer to, as far as it exists and belongs to the tenant (null: to any). */
export async function readReferences(
  reader: Reader,
  events: readonly UsageEvent[],
  tenant_id: string | null,
): Promise<References> {
  const ids = [...new Set(events.map((event) => event.deployment_id))]
  const codes = [...new Set(events.map((event) => event.meter))]
  // What is not a UUID is the id of no deployment.
  const { rows: deployments } = await sql<{ id: string; tenant_id: string }>`
    select d.id, d.tenant_id
    from jsonb_array_elements_text(${toJson(ids.filter(isUuid))}::jsonb) as sent(id)
    join deployments.deployment d on d.id = sent.id::uuid
    where ${tenant_id}::text is null or d.tenant_id = ${tenant_id}`.execute(reader)
  const { rows: meters } = await sql<Meter>`
    select m.code, m.aggregation, m.unique_property
    from catalog.meter m
    join jsonb_array_elements_text(${toJson(codes)}::jsonb) as sent(code) on sent.code = m.code`.execute(reader)
  return {
    tenant_of: new Map(deployments.map((row) => [row.id, row.tenant_id])),
    meters: new Map(meters.map((meter) => [meter.code, meter])),
  }
}

/** What is stored under the same keys. */
export async function readStored(
  reader: Reader,
  rows: readonly UsageEventRow[],
): Promise<Pick<UsageEventRow, 'tenant_id' | 'source' | 'event_id' | 'content_hash'>[]> {
  if (rows.length === 0) return []
  const keys = rows.map(({ tenant_id, source, event_id }) => ({ tenant_id, source, event_id }))
  const stored = await sql<Pick<UsageEventRow, 'tenant_id' | 'source' | 'event_id' | 'content_hash'>>`
    select e.tenant_id, e.source, e.event_id, e.content_hash
    from (select distinct tenant_id, source, event_id from ${rowset('metering.usage_event', keys)}) k
    join metering.usage_event e using (tenant_id, source, event_id)`.execute(reader)
  return stored.rows
}

const windowRows = (windows: readonly UsageWindow[]) => sql`
  jsonb_to_recordset(${toJson(windows)}::jsonb)
    as w(key text, tenant_id text, deployment_id uuid, "start" timestamptz, "end" timestamptz)`

/** Seconds alive inside each window, exact to the microsecond; those of a volume times its size in GB. */
async function readSeconds(reader: Reader, windows: readonly UsageWindow[]) {
  const meters = Object.entries(DERIVED_METERS).map(([meter, { resource_kind }]) => ({ meter, resource_kind }))
  const { rows } = await sql<{ key: string; meter: string; weighted_seconds: string }>`
    select w.key, m.meter, sum(
      extract(epoch from least(s.ends_at, w."end") - greatest(s.starts_at, w."start"))
        * case r.kind when 'volume' then s.size_gb else 1 end
    )::text as weighted_seconds
    from ${windowRows(windows)}
    join inventory.span s on s.tenant_id = w.tenant_id and s.deployment_id = w.deployment_id
      and s.starts_at < w."end" and coalesce(s.ends_at > w."start", true)
    join inventory.resource r on r.id = s.resource_id
    join jsonb_to_recordset(${toJson(meters)}::jsonb) as m(meter text, resource_kind text) on m.resource_kind = r.kind
    where w."start" < w."end"
    group by w.key, m.meter`.execute(reader)
  return rows
}

/** Each meter's own aggregate of the events inside each window. */
async function readAggregates(reader: Reader, windows: readonly UsageWindow[]) {
  const { rows } = await sql<{ key: string; meter: string; quantity: string }>`
    select w.key, e.meter, (case m.aggregation
      when 'sum' then sum(e.quantity)
      when 'count' then count(*)
      when 'max' then max(e.quantity)
      when 'last' then (array_agg(e.quantity order by e.occurred_at desc, e.event_id desc, e.source desc)
        filter (where m.aggregation = 'last'))[1]
      when 'unique_count' then count(distinct e.properties ->> m.unique_property)
    end)::text as quantity
    from ${windowRows(windows)}
    join metering.usage_event e on e.tenant_id = w.tenant_id and e.deployment_id = w.deployment_id
      and e.occurred_at >= w."start" and e.occurred_at < w."end"
    join catalog.meter m on m.code = e.meter
    group by w.key, e.meter, m.aggregation`.execute(reader)
  return rows
}
