import { sql } from 'kysely'
import { type Decimal, decimal, plain } from '../../kernel/decimal.ts'
import { type Reader, toJson } from '../../platform/db.ts'
import { type Charge, eventBounds, type EventCount, isPerEvent, usageKey } from '../pricing/index.ts'
import { DERIVED_METERS } from './event.ts'

/**
 * A stretch of time of one deployment, half-open. `key` is the caller's own name for it. `charges`, in plan order, say
 * how events are divided by their properties and which of them are rated one by one; without any, all usage of a meter
 * stands under the meter. Windows under the same prices share one array.
 */
export type UsageWindow = {
  readonly key: string
  readonly tenant_id: string
  readonly deployment_id: string
  readonly start: Temporal.Instant
  readonly end: Temporal.Instant
  readonly charges?: readonly Charge[]
}

/**
 * Quantities by usage key, as canonical decimal strings; what has no usage is absent. `events` has the same event by
 * event, smallest first, for the charges with terms per event. Beyond the EXACT_AMOUNTS_MAX smallest amounts, events at
 * the least fee, at the greatest and between are taken together each, as that many that are alike and add up to the same.
 */
export type Usage = {
  usage: Readonly<Record<string, string>>
  events: Readonly<Record<string, readonly EventCount[]>>
}

const SECONDS_PER_HOUR = decimal('3600')
/** Per window and usage key: more than a line lists, and few enough that a batch of tenants fits into memory. */
const EXACT_AMOUNTS_MAX = 100

/**
 * What was used in each window, by the window's key. An event belongs to the first charge on its meter whose filter it
 * meets, or else stands under its meter, which is the usage of the default charge, or free. A window sees what occurred
 * in it, also for the aggregations that do not add up over time (max, last, unique_count); only the level of a
 * time-weighted sum comes from before. A resource that is alive and a level count up to the window's end, so a window
 * that is still running must end now. Three statements, whatever the number of windows.
 */
export async function readUsage(reader: Reader, windows: readonly UsageWindow[]): Promise<Map<string, Usage>> {
  if (windows.length === 0) return new Map()
  const found = new Map(windows.map(({ key }) => [key, new Map<string, Measured>()]))
  const add = ({ key, usage_key }: RowKey, quantity: Decimal, events: readonly EventCount[] = []): void => {
    const measured = found.get(key)?.get(usage_key)
    if (measured === undefined) found.get(key)?.set(usage_key, { quantity, events: [...events] })
    else {
      measured.quantity = measured.quantity.plus(quantity)
      measured.events.push(...events)
    }
  }
  for (const row of await readSeconds(reader, windows)) add(row, hoursOf(row))
  for (const row of await readLevels(reader, windows)) add(row, hoursOf(row))
  for (const row of await readAggregates(reader, windows)) add(row, decimal(row.quantity), eventCounts(row))
  return new Map([...found].map(([key, measured]) => [key, usageOf(measured)]))
}

type Measured = { quantity: Decimal; events: EventCount[] }
type RowKey = { key: string; usage_key: string }
type SecondsRow = RowKey & { weighted_seconds: string }
type AggregateRow = RowKey & { quantity: string; is_per_event: boolean; event_count: bigint }

function hoursOf({ weighted_seconds }: SecondsRow): Decimal {
  return decimal(weighted_seconds).div(SECONDS_PER_HOUR)
}

/** Events that are alike, but for one that takes what the division leaves. */
function eventCounts({ is_per_event, quantity, event_count }: AggregateRow): EventCount[] {
  if (!is_per_event) return []
  const [total, count] = [decimal(quantity), Number(event_count)]
  const each = total.div(decimal(event_count))
  const last = total.minus(each.times(decimal(event_count - 1n)))
  if (last.eq(each)) return [{ quantity: plain(each), count }]
  return [
    { quantity: plain(each), count: count - 1 },
    { quantity: plain(last), count: 1 },
  ]
}

function usageOf(measured: ReadonlyMap<string, Measured>): Usage {
  return {
    usage: Object.fromEntries([...measured].map(([usage_key, { quantity }]) => [usage_key, plain(quantity)])),
    events: Object.fromEntries(
      [...measured].flatMap(([usage_key, { events }]) => (events.length === 0 ? [] : [[usage_key, events]])),
    ),
  }
}

