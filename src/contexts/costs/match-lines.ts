import { type RawBuilder, sql } from 'kysely'
import { anyOf, type ContextTx, insertRows } from '../../platform/db.ts'
import { type Share, splitAmount } from './allocation.ts'
import { lockBills } from './lock.ts'

export type MatchScope = {
  /** All bills when left out. */
  readonly provider_invoice_ids?: readonly string[]
  /** Only lines that name one of these by id or by a name that it bore, or that are matched to it. */
  readonly resource_ids?: readonly string[]
}

/**
 * Finds the deployment of each line; what was assigned by hand stays. Rungs, the first that knows a deployment wins:
 *
 * 1. `resource_id`: the resource that the line names by id
 * 2. `kind_and_name`: the resource of that kind that bore the name in the line's time
 * 3. `remembered`: an assignment by hand that is to hold for later bills
 * 4. `allocation_rule`: shared cost; the rule that names most wins, then the older one
 *
 * A resource's deployment is the one that it had for most of the line's time. Lines that no rung knows stay unmatched
 * and say why.
 */
export async function matchLines(tx: ContextTx<'costs'>, scope: MatchScope): Promise<void> {
  await lockBills(tx)
  const { rows } = await sql<AllocatedLine>`
    with target as (${targets(scope)}),
    identifier as materialized (${IDENTIFIERS}),
    by_id as (${CANDIDATES_BY_ID}),
    bearer as materialized (${BEARERS}),
    candidate as (select * from by_id union all ${CANDIDATES_BY_NAME}),
    owner as (${OWNERS}),
    finding as (${FINDINGS}),
    rule as (${RULES}),
    decision as (${DECISIONS}),
    changed as (${UPDATE_LINES}),
    unshared as (delete from costs.line_share s using changed c where s.cost_line_id = c.id)
    select c.id, trim_scale(c.amount) as amount, c.currency, c.shares from changed c where c.match_status = 'allocated'
    `.execute(tx)
  const shares = rows.flatMap((line) =>
    splitAmount(line, line.shares).map((part) => Object.assign(part, { cost_line_id: line.id })),
  )
  await insertRows(tx, 'costs.line_share', shares)
}

type AllocatedLine = { id: string; amount: string; currency: string; shares: Share[] }

/**
 * `resource_kind` is the kind of the resource that the name stands for: backups and snapshots are named after what
 * they are taken of. The window of a charge for one moment is that second.
 */
function targets({ provider_invoice_ids, resource_ids }: MatchScope): RawBuilder<unknown> {
  const conditions = [sql`l.match_status <> 'not_applicable'`, sql`l.match_method is distinct from 'by_hand'`]
  if (provider_invoice_ids) conditions.push(sql`l.provider_invoice_id = ${anyOf(provider_invoice_ids)}`)
  if (resource_ids) conditions.push(concerns(resource_ids))
  return sql`
    select l.id, l.provider, l.kind, l.product, l.project, l.description, l.external_resource_id,
      l.external_resource_uuid, l.resource_name, lower(l.resource_name) as name, l.charge_start,
      greatest(l.charge_end, l.charge_start + interval '1 second') as charge_end,
      case
        when l.kind in ('droplet', 'volume') then l.kind
        when l.kind = 'snapshot' and l.product ilike 'volume%' then 'volume'
        when l.kind in ('backup', 'snapshot') then 'droplet'
      end as resource_kind
    from costs.cost_line l where ${sql.join(conditions, sql` and `)}`
}

/** Sets to look into, so that the lines are read once, however many resources there are. */
function concerns(resource_ids: readonly string[]): RawBuilder<unknown> {
  const changed = sql`inventory.resource r where r.id = ${anyOf(resource_ids)}`
  return sql`(
    l.resource_id in (select r.id from ${changed})
    or (l.provider, l.external_resource_id) in (select r.provider, r.external_id from ${changed})
    or (l.provider, l.external_resource_uuid) in (select r.provider, r.external_id from ${changed})
    or (l.provider, lower(l.resource_name)) in (
      select r.provider, lower(s.name) from inventory.span s, ${changed} and r.id = s.resource_id
    )
  )`
}

/**
 * Materialized, like the bearers below, so that each candidate comes from a join of two sets on the whole key. Left to
 * itself the planner, which knows nothing yet of a bill just stored, joins all lines with all resources of a provider
 * and compares names afterwards: quadratic.
 */
const IDENTIFIERS = sql`
  select id as line_id, provider, external_resource_id as external_id from target where external_resource_id is not null
  union
  select id, provider, external_resource_uuid from target where external_resource_uuid is not null`

const CANDIDATES_BY_ID = sql`
  select distinct n.line_id, r.id as resource_id, 'resource_id' as method
  from identifier n join inventory.resource r on r.provider = n.provider and r.external_id = n.external_id`

