import { type RawBuilder, sql } from 'kysely'
import { anyOf, type Reader, toJson } from '../../platform/db.ts'
import type { Page } from '../../platform/wire.ts'
import { identityOf, type KnownResource } from './reconcile.ts'
import type { Inventory, Owner, ResourceKind, Span } from './resource.ts'

export type ResourceFilter = {
  kind?: string
  project?: string
  /** A part of the name, in any case. */
  name?: string
  deployment_id?: string
  assigned?: boolean
  alive?: boolean
}

export type ResourceRow = {
  id: string
  provider: string
  kind: ResourceKind
  external_id: string
  name: string
  size: string | null
  size_gb: string | null
  region: string | null
  project: string | null
  tags: string[]
  parent: { kind: string; external_id: string } | null
  price_monthly: string | null
  born_at: Temporal.Instant
  gone_at: Temporal.Instant | null
  last_seen_at: Temporal.Instant
  tenant_id: string | null
  deployment_id: string | null
  assigned_by: 'hand' | 'tag' | null
}

/** By name, `limit` + 1 rows strictly after `after` (name, id). Size, price and owner are those of the last span. */
export async function listResources(
  reader: Reader,
  filter: ResourceFilter,
  { limit, after }: Page & { after: readonly string[] | undefined },
): Promise<ResourceRow[]> {
  const { kind, project, name, deployment_id, assigned, alive } = filter
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (kind !== undefined) conditions.push(sql`r.kind = ${kind}`)
  if (project !== undefined) conditions.push(sql`r.project = ${project}`)
  if (name !== undefined) conditions.push(sql`strpos(lower(r.name), lower(${name})) > 0`)
  if (deployment_id !== undefined) conditions.push(sql`s.deployment_id = ${deployment_id}`)
  if (assigned !== undefined) conditions.push(sql`(s.deployment_id is not null) = ${assigned}::boolean`)
  if (alive !== undefined) conditions.push(sql`(r.gone_at is null) = ${alive}::boolean`)
  if (after !== undefined) conditions.push(sql`(r.name, r.id::text) > (${after[0]}, ${after[1]})`)
  const { rows } = await sql<StoredResource>`
    ${SELECT_RESOURCE} where ${sql.join(conditions, sql` and `)} order by r.name, r.id::text limit ${limit + 1}`.execute(
    reader,
  )
  return rows.map(resourceRow)
}

export async function findResource(reader: Reader, id: string): Promise<ResourceRow | undefined> {
  const { rows } = await sql<StoredResource>`${SELECT_RESOURCE} where r.id = ${id}`.execute(reader)
  return rows.map(resourceRow)[0]
}

type StoredResource = Omit<ResourceRow, 'parent'> & { parent_kind: string | null; parent_external_id: string | null }

const SELECT_RESOURCE = sql`
  select r.id, r.provider, r.kind, r.external_id, r.name, s.size, trim_scale(s.size_gb) as size_gb, r.region, r.project,
    r.tags, r.parent_kind, r.parent_external_id, trim_scale(s.price_monthly) as price_monthly, r.born_at, r.gone_at,
    r.last_seen_at, s.tenant_id, s.deployment_id,
    case when r.assigned_deployment_id is not null then 'hand' when s.deployment_id is not null then 'tag' end as assigned_by
  from inventory.resource r
  left join lateral (
    select * from inventory.span where span.resource_id = r.id order by span.starts_at desc limit 1
  ) s on true`

function resourceRow({ parent_kind, parent_external_id, ...row }: StoredResource): ResourceRow {
  const known = parent_kind !== null && parent_external_id !== null
  return { ...row, parent: known ? { kind: parent_kind, external_id: parent_external_id } : null }
}

export type SpanRow = Omit<Span, 'tags'> & { tags: string[] }

/** What the resource was, from when to when, in order. */
export async function loadSpans(reader: Reader, resource_id: string): Promise<SpanRow[]> {
  const { rows } = await sql<SpanRow>`
    select id, starts_at, ends_at, name, size, trim_scale(size_gb) as size_gb, project, tags,
      trim_scale(price_monthly) as price_monthly, tenant_id, deployment_id
    from inventory.span where resource_id = ${resource_id} order by starts_at`.execute(reader)
  return rows
}

export type ListingRow = {
  provider: string
  kind: ResourceKind
  listed_at: Temporal.Instant | null
  tried_at: Temporal.Instant
  last_error: string | null
  scope: string | null
  /** Objects that the last recorded listing could not read: the first of them. */
  unread: { external_id: string | null; reason: string }[]
}

/** By provider and kind, `limit` + 1 rows strictly after `after`. */
export async function listListings(
  reader: Reader,
  { limit, after }: Page & { after: readonly string[] | undefined },
): Promise<ListingRow[]> {
  const { rows } = await sql<ListingRow>`
    select provider, kind, listed_at, tried_at, last_error, scope, unread from inventory.listing
    ${after === undefined ? sql`` : sql`where (provider, kind) > (${after[0]}, ${after[1]})`}
    order by provider, kind limit ${limit + 1}`.execute(reader)
  return rows
}

