import { type RawBuilder, sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'

/**
 * What the ladder reads of a line `l`: the columns of its target. `resource_kind` and `name` say which resource the
 * line is about, `parent_kind` and `parent_name` what that was taken of or is a part of: snapshots and backups are named
 * after it, and the parts of a Kubernetes cluster stand in its group. `tags` is JSON text, as a bill in the open format
 * spells it, or anything else. The window of a charge for one moment is that second.
 */
export const TARGET_COLUMNS = sql`
  l.id, l.provider, l.kind, l.product, l.project, l.description, l.external_resource_id, l.external_resource_uuid,
  l.resource_name, lower(l.resource_name) as name,
  case when l.kind like 'kubernetes%' and l.group_description is not null then null else l.kind end as resource_kind,
  case
    when l.kind like 'kubernetes%' then lower(l.group_description)
    when l.kind in ('backup', 'snapshot') then lower(l.resource_name)
  end as parent_name,
  case
    when l.kind like 'kubernetes%' then 'kubernetes_cluster'
    when l.kind = 'snapshot' and l.product ilike 'volume%' then 'volume'
    when l.kind in ('backup', 'snapshot') then 'droplet'
  end as parent_kind,
  l.extra ->> 'Tags' as tags, l.charge_start, greatest(l.charge_end, l.charge_start + interval '1 second') as charge_end`

/**
 * Reads the inventory once, for any number of statements of this transaction that hold the ladder: whose each resource
 * was if that never changed, and which names it bore when. In tables with indexes, because the planner expects next to
 * nothing of what it does not know: without them it compares every line with every resource.
 */
export async function prepareLadder(tx: Reader): Promise<void> {
  await sql`set local work_mem = '32MB'`.execute(tx)
  await sql`drop table if exists pg_temp.rented, pg_temp.bearer, pg_temp.handed_on`.execute(tx)
  await sql`
    create temporary table rented on commit drop as
    select r.id as resource_id, r.provider, r.kind, r.external_id, r.name, p.id as parent_id, h.tenant_id, h.deployment_id,
      coalesce(h.is_steady, true) as is_steady
    from inventory.resource r
    left join inventory.resource p
      on p.provider = r.provider and p.kind = r.parent_kind and p.external_id = r.parent_external_id
    left join (
      select resource_id, min(tenant_id) as tenant_id, min(deployment_id::text)::uuid as deployment_id,
        count(deployment_id) = 0
          or count(deployment_id) = count(*) and min(deployment_id::text) = max(deployment_id::text) as is_steady
      from inventory.span group by resource_id
    ) h on h.resource_id = r.id`.execute(tx)
  await sql`
    create temporary table bearer on commit drop as
    select r.*, s.borne_name, s.borne_in,
      coalesce(lower(s.borne_in), '-infinity') as borne_from, coalesce(upper(s.borne_in), 'infinity') as borne_till,
      r.is_steady and r.deployment_id is not null and tstzmultirange(range_merge(s.borne_in)) = s.borne_in
        and count(*) over (partition by r.provider, r.kind, s.borne_name) = 1 as is_plain
    from (
      select resource_id, lower(name) as borne_name, range_agg(tstzrange(starts_at, ends_at)) as borne_in
      from inventory.span group by resource_id, lower(name)
    ) s
    join rented r on r.resource_id = s.resource_id`.execute(tx)
  await sql`
    create temporary table handed_on on commit drop as
    select s.resource_id, s.starts_at, s.ends_at, s.tenant_id, s.deployment_id
    from inventory.span s join rented r on r.resource_id = s.resource_id where not r.is_steady`.execute(tx)
  await sql`create index on pg_temp.handed_on (resource_id)`.execute(tx)
  await sql`create index on pg_temp.rented (resource_id)`.execute(tx)
  await sql`create index on pg_temp.rented (external_id, provider)`.execute(tx)
  await sql`create index on pg_temp.bearer (borne_name, kind, provider)`.execute(tx)
  await sql`analyze pg_temp.rented, pg_temp.bearer, pg_temp.handed_on`.execute(tx)
}

/**
 * Runs a statement that holds the ladder, for the lines that `target` selects (`select ${TARGET_COLUMNS} from … l`): they
 * are in `pg_temp.target` while it runs. The transaction must have called `prepareLadder`.
 */
export async function runLadder<T>(
  tx: Reader,
  { target, statement }: { target: RawBuilder<unknown>; statement: RawBuilder<T> },
): Promise<readonly T[]> {
  await sql`drop table if exists pg_temp.target`.execute(tx)
  const { numAffectedRows } = await sql`create temporary table target on commit drop as ${target}`.execute(tx)
  await sql`analyze pg_temp.target`.execute(tx)
  // Of what the ladder finds the planner expects a row or two, and would look through all of it once for each line. Of
  // many lines that is quadratic: without nested loops it joins sets on whole keys.
  const isMany = (numAffectedRows ?? 0n) > FEW_LINES
  if (isMany) await sql`set local enable_nestloop = off`.execute(tx)
  const { rows } = await statement.execute(tx)
  if (isMany) await sql`set local enable_nestloop = on`.execute(tx)
  return rows
}

const FEW_LINES = 500n

/**
 * The ladder, as CTEs for `runLadder` that end in `decision`: one row for each line, with `id`, `resource_id`,
 * `tenant_id`, `deployment_id`, `match_status`, `match_method`, `match_reason` and, for a line that is split, `shares`: a
 * JSON array of `{tenant_id, deployment_id, weight}`, else null. The rungs, of which the first that knows a deployment wins:
 *
 * 1. `resource_id`: the resource that the line names by id
 * 2. `kind_and_name`: the resource of that kind that bore the name in the line's time
 * 3. `tag`: the deployment that a tag of the line names as `arcadia:<tenant>:<slug>`
 * 4. `parent`: what that resource was taken of or is a part of, by its name; where none of that name was there in the
 *    line's time, the last one before
 * 5. `project`: the project that the line names, where it has a deployment
 * 6. `remembered`: an assignment by hand that is to hold for later bills
 *
 * Allocation rules come after it (`allocateLines`), because they may share by what the ladder has found.
 *
 * Whose a resource was is decided by the owned time of the line's window; time without a deployment does not count. Two
 * owners in one window split the line by the seconds of each. A resource that was not there in the window is its last
 * owner's.
 */
export function ladder(): RawBuilder<unknown> {
  return sql`
    candidate as materialized (
      ${CANDIDATES_BY_ID}
      union all ${candidatesByName({ kind: sql`t.resource_kind`, name: sql`t.name` }, { rung: 2, method: 'kind_and_name' })}
      union all ${PARENTS_BY_NAME}
      union all ${candidatesByName({ kind: sql`'project'`, name: sql`lower(t.project)` }, { rung: PROJECT_RUNG, method: 'project' })}
    ),
    own_held as materialized (${heldBy('candidate')}),
    parent_candidate as materialized (${PARENTS}),
    held as (
      select * from own_held where deployment_id is not null or parent_id is null
      union all ${heldBy('parent_candidate')}
    ),
    finding as materialized (${findingsOf('held')}),
    subject as (
      select distinct on (line_id) * from finding where rung < ${sql.lit(PROJECT_RUNG)} order by line_id, rung
    ),
    owner as materialized (
      select distinct on (line_id) * from (
        select line_id, rung, method, via, tenant_id, deployment_id, shares from finding where is_found
        union all ${TAGGED}
      ) found
      order by line_id, rung
    ),
    decision as materialized (${DECISIONS})`
}

const PROJECT_RUNG = 5
/** A key or a value that is the whole tag, or the key `arcadia` with the rest of it as its value. */
const DEPLOYMENT_TAG = String.raw`"arcadia(?::|"\s*:\s*")([^":]+:[^":]+)"`

/**
 * A candidate is a resource that the line may be about (`subject_id`), and the one whose owner counts for it, which
 * `via` names where it is another. A line may have candidates on several rungs: only their owners tell which counts.
 */
const candidate = ({ rung, method }: { rung: number; method: string }, via = sql`null::text`) => sql`
  t.id as line_id, t.charge_start, t.charge_end, r.resource_id as subject_id, ${sql.lit(rung)} as rung,
  ${sql.lit(method)} as method, ${via} as via, r.resource_id, r.parent_id, r.tenant_id, r.deployment_id, r.is_steady`

const IS_THERE = sql`r.borne_in && tstzrange(t.charge_start, t.charge_end)`

const CANDIDATES_BY_ID = sql`
  select ${candidate({ rung: 1, method: 'resource_id' })}
  from pg_temp.target t join rented r on r.provider = t.provider and r.external_id = t.external_resource_id
  union
  select ${candidate({ rung: 1, method: 'resource_id' })}
  from pg_temp.target t join rented r on r.provider = t.provider and r.external_id = t.external_resource_uuid`

function candidatesByName(
  { kind, name }: { kind: RawBuilder<unknown>; name: RawBuilder<unknown> },
  rung: { rung: number; method: string },
): RawBuilder<unknown> {
  return sql`
    select ${candidate(rung)}
    from pg_temp.target t join bearer r on r.provider = t.provider and r.kind = ${kind} and r.borne_name = ${name}
    where ${name} is not null and ${IS_THERE}`
}

/**
 * A backup may be billed when its droplet is long gone. Then the last that bore the name counts, and only then: who bears
 * it now may be another.
 */
const PARENTS_BY_NAME = sql`
  select line_id, charge_start, charge_end, subject_id, rung, method,
    via || case when is_there then '' else ', the last of that name' end as via, resource_id, parent_id, tenant_id,
    deployment_id, is_steady
  from (
    select *, bool_or(is_there) over line as is_any_there, max(borne_till) over line as last_till
    from (
      select ${candidate({ rung: 4, method: 'parent' }, sql`t.parent_kind || ' ' || t.parent_name`)},
        ${IS_THERE} as is_there, upper(r.borne_in * tstzmultirange(tstzrange(null, t.charge_end))) as borne_till
      from pg_temp.target t join bearer r
        on r.provider = t.provider and r.kind = t.parent_kind and r.borne_name = t.parent_name
        and r.borne_from < t.charge_end
    ) named
    window line as (partition by line_id)
  ) ranked
  where is_there or not is_any_there and borne_till = last_till`

/** Text and not JSON is searched, because any text may stand there. Tags that name two deployments name none. */
const TAGGED = sql`
  select t.id, 3, 'tag', min(d.tag), min(d.tenant_id), min(d.id::text)::uuid, null::jsonb
  from pg_temp.target t
  cross join lateral regexp_matches(lower(t.tags), ${sql.lit(DEPLOYMENT_TAG)}, 'g') named
  join (
    select id, tenant_id, lower('arcadia:' || tenant_id || ':' || slug) as tag
    from deployments.deployment where slug_released_at is null
  ) d
    on d.tag = 'arcadia:' || named[1]
  where t.tags is not null
  group by t.id having count(distinct d.id) = 1`

/** Only of those that had no deployment of their own in the window. */
const PARENTS = sql`
  select h.line_id, h.charge_start, h.charge_end, h.subject_id, h.rung, 'parent' as method,
    r.kind || ' ' || r.name as via, r.resource_id, null::uuid as parent_id, r.tenant_id, r.deployment_id, r.is_steady
  from own_held h join rented r on r.resource_id = h.parent_id
  where h.deployment_id is null`

/**
 * Whose the candidates were in the windows of their lines, with the seconds of each owner: one row without an owner where
 * there was none. A resource that had one owner, or none, all its life needs no look at the windows.
 */
function heldBy(candidates: string): RawBuilder<unknown> {
  const key = sql`c.line_id, c.charge_start, c.charge_end, c.subject_id, c.rung, c.method, c.via, c.parent_id`
  const seconds = sql`sum(extract(epoch from greatest(interval '0',
    least(s.ends_at, c.charge_end) - greatest(s.starts_at, c.charge_start))))`
  return sql`
    select ${key}, c.tenant_id, c.deployment_id, null::numeric as seconds, true as is_first
    from ${sql.table(candidates)} c where c.is_steady
    union all
    select ${key}, case when is_owner then tenant_id end, case when is_owner then deployment_id end, seconds, place = 1
    from (
      select *, row_number() over (partition by line_id, rung, subject_id order by is_owner desc, deployment_id) as place
      from (
        select *, deployment_id is not null and (
          seconds > 0 or sum(seconds) over subject = 0 and latest = max(latest) over subject
        ) as is_owner
        from (
          select ${key}, s.tenant_id, s.deployment_id, ${seconds} as seconds, max(s.starts_at) as latest
          from ${sql.table(candidates)} c join handed_on s on s.resource_id = c.resource_id
          where not c.is_steady
          group by ${key}, s.tenant_id, s.deployment_id
        ) timed
        window subject as (partition by line_id, rung, subject_id)
      ) judged
    ) c
    where is_owner or place = 1`
}

/** Several candidates count only if all of them agree; none of them is then taken for the resource. */
function findingsOf(held: string): RawBuilder<unknown> {
  return sql`
    select line_id, rung, method, via, subjects, case when subjects = 1 then subject_id::uuid end as resource_id,
      case when first_id = last_id and holders = subjects then tenant_id end as tenant_id,
      case when first_id = last_id and holders = subjects then first_id::uuid end as deployment_id,
      case when subjects = 1 and holders > 1 then parts end as shares,
      holders > 0 and (subjects = 1 or first_id = last_id and holders = subjects) as is_found
    from (
      select line_id, rung, min(method) as method, min(via) as via, count(*) filter (where is_first) as subjects,
        min(subject_id::text) as subject_id, count(deployment_id) as holders, min(tenant_id) as tenant_id,
        min(deployment_id::text) as first_id, max(deployment_id::text) as last_id,
        jsonb_agg(jsonb_build_object(
          'tenant_id', tenant_id, 'deployment_id', deployment_id, 'weight', trim_scale(seconds)::text
        ) order by tenant_id, deployment_id) filter (where seconds > 0) as parts
      from ${sql.table(held)} group by line_id, rung
    ) line`
}

const DECISIONS = sql`
  select t.id, f.resource_id,
    coalesce(o.tenant_id, case when o.line_id is null then m.tenant_id end) as tenant_id,
    coalesce(o.deployment_id, case when o.line_id is null then m.deployment_id end) as deployment_id,
    case
      when o.shares is not null then 'allocated'
      when o.line_id is not null or m.deployment_id is not null then 'matched'
      else 'unmatched'
    end as match_status,
    case when o.line_id is not null then o.method when m.deployment_id is not null then 'remembered' end as match_method,
    case
      when o.method = 'resource_id' then 'resource id ' || coalesce(t.external_resource_id, t.external_resource_uuid)
      when o.method = 'kind_and_name' then t.resource_kind || ' named ' || t.resource_name
      when o.method = 'tag' then 'tagged ' || o.via
      when o.method = 'parent' then 'belongs to the ' || o.via
      when o.method = 'project' then 'project ' || t.project
      when m.deployment_id is not null then 'remembered for ' || t.kind || ' ' || t.resource_name
      when f.subjects > 1 and f.method = 'resource_id' then 'ambiguous: the ids of the line name ' || f.subjects || ' resources'
      when f.subjects > 1 then 'ambiguous: ' || f.subjects || ' resources named ' || coalesce(t.resource_name, t.parent_name)
      when f.subjects = 1 then 'the resource has no deployment: tag it or assign it'
      when coalesce(t.name, t.parent_name) is null then 'the line names no resource: an allocation rule can share it'
      else 'no ' || coalesce(t.parent_kind, t.kind) || ' named ' || coalesce(t.resource_name, t.parent_name) || ' was alive in this window'
    end || case when o.shares is not null then ', which changed hands: split by the time of each' else '' end as match_reason,
    o.shares
  from pg_temp.target t
  left join subject f on f.line_id = t.id
  left join owner o on o.line_id = t.id
  left join costs.remembered_assignment m
    on m.provider = t.provider and m.kind = t.kind and m.resource_name = t.name`
