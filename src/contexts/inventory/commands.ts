import { sql } from 'kysely'
import { problem } from '../../kernel/problem.ts'
import { type ContextTx, insertRows, rowset } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { takeTurn } from '../../platform/locks.ts'
import { found } from '../../platform/wire.ts'
import type { NotListed } from '../../providers/listed-resource.ts'
import { loadKnownResources, loadListedAt, loadOwners, loadOwnersByTag, loadResourceWithSpans } from './queries.ts'
import { changedResources, type Changes, type NewSpan, reconcile, type ResourceState } from './reconcile.ts'
import {
  assignmentStart,
  deploymentTags,
  type Inventory,
  type Owner,
  ownerByTags,
  reassign,
  type Reassignment,
  type ResourceKind,
  withoutOutdated,
} from './resource.ts'

type InventoryTx = ContextTx<'inventory'>

const unknownDeployment = problem({
  code: 'inventory/unknown-deployment',
  status: 422,
  title: 'There is no such deployment',
  constraints: ['resource_assignment_exists', 'span_deployment_exists'],
})
const assignmentOutsideLife = problem({
  code: 'inventory/assignment-outside-life',
  status: 422,
  title: 'The assignment would begin when the resource does not exist',
})

/** Kept of each kind: what a list is full of is one mistake. */
const UNREAD_MAX_KEPT = 100

export type InventoryCounts = { listed: number; born: number; gone: number; changed: number }

export type RecordedInventory = {
  readonly counts: InventoryCounts
  /** Those whose spans are new or other than before. */
  readonly changed_resource_ids: readonly string[]
}

/**
 * Brings resources and spans to what was listed. A kind whose last recorded listing is newer is left out: it would end
 * spans that the newer one has seen alive.
 */
export async function recordInventory(
  tx: InventoryTx,
  given: Inventory,
  { now, ids }: { now: Temporal.Instant; ids: Ids },
): Promise<RecordedInventory> {
  await lockInventory(tx)
  const inventory = withoutOutdated(given, await loadListedAt(tx, given.provider))
  const listed = inventory.kinds.flatMap(({ resources }) => resources)
  const known = await loadKnownResources(tx, inventory)
  const owners = await loadOwnersByTag(
    tx,
    listed.flatMap(({ tags }) => deploymentTags(tags)),
  )
  const changes = reconcile(inventory, { known, owners }, ids.uuid)
  await applyChanges(tx, inventory, changes, now)
  await recordListed(tx, inventory)
  const { born, gone, opened } = changes
  const all = given.kinds.flatMap(({ resources }) => resources)
  return {
    counts: { listed: all.length, born: born.length, gone: gone.length, changed: opened.length - born.length },
    changed_resource_ids: changedResources(changes),
  }
}

/** Keeps why kinds could not be listed; their resources, and when they were last listed, stay as they are. */
export async function recordNotListed(
  tx: InventoryTx,
  of: { provider: string; not_listed: readonly NotListed[]; tried_at: Temporal.Instant },
): Promise<void> {
  const { provider, tried_at } = of
  const rows = of.not_listed.map(({ kind, reason, scope }) => ({ provider, kind, tried_at, last_error: reason, scope }))
  await sql`
    insert into inventory.listing (provider, kind, tried_at, last_error, scope)
    select provider, kind, tried_at, last_error, scope from ${rowset('inventory.listing', rows)}
    on conflict (provider, kind) do update
    set tried_at = excluded.tried_at, last_error = excluded.last_error, scope = excluded.scope
    where listing.tried_at <= excluded.tried_at`.execute(tx)
}

/**
 * Assigns by hand from `from` on; without it, the whole life of a resource that never had a deployment, or from now
 * on. A null deployment takes the assignment by hand away, and the tags decide again.
 */
export async function assignResource(
  tx: InventoryTx,
  {
    resource_id,
    deployment_id,
    from,
  }: { resource_id: string; deployment_id: string | null; from: Temporal.Instant | null },
  { now, ids }: { now: Temporal.Instant; ids: Ids },
): Promise<void> {
  await lockInventory(tx)
  const resource = found(await loadResourceWithSpans(tx, resource_id), 'resource')
  const assigned = deployment_id === null ? null : await requireOwner(tx, deployment_id)
  const owner = assigned ?? ownerByTags(resource.tags, await loadOwnersByTag(tx, deploymentTags(resource.tags)))
  const start = assignmentStart(resource, { from, now })
  if (Temporal.Instant.compare(start, now) > 0) {
    throw assignmentOutsideLife('The time lies in the future. Leave `from` out, or give a time that has passed.')
  }
  if (resource.gone_at !== null && Temporal.Instant.compare(start, resource.gone_at) >= 0) {
    throw assignmentOutsideLife(`The resource is gone since ${resource.gone_at}. Give a time before that in \`from\`.`)
  }
  await tx
    .updateTable('inventory.resource')
    .set({ assigned_tenant_id: assigned?.tenant_id ?? null, assigned_deployment_id: assigned?.deployment_id ?? null })
    .where('id', '=', resource_id)
    .execute()
  await applyReassignment(tx, { resource_id, owner, change: reassign(resource.spans, owner, start) }, { now, ids })
}