/** When the last recorded listing of each kind began. */
export async function loadListedAt(reader: Reader, provider: string): Promise<Map<string, Temporal.Instant>> {
  const rows = await reader
    .selectFrom('inventory.listing')
    .select(['kind', 'listed_at'])
    .where('provider', '=', provider)
    .execute()
  return new Map(rows.flatMap(({ kind, listed_at }) => (listed_at === null ? [] : [[kind, listed_at]])))
}

/** Those that are alive and those that are listed. */
export async function loadKnownResources(reader: Reader, { provider, kinds }: Inventory): Promise<KnownResource[]> {
  const listed = kinds.flatMap(({ kind, resources }) =>
    resources.map(({ external_id }) => ({ kind: identityOf(kind), external_id })),
  )
  const { rows } = await sql<KnownRow>`
    select r.id, r.kind, r.external_id, r.project as known_project, r.born_at, r.assigned_tenant_id,
      r.assigned_deployment_id, o.id as span_id, o.starts_at, o.name, o.size, trim_scale(o.size_gb) as size_gb, o.project,
      o.tags, trim_scale(o.price_monthly) as price_monthly, o.tenant_id, o.deployment_id,
      exists (
        select from inventory.span s where s.resource_id = r.id and s.deployment_id is not null
      ) as was_ever_assigned
    from inventory.resource r
    left join inventory.span o on o.resource_id = r.id and o.ends_at is null
    where r.provider = ${provider} and r.kind = ${anyOf(kinds.map(({ kind }) => kind))}
      and (r.gone_at is null or (${IDENTITY}, r.external_id) in (
        select l.kind, l.external_id from jsonb_to_recordset(${toJson(listed)}::jsonb) l (kind text, external_id text)
      ))`.execute(reader)
  return rows.map(knownResource)
}

/** As `identityOf` has it. */
const IDENTITY = sql`case r.kind when 'kubernetes_node' then 'droplet' else r.kind end`

type KnownRow = {
  id: string
  kind: ResourceKind
  external_id: string
  known_project: string | null
  born_at: Temporal.Instant
  assigned_tenant_id: string | null
  assigned_deployment_id: string | null
  span_id: string | null
  was_ever_assigned: boolean
} & Omit<Span, 'id' | 'ends_at'>

function knownResource(row: KnownRow): KnownResource {
  const { id, kind, external_id, born_at, was_ever_assigned, assigned_tenant_id, assigned_deployment_id, span_id } = row
  const { starts_at, name, size, size_gb, project, tags, price_monthly, tenant_id, deployment_id } = row
  const span = { starts_at, ends_at: null, name, size, size_gb, project, tags, price_monthly, tenant_id, deployment_id }
  return {
    id,
    kind,
    external_id,
    project: row.known_project,
    born_at,
    was_ever_assigned,
    assigned:
      assigned_tenant_id !== null && assigned_deployment_id !== null
        ? { tenant_id: assigned_tenant_id, deployment_id: assigned_deployment_id }
        : null,
    open_span: span_id === null ? null : { id: span_id, ...span },
  }
}

/** The deployments that any of the tags (in lower case) names, each by the slug that it holds. */
export async function loadOwnersByTag(reader: Reader, tags: readonly string[]): Promise<Map<string, Owner>> {
  const { rows } = await sql<Owner & { tag: string }>`
    select d.tag, d.tenant_id, d.deployment_id
    from (
      select lower('arcadia:' || tenant_id || ':' || slug) as tag, tenant_id, id as deployment_id
      from deployments.deployment where slug_released_at is null
    ) d
    where d.tag in (select jsonb_array_elements_text(${toJson(tags)}::jsonb))`.execute(reader)
  return new Map(rows.map(({ tag, tenant_id, deployment_id }) => [tag, { tenant_id, deployment_id }]))
}

/** The deployments that exist of those named, by id. */
export async function loadOwners(reader: Reader, deployment_ids: readonly string[]): Promise<Map<string, Owner>> {
  const rows = await reader
    .selectFrom('deployments.deployment')
    .select(['tenant_id', 'id as deployment_id'])
    .where('id', 'in', deployment_ids)
    .execute()
  return new Map(rows.map((owner) => [owner.deployment_id, owner]))
}

export async function loadResourceWithSpans(
  reader: Reader,
  id: string,
): Promise<{ tags: string[]; born_at: Temporal.Instant; gone_at: Temporal.Instant | null; spans: Span[] } | undefined> {
  const resource = await reader
    .selectFrom('inventory.resource')
    .select(['tags', 'born_at', 'gone_at'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (resource === undefined) return undefined
  return { ...resource, spans: await loadSpans(reader, id) }
}
