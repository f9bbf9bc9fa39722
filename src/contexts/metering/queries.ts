import { sql } from 'kysely'
import { type Reader, rowset, toJson } from '../../platform/db.ts'
import { isUuid } from '../../platform/intake.ts'
import { readCodes } from '../catalog/index.ts'
import { DERIVED_METERS, type Meter, type References, type UsageEvent, type UsageEventRow } from './event.ts'

/**
 * A stretch of time of one tenant, half-open, of which some facts were read: when `seen` was the snapshot of the
 * database, and not before `since`.
 */
export type ChangeWindow = {
  readonly key: string
  readonly tenant_id: string
  readonly start: Temporal.Instant
  readonly end: Temporal.Instant
  readonly since: Temporal.Instant
  /** Null: not known, the times alone must do. */
  readonly seen: string | null
}

/** Windows to look for changes in, as `w`. */
export function changeRows(windows: readonly ChangeWindow[]) {
  return sql`jsonb_to_recordset(${toJson(windows)}::jsonb)
    as w(key text, tenant_id text, "start" timestamptz, "end" timestamptz, since timestamptz, seen pg_snapshot)`
}

/**
 * Whether a row was committed after the snapshot `seen`, whenever it was stamped. The stamp counts besides, because a dump
 * that is restored elsewhere numbers its transactions anew.
 */
export function isNews({
  changed_in,
  stamped_at,
  seen,
  since,
}: Record<'changed_in' | 'stamped_at' | 'seen' | 'since', string>) {
  const column = sql.ref(changed_in)
  return sql<boolean>`(
    (${column} >= pg_snapshot_xmin(${sql.ref(seen)}) and not pg_visible_in_snapshot(${column}, ${sql.ref(seen)}))
    or ${sql.ref(stamped_at)} >= ${sql.ref(since)}
  )`
}

/**
 * The keys of windows that hold events, or resource spans changed or lost to another owner, that their reader has not
 * seen; and those that come after a change of a level, as every later level is another. The quantities of a window named
 * here may still be the same.
 */
export async function changedWindows(reader: Reader, candidates: readonly ChangeWindow[]): Promise<Set<string>> {
  const { rows } = await sql<{ key: string }>`
    select w.key
    from ${changeRows(candidates)}
    where exists (
      select from metering.usage_event e
      where e.tenant_id = w.tenant_id and ${news('e', 'received_at')}
        and e.occurred_at >= w."start" and e.occurred_at < w."end"
    ) or exists (
      select from metering.usage_event e join catalog.meter m on m.code = e.meter
      where e.tenant_id = w.tenant_id and ${news('e', 'received_at')} and e.occurred_at < w."start"
        and m.aggregation = 'time_weighted_sum'
    ) or exists (
      select from inventory.span s
      where s.tenant_id = w.tenant_id and ${news('s', 'changed_at')}
        and s.starts_at < w."end" and coalesce(s.ends_at > w."start", true)
    ) or exists (
      select from inventory.ownership_change c
      where c.tenant_id = w.tenant_id and ${news('c', 'changed_at')}
        and c.starts_at < w."end" and coalesce(c.ends_at > w."start", true)
    )`.execute(reader)
  return new Set(rows.map(({ key }) => key))
}

/** Whether the row `alias`, which is stamped in the column `stamp`, is news to the window `w`. */
function news(alias: string, stamp: string) {
  return isNews({
    changed_in: `${alias}.changed_in`,
    stamped_at: `${alias}.${stamp}`,
    seen: 'w.seen',
    since: 'w.since',
  })
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
  const isUnknown = meters.length < codes.length
  return {
    only_tenant_id: tenant_id,
    tenant_of: new Map(deployments.map((row) => [row.id, row.tenant_id])),
    meters: new Map(meters.map((meter) => [meter.code, meter])),
    meter_codes: isUnknown ? await readCodes(reader, 'meter') : [],
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