/** Seconds alive inside each window, exact to the microsecond; those of a volume times its size in GB. */
async function readSeconds(reader: Reader, windows: readonly UsageWindow[]): Promise<SecondsRow[]> {
  const meters = Object.entries(DERIVED_METERS).map(([meter, { resource_kind }]) => ({ meter, resource_kind }))
  const { rows } = await sql<SecondsRow>`
    select w.key, m.meter as usage_key, sum(
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

/**
 * Level × seconds inside each window. What changed before the window is taken together at its start; each level holds
 * until the next change or the window's end, and one below 0 counts as 0. The meters come before the events (`offset 0`):
 * else the planner would read what all meters have had since ever.
 */
async function readLevels(reader: Reader, windows: readonly UsageWindow[]): Promise<SecondsRow[]> {
  const { rows } = await sql<SecondsRow>`
    with change as (
      select c.key, c.usage_key, c.at, c."end", sum(c.quantity) as quantity
      from (
        select w.key, coalesce(${FILTERED_CHARGE} ->> 'usage_key', e.meter) as usage_key,
          greatest(e.occurred_at, w."start") as at, w."end", e.quantity
        from (
          select w.*, m.code as meter
          from ${windowRows(windows)} join catalog.meter m on m.aggregation = 'time_weighted_sum'
          where w."start" < w."end"
          offset 0
        ) w
        join metering.usage_event e on e.tenant_id = w.tenant_id and e.deployment_id = w.deployment_id
          and e.meter = w.meter and e.occurred_at < w."end"
      ) c
      group by c.key, c.usage_key, c.at, c."end"
    ), level as (
      select key, usage_key, sum(quantity) over later as quantity, coalesce(lead(at) over later, "end") - at as held
      from change
      window later as (partition by key, usage_key order by at)
    )
    select key, usage_key, sum(greatest(quantity, 0) * extract(epoch from held))::text as weighted_seconds
    from level
    group by key, usage_key
    having sum(greatest(quantity, 0) * extract(epoch from held)) > 0`.execute(reader)
  return rows
}

/**
 * Each meter's own aggregate of the events inside each window. Where events are rated one by one, a row for each of the
 * smallest amounts, and of those beyond a row for each `side` of the bounds. An event of a meter that counts adds 1,
 * whatever its quantity.
 */
async function readAggregates(reader: Reader, windows: readonly UsageWindow[]): Promise<AggregateRow[]> {
  const { rows } = await sql<AggregateRow>`
    with event as (
      select w.key, coalesce(f.charge ->> 'usage_key', e.meter) as usage_key, m.aggregation,
        e.quantity, e.occurred_at, e.event_id, e.source, e.properties ->> m.unique_property as counted, b.bounds,
        case when b.bounds is not null then case m.aggregation when 'count' then 1 else e.quantity end end as amount
      from ${windowRows(windows)}
      join metering.usage_event e on e.tenant_id = w.tenant_id and e.deployment_id = w.deployment_id
        and e.occurred_at >= w."start" and e.occurred_at < w."end"
      join catalog.meter m on m.code = e.meter and m.aggregation <> 'time_weighted_sum'
      cross join lateral (select ${FILTERED_CHARGE} as charge offset 0) f
      cross join lateral (
        select case when f.charge is null then w.prices -> e.meter -> 'bounds' else f.charge -> 'bounds' end as bounds
      ) b
    ), measured as (
      select key, usage_key, amount, count(*) as event_count, (case aggregation
        when 'sum' then sum(quantity)
        when 'count' then count(*)
        when 'max' then max(quantity)
        when 'last' then (array_agg(quantity order by occurred_at desc, event_id desc, source desc)
          filter (where aggregation = 'last'))[1]
        when 'unique_count' then count(distinct counted)
      end) as quantity,
        case
          when amount <= (bounds ->> 'least')::numeric then -1
          when amount >= (bounds ->> 'greatest')::numeric then 1
          else 0
        end as side,
        row_number() over (partition by key, usage_key order by amount) <= ${EXACT_AMOUNTS_MAX}::int as is_exact
      from event
      group by key, usage_key, aggregation, amount, bounds
    )
    select key, usage_key, sum(quantity)::text as quantity, sum(event_count)::int8 as event_count,
      bool_or(amount is not null) as is_per_event
    from measured
    group by key, usage_key, side, case when is_exact then amount end
    order by key, usage_key, min(amount)`.execute(reader)
  return rows
}

/** `prices` say, by meter, what the charges of the window make of its events. */
function windowRows(windows: readonly UsageWindow[]) {
  const lists = chargeLists(windows)
  const numbers = new Map([...lists].map((charges, list) => [charges, list]))
  const rows = windows.map(({ charges, ...window }) => ({ ...window, list: charges && numbers.get(charges) }))
  return sql`(
    select w.*, ${toJson([...lists].map(pricesOf))}::jsonb -> w.list as prices
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as w(key text, tenant_id text, deployment_id uuid, "start" timestamptz, "end" timestamptz, list integer)
    offset 0
  ) w`
}

function chargeLists(windows: readonly UsageWindow[]): Set<readonly Charge[]> {
  return new Set(windows.flatMap(({ charges }) => (charges === undefined ? [] : [charges])))
}

/** By meter: the filtered charges in plan order, where there are any, and the bounds of a default charge per event. */
function pricesOf(charges: readonly Charge[]) {
  return Object.fromEntries(
    [...Map.groupBy(charges, ({ meter }) => meter)].map(([meter, own]) => {
      const filtered = own.filter(isFiltered).map((charge) => ({
        filter: charge.filter,
        usage_key: usageKey(charge),
        ...boundsOf(charge),
      }))
      const unfiltered = own.find((charge) => !isFiltered(charge))
      return [meter, { ...(unfiltered && boundsOf(unfiltered)), ...(filtered.length > 0 && { filtered }) }]
    }),
  )
}

function boundsOf(charge: Charge) {
  return isPerEvent(charge) && { bounds: eventBounds(charge) }
}

function isFiltered({ filter }: Charge): boolean {
  return filter !== undefined && filter !== null
}

/** The filtered charge (of `w.prices`) that an event (`e`) belongs to; null where it meets no filter. */
const FILTERED_CHARGE = sql`
  case when w.prices -> e.meter ? 'filtered' then (
    select c.charge from jsonb_array_elements(w.prices -> e.meter -> 'filtered') with ordinality as c(charge, position)
    where not exists (
      select from jsonb_each(c.charge -> 'filter') as f(property, accepted)
      where not coalesce(f.accepted ? (e.properties ->> f.property), false)
    )
    order by c.position limit 1
  ) end`
