import { sql } from 'kysely'
import { decimal, plain } from '../../kernel/decimal.ts'
import { type Period, dateIn, instantsOf, monthOf } from '../../kernel/period.ts'
import { anyOf, type Reader, toJson } from '../../platform/db.ts'
import { isUuid } from '../../platform/intake.ts'
import { changeRows, type ChangeWindow, isNews, type UsageWindow } from '../metering/index.ts'
import { type LlmEvent, ownerKey, type References, requestKey, type StoredEvent } from './event.ts'

/**
 * `charge` is the exact sum of the charges that are known, in the tenant's currency: one in another currency would not
 * be added, but counted among the held. `event_count` counts the held events too, and none by the tenant's own keys.
 */
export type LlmCharges = { charge: string; event_count: number; held_count: number }

/** What was charged in each window, by the window's key; a window without events is absent. */
export async function readLlmCharges(
  reader: Reader,
  windows: readonly UsageWindow[],
): Promise<Map<string, LlmCharges>> {
  const { rows } = await sql<LlmCharges & { key: string }>`
    select w.key, coalesce(sum(e.charge) filter (where e.currency = t.currency), 0)::text as charge,
      count(*)::int as event_count,
      (count(*) filter (where e.charge is null or e.currency <> t.currency))::int as held_count
    from jsonb_to_recordset(${toJson(windows)}::jsonb)
      as w(key text, tenant_id text, deployment_id uuid, "start" timestamptz, "end" timestamptz)
    join llm_usage.event e on e.tenant_id = w.tenant_id and e.deployment_id = w.deployment_id
      and e.occurred_at >= w."start" and e.occurred_at < w."end" and not e.byok
    join tenants.tenant t on t.id = w.tenant_id
    group by w.key`.execute(reader)
  return new Map(rows.map(({ key, charge, ...counts }) => [key, { charge: plain(decimal(charge)), ...counts }]))
}

/** How many events are held in each window that holds any. */
export async function readHeldCounts(reader: Reader, windows: readonly UsageWindow[]) {
  const { rows } = await sql<{ tenant_id: string; deployment_id: string; count: number }>`
    select w.tenant_id, w.deployment_id, count(*)::int as count
    from jsonb_to_recordset(${toJson(windows)}::jsonb)
      as w(tenant_id text, deployment_id uuid, "start" timestamptz, "end" timestamptz)
    join llm_usage.event e on e.tenant_id = w.tenant_id and e.deployment_id = w.deployment_id
      and e.occurred_at >= w."start" and e.occurred_at < w."end" and ${HELD}
    group by w.tenant_id, w.deployment_id
    order by w.tenant_id, w.deployment_id`.execute(reader)
  return rows
}

/** The keys of windows in which events were received, or released, that their reader has not seen. */
export async function changedLlmWindows(reader: Reader, candidates: readonly ChangeWindow[]): Promise<Set<string>> {
  const { rows } = await sql<{ key: string }>`
    select w.key
    from ${changeRows(candidates)}
    where exists (
      select from llm_usage.event e
      where e.tenant_id = w.tenant_id and e.occurred_at >= w."start" and e.occurred_at < w."end"
        and ${isNews({ changed_in: 'e.changed_in', stamped_at: 'e.received_at', seen: 'w.seen', since: 'w.since' })}
    )`.execute(reader)
  return new Set(rows.map(({ key }) => key))
}

const HELD = sql<boolean>`e.charge is null and not e.byok`

/** Null means all of them; the period null is each tenant's running month. */
export type EventFilter = {
  tenant_id: string | null
  deployment_id: string | null
  period: Period | null
  held: boolean | null
}