/** Who bore a name that the lines use, and when: spans, so that a name counts for as long as the resource bore it. */
const BEARERS = sql`
  select s.resource_id, r.provider, r.kind, lower(s.name) as name, s.starts_at, coalesce(s.ends_at, 'infinity') as ends_at
  from inventory.span s join inventory.resource r on r.id = s.resource_id
  where lower(s.name) in (select name from target)`

const CANDIDATES_BY_NAME = sql`
  select distinct t.id as line_id, b.resource_id, 'kind_and_name' as method
  from target t
  join bearer b on b.provider = t.provider and b.kind = t.resource_kind and b.name = t.name
    and b.starts_at < t.charge_end and b.ends_at > t.charge_start
  where t.id not in (select line_id from by_id)`

/** For each candidate the deployment, or none, that it had for most of the window. */
const OWNERS = sql`
  select distinct on (c.line_id, c.resource_id) c.line_id, c.resource_id, c.method, s.tenant_id, s.deployment_id
  from candidate c
  join target t on t.id = c.line_id
  left join inventory.span s on s.resource_id = c.resource_id
  group by c.line_id, c.resource_id, c.method, s.tenant_id, s.deployment_id
  order by c.line_id, c.resource_id,
    sum(greatest(interval '0', least(s.ends_at, t.charge_end) - greatest(s.starts_at, t.charge_start))) desc,
    max(s.starts_at) desc`

/** Several candidates count only if they agree; none of them is then taken for the resource. */
const FINDINGS = sql`
  select o.line_id, min(o.method) as method, count(*) as resources,
    case when count(*) = 1 then min(o.resource_id::text)::uuid end as resource_id,
    case when count(distinct o.deployment_id) = 1 and count(o.deployment_id) = count(*)
      then min(o.tenant_id) end as tenant_id,
    case when count(distinct o.deployment_id) = 1 and count(o.deployment_id) = count(*)
      then min(o.deployment_id::text)::uuid end as deployment_id
  from owner o group by o.line_id`

const RULES = sql`
  select distinct on (t.id) t.id as line_id, a.id as rule_id, a.shares
  from target t
  join costs.allocation_rule a on a.provider = t.provider
    and (a.product is null or lower(a.product) = lower(t.product))
    and (a.project is null or lower(a.project) = lower(t.project))
    and (a.description is null or lower(a.description) = lower(t.description))
  order by t.id, num_nonnulls(a.product, a.project, a.description) desc, a.created_at, a.id`

const DECISIONS = sql`
  select t.id, f.resource_id,
    coalesce(f.tenant_id, m.tenant_id) as tenant_id,
    coalesce(f.deployment_id, m.deployment_id) as deployment_id,
    case
      when coalesce(f.deployment_id, m.deployment_id) is not null then 'matched'
      when rule.rule_id is not null then 'allocated'
      else 'unmatched'
    end as match_status,
    case
      when f.deployment_id is not null then f.method
      when m.deployment_id is not null then 'remembered'
      when rule.rule_id is not null then 'allocation_rule'
    end as match_method,
    case
      when f.deployment_id is not null and f.method = 'resource_id'
        then 'resource id ' || coalesce(t.external_resource_id, t.external_resource_uuid)
      when f.deployment_id is not null then t.resource_kind || ' named ' || t.resource_name
      when m.deployment_id is not null then 'remembered for ' || t.kind || ' ' || t.resource_name
      when rule.rule_id is not null then 'allocation rule ' || rule.rule_id
      when f.resources > 1 and f.method = 'resource_id' then 'ambiguous: the ids of the line name ' || f.resources || ' resources'
      when f.resources > 1 then 'ambiguous: ' || f.resources || ' resources named ' || t.resource_name
      when f.resources = 1 then 'the resource has no deployment: tag it or assign it'
      when t.resource_name is null then 'the line names no resource: an allocation rule can share it'
      when t.resource_kind is null then 'the inventory has no resources of the kind ' || t.kind
      else 'no ' || t.resource_kind || ' named ' || t.resource_name || ' was alive in this window'
    end as match_reason,
    rule.shares
  from target t
  left join finding f on f.line_id = t.id
  left join rule on rule.line_id = t.id
  left join costs.remembered_assignment m
    on m.provider = t.provider and m.kind = t.kind and m.resource_name = t.name`

/** Only lines whose decision is new are written, and none that were assigned by hand. */
const UPDATE_LINES = sql`
  update costs.cost_line l
  set resource_id = d.resource_id, tenant_id = d.tenant_id, deployment_id = d.deployment_id,
    match_status = d.match_status, match_method = d.match_method, match_reason = d.match_reason
  from decision d
  where d.id = l.id and l.match_method is distinct from 'by_hand'
    and (l.resource_id, l.tenant_id, l.deployment_id, l.match_status, l.match_method, l.match_reason)
      is distinct from (d.resource_id, d.tenant_id, d.deployment_id, d.match_status, d.match_method, d.match_reason)
  returning l.id, l.amount, l.currency, l.match_status, d.shares`