/** Before any other lock: whoever changes the inventory goes on to what follows from it. */
export async function lockInventory(tx: InventoryTx): Promise<void> {
  await takeTurn(tx, 'inventory')
}

async function recordListed(tx: InventoryTx, { provider, kinds, unread = [], seen_at }: Inventory): Promise<void> {
  const unreadOf = (kind: ResourceKind) =>
    unread.flatMap(({ external_id, reason, ...of }) => (of.kind === kind ? { external_id, reason } : []))
  const rows = kinds.map(({ kind }) => ({
    provider,
    kind,
    listed_at: seen_at,
    tried_at: seen_at,
    unread: unreadOf(kind).slice(0, UNREAD_MAX_KEPT),
  }))
  await sql`
    insert into inventory.listing (provider, kind, listed_at, tried_at, unread)
    select provider, kind, listed_at, tried_at, unread from ${rowset('inventory.listing', rows)}
    on conflict (provider, kind) do update
    set listed_at = excluded.listed_at, tried_at = excluded.tried_at, unread = excluded.unread, last_error = null,
      scope = null`.execute(tx)
}

async function requireOwner(tx: InventoryTx, deployment_id: string): Promise<Owner> {
  const owner = (await loadOwners(tx, [deployment_id])).get(deployment_id)
  if (owner === undefined)
    throw unknownDeployment(`No deployment has the id ${deployment_id}. GET /deployments lists them.`)
  return owner
}

async function applyChanges(
  tx: InventoryTx,
  inventory: Inventory,
  changes: Changes,
  now: Temporal.Instant,
): Promise<void> {
  const { provider, seen_at } = inventory
  const { born, seen, gone, adopted, dropped, closed, opened } = changes
  const firstSeen = (resource: ResourceState) => ({
    ...resource,
    provider,
    first_seen_at: seen_at,
    last_seen_at: seen_at,
  })
  const changedNow = (span: NewSpan) => ({ ...span, changed_at: now })
  await insertRows(tx, 'inventory.resource', born.map(firstSeen))
  await sql`
    update inventory.resource r
    set kind = n.kind, name = n.name, region = n.region, project = n.project, tags = n.tags,
      parent_kind = coalesce(n.parent_kind, r.parent_kind),
      parent_external_id = coalesce(n.parent_external_id, r.parent_external_id),
      last_seen_at = ${seen_at}, gone_at = null
    from ${rowset('inventory.resource', seen)} n where r.id = n.id`.execute(tx)
  await sql`
    update inventory.resource r set gone_at = n.gone_at
    from ${rowset('inventory.resource', gone)} n where r.id = n.id`.execute(tx)
  await sql`
    update inventory.span s set tenant_id = n.tenant_id, deployment_id = n.deployment_id, changed_at = ${now}
    from ${rowset('inventory.span', adopted)} n where s.resource_id = n.resource_id`.execute(tx)
  if (dropped.length > 0) await tx.deleteFrom('inventory.span').where('id', 'in', dropped).execute()
  await sql`
    update inventory.span s set ends_at = n.ends_at, changed_at = ${now}
    from ${rowset('inventory.span', closed)} n where s.id = n.id`.execute(tx)
  await insertRows(tx, 'inventory.span', opened.map(changedNow))
}

async function applyReassignment(
  tx: InventoryTx,
  { resource_id, owner, change }: { resource_id: string; owner: Owner | null; change: Reassignment },
  { now, ids }: { now: Temporal.Instant; ids: Ids },
): Promise<void> {
  const { cut, moved, lost } = change
  const { tenant_id, deployment_id } = owner ?? { tenant_id: null, deployment_id: null }
  if (cut !== null) {
    await tx
      .updateTable('inventory.span')
      .set({ ends_at: cut.ends_at, changed_at: now })
      .where('id', '=', cut.id)
      .execute()
    await tx
      .insertInto('inventory.span')
      .values({ id: ids.uuid(), resource_id, ...cut.rest, tags: [...cut.rest.tags], changed_at: now })
      .execute()
  }
  if (moved.length > 0) {
    await tx
      .updateTable('inventory.span')
      .set({ tenant_id, deployment_id, changed_at: now })
      .where('id', 'in', moved)
      .execute()
  }
  const losses = lost.map((loss) => ({ id: ids.uuid(), ...loss, changed_at: now }))
  await insertRows(tx, 'inventory.ownership_change', losses)
}