/** Events, the latest first; `after` is the key of the last one of the page before. */
export async function listEvents(
  reader: Reader,
  filter: EventFilter,
  {
    now,
    limit,
    after,
  }: { now: Temporal.Instant; limit: number; after: readonly [occurred_at: string, id: string] | undefined },
) {
  const matching = await eventsOf(reader, filter, now)
  return matching
    .select([
      'e.id',
      'e.gateway_id',
      'e.gateway_request_id',
      'e.tenant_id',
      'e.deployment_id',
      'e.occurred_at',
      'e.provider',
      'e.model',
      'e.usage',
      'e.charge',
      'e.currency',
      'e.upstream_cost',
      'e.price_version',
      'e.byok',
      'e.adjusts',
      'e.tags',
      'e.received_at',
    ])
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(e.occurred_at, e.id) < (${after?.[0]}::timestamptz, ${after?.[1]}::uuid)`),
    )
    .orderBy('e.occurred_at', 'desc')
    .orderBy('e.id', 'desc')
    .limit(limit)
    .execute()
}

/** Sums per model over everything that the filter lets through. */
export async function sumByModel(reader: Reader, filter: EventFilter, now: Temporal.Instant) {
  const matching = await eventsOf(reader, filter, now)
  const rows = await matching
    .select((sums) => [
      'e.provider',
      'e.model',
      'e.currency',
      sql<number>`count(*)::int`.as('event_count'),
      sums.fn.coalesce(sums.fn.sum<string>('e.charge').filterWhere('e.byok', '=', false), sql.lit('0')).as('charge'),
      sql<number>`(count(*) filter (where ${HELD}))::int`.as('held_count'),
      sql<number>`(count(*) filter (where e.byok))::int`.as('byok_count'),
    ])
    .groupBy(['e.provider', 'e.model', 'e.currency'])
    .orderBy('e.provider')
    .orderBy('e.model')
    .orderBy('e.currency')
    .execute()
  return rows.map((row) => ({ ...row, charge: plain(decimal(row.charge)) }))
}

/**
 * The owners and adjusted requests that the events name, as far as they exist. `tenant_id` null: of any tenant. The
 * tenants stay locked until the transaction ends, so that none changes its currency while a charge in it comes in.
 */
export async function lockReferences(
  reader: Reader,
  events: readonly LlmEvent[],
  { tenant_id, sees_all }: { tenant_id: string | null; sees_all: boolean },
): Promise<References> {
  const owners = new Map(
    events.map((event) => [ownerKey(event), { tenant_id: event.tenant_id, id: event.deployment_id }]),
  )
  const deployments = await sql<{ tenant_id: string; deployment_id: string; currency: string; llm_mode: string }>`
    select t.id as tenant_id, d.id as deployment_id, t.currency, d.llm_mode
    from jsonb_to_recordset(${toJson([...owners.values()].filter(({ id }) => isUuid(id)))}::jsonb) as o(tenant_id text, id uuid)
    join deployments.deployment d on d.tenant_id = o.tenant_id and d.id = o.id
    join tenants.tenant t on t.id = d.tenant_id
    where ${tenant_id}::text is null or t.id = ${tenant_id}
    for share of t`.execute(reader)
  const currency_of = new Map(deployments.rows.map((row) => [ownerKey(row), row.currency]))
  const strangers = [...owners].flatMap(([key, { id }]) => (currency_of.has(key) || !isUuid(id) ? [] : [id]))
  const adjusted = events.flatMap(({ gateway_id, adjusts }) =>
    adjusts === null ? [] : [{ gateway_id, gateway_request_id: adjusts }],
  )
  const requests = adjusted.length === 0 ? [] : await readOwners(reader, adjusted)
  return {
    currency_of,
    byok: new Set(deployments.rows.filter(({ llm_mode }) => llm_mode === 'byok').map(ownerKey)),
    tenant_of: sees_all && strangers.length > 0 ? await readTenants(reader, strangers) : new Map(),
    owner_of: new Map(requests.map((row) => [requestKey(row), ownerKey(row)])),
  }
}

/** The tenants of deployments, by deployment. */
async function readTenants(reader: Reader, deployment_ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await reader
    .selectFrom('deployments.deployment')
    .select(['id', 'tenant_id'])
    .where('id', '=', anyOf(deployment_ids))
    .execute()
  return new Map(rows.map(({ id, tenant_id }) => [id, tenant_id]))
}

/** What is stored under the same keys, locked until the transaction ends. */
export async function lockStored(
  reader: Reader,
  keys: readonly Pick<LlmEvent, 'gateway_id' | 'gateway_request_id'>[],
): Promise<StoredEvent[]> {
  if (keys.length === 0) return []
  const { rows } = await sql<StoredEvent>`
    select e.gateway_id, e.gateway_request_id, e.id, e.byok, e.content_hash, e.charge, e.upstream_cost, e.price_version
    from llm_usage.event e
    where (e.gateway_id, e.gateway_request_id) in (select gateway_id, gateway_request_id from ${keyRows(keys)})
    order by e.gateway_id, e.gateway_request_id
    for update`.execute(reader)
  return rows
}

async function readOwners(reader: Reader, keys: readonly Pick<LlmEvent, 'gateway_id' | 'gateway_request_id'>[]) {
  const { rows } = await sql<Pick<LlmEvent, 'gateway_id' | 'gateway_request_id' | 'tenant_id' | 'deployment_id'>>`
    select e.gateway_id, e.gateway_request_id, e.tenant_id, e.deployment_id
    from llm_usage.event e
    where (e.gateway_id, e.gateway_request_id) in (select gateway_id, gateway_request_id from ${keyRows(keys)})`.execute(
    reader,
  )
  return rows
}

const keyRows = (keys: readonly Pick<LlmEvent, 'gateway_id' | 'gateway_request_id'>[]) => sql`
  jsonb_to_recordset(${toJson(keys.map(({ gateway_id, gateway_request_id }) => ({ gateway_id, gateway_request_id })))}::jsonb)
    as k(gateway_id text, gateway_request_id text)`

/** The period is a month of each tenant's own zone, so every zone in use has its window. */
async function eventsOf(
  reader: Reader,
  { tenant_id, deployment_id, period, held }: EventFilter,
  now: Temporal.Instant,
) {
  const zones = await reader.selectFrom('tenants.tenant').select('timezone').distinct().execute()
  const windows = zones.map(({ timezone }) => ({
    timezone,
    ...instantsOf(period ?? monthOf(dateIn(now, timezone)), timezone),
  }))
  const rows = sql<{ timezone: string; start: Temporal.Instant; end: Temporal.Instant }>`
    jsonb_to_recordset(${toJson(windows)}::jsonb)`
  return reader
    .selectFrom('llm_usage.event as e')
    .innerJoin('tenants.tenant as t', 't.id', 'e.tenant_id')
    .innerJoin(rows.as<'w'>(sql`w(timezone text, "start" timestamptz, "end" timestamptz)`), (join) =>
      join.on(sql<boolean>`w.timezone = t.timezone and e.occurred_at >= w."start" and e.occurred_at < w."end"`),
    )
    .$if(tenant_id !== null, (query) => query.where('e.tenant_id', '=', tenant_id))
    .$if(deployment_id !== null, (query) => query.where('e.deployment_id', '=', deployment_id))
    .$if(held !== null, (query) => query.where(held ? HELD : sql<boolean>`not (${HELD})`))
}
