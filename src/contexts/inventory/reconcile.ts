import { laterInstant } from '../../kernel/period.ts'
import {
  type Inventory,
  isOwnedBy,
  type ListedResource,
  type Owner,
  ownerByTags,
  type ResourceKind,
  type Span,
  wholeSeconds,
} from './resource.ts'

/** A resource as it is stored: those that are alive, and those that are listed again. */
export type KnownResource = {
  readonly id: string
  readonly kind: ResourceKind
  readonly external_id: string
  readonly project: string | null
  readonly born_at: Temporal.Instant
  /** By hand; beats tags. */
  readonly assigned: Owner | null
  readonly was_ever_assigned: boolean
  readonly open_span: Span | null
}

export type ResourceState = {
  readonly id: string
  readonly kind: ResourceKind
  readonly external_id: string
  readonly name: string
  readonly region: string | null
  readonly project: string | null
  readonly tags: readonly string[]
  readonly born_at: Temporal.Instant
  /** Null: what is known of it stays. */
  readonly parent_kind: ResourceKind | null
  readonly parent_external_id: string | null
}
export type NewSpan = Omit<Span, 'ends_at'> & { readonly resource_id: string }

/** What a listing changes. Applied in the order of the fields. */
export type Changes = {
  readonly born: ResourceState[]
  readonly seen: ResourceState[]
  readonly gone: { id: string; gone_at: Temporal.Instant }[]
  /** Resources whose first owner is known now: it owns their whole life. */
  readonly adopted: ({ resource_id: string } & Owner)[]
  /** Spans that would end as they start. */
  readonly dropped: string[]
  readonly closed: { id: string; ends_at: Temporal.Instant }[]
  readonly opened: NewSpan[]
}

/**
 * Compares a listing with what is stored. A change of name, size, project, tags, price or owner ends the open span at
 * `seen_at` and opens the next one there.
 */
export function reconcile(
  inventory: Inventory,
  stored: { readonly known: readonly KnownResource[]; readonly owners: ReadonlyMap<string, Owner> },
  newId: () => string,
): Changes {
  const changes: Changes = { born: [], seen: [], gone: [], adopted: [], dropped: [], closed: [], opened: [] }
  const { seen_at } = inventory
  const unseen = new Map(stored.known.map((known) => [keyOf(known), known]))
  for (const { kind, resources } of inventory.kinds) {
    for (const resource of resources) {
      const key = keyOf({ kind, external_id: resource.external_id })
      const known = unseen.get(key)
      unseen.delete(key)
      const listed = completed(resource, known, seen_at)
      const byTag = ownerByTags(listed.tags, stored.owners)
      if (known === undefined) addResource(changes, { kind, listed, owner: byTag, newId })
      else updateResource(changes, { kind, listed, known, owner: known.assigned ?? byTag, seen_at, newId })
    }
  }
  const isUnread = unreadAmong(inventory)
  for (const known of unseen.values()) if (!isUnread(known)) endResource(changes, known, seen_at)
  return changes
}

/** Whether a resource that was not listed may be one that could not be read: any of its kind, where one has no id. */
function unreadAmong({ unread = [] }: Inventory): (known: KnownResource) => boolean {
  const keys = new Set(
    unread.flatMap(({ kind, external_id }) => (external_id === null ? [] : keyOf({ kind, external_id }))),
  )
  const nameless = new Set(unread.flatMap(({ kind, external_id }) => (external_id === null ? identityOf(kind) : [])))
  return (known) => nameless.has(identityOf(known.kind)) || keys.has(keyOf(known))
}

/** The resources whose spans are new or other than before. */
export function changedResources({ gone, adopted, opened }: Changes): string[] {
  const touched = [...gone.map(({ id }) => id), ...[...adopted, ...opened].map(({ resource_id }) => resource_id)]
  return [...new Set(touched)]
}

/** A droplet may turn out to be a node of a cluster after it was first listed: it is the same thing under one id. */
export function identityOf(kind: ResourceKind): ResourceKind {
  return kind === 'kubernetes_node' ? 'droplet' : kind
}

/** A listed resource with what the provider did not tell. */
type Completed = Omit<ListedResource, 'project' | 'born_at'> & { project: string | null; born_at: Temporal.Instant }

function completed(listed: ListedResource, known: KnownResource | undefined, seen_at: Temporal.Instant): Completed {
  return {
    ...listed,
    project: listed.project === undefined ? (known?.project ?? null) : listed.project,
    born_at: wholeSeconds(listed.born_at ?? seen_at),
    tags: [...new Set(listed.tags)].toSorted(),
  }
}

type Listed = { kind: ResourceKind; listed: Completed; owner: Owner | null; newId: () => string }

function addResource(changes: Changes, { kind, listed, owner, newId }: Listed): void {
  const resource = stateOf(newId(), kind, listed)
  changes.born.push(resource)
  changes.opened.push(newSpan({ id: newId(), resource_id: resource.id, starts_at: resource.born_at, listed, owner }))
}

function updateResource(
  changes: Changes,
  { kind, listed, known, owner, seen_at, newId }: Listed & { known: KnownResource; seen_at: Temporal.Instant },
): void {
  changes.seen.push(stateOf(known.id, kind, listed))
  const adopted = owner !== null && !known.was_ever_assigned
  if (adopted) changes.adopted.push({ resource_id: known.id, ...owner })
  const open = known.open_span && (adopted ? { ...known.open_span, ...owner } : known.open_span)
  if (open !== null && isAsListed(open, listed) && isOwnedBy(open, owner)) return
  if (open !== null) endSpan(changes, open, seen_at)
  const starts_at = laterInstant(seen_at, open?.starts_at ?? known.born_at)
  changes.opened.push(newSpan({ id: newId(), resource_id: known.id, starts_at, listed, owner }))
}

function endResource(changes: Changes, known: KnownResource, seen_at: Temporal.Instant): void {
  const gone_at = laterInstant(seen_at, known.born_at)
  changes.gone.push({ id: known.id, gone_at })
  if (known.open_span !== null) endSpan(changes, known.open_span, gone_at)
}

function endSpan(changes: Changes, span: Span, at: Temporal.Instant): void {
  if (Temporal.Instant.compare(span.starts_at, at) >= 0) changes.dropped.push(span.id)
  else changes.closed.push({ id: span.id, ends_at: at })
}

function stateOf(id: string, kind: ResourceKind, listed: Completed): ResourceState {
  const { external_id, name, region, project, tags, born_at, parent } = listed
  const [parent_kind, parent_external_id] = [parent?.kind ?? null, parent?.external_id ?? null]
  return { id, kind, external_id, name, region, project, tags, born_at, parent_kind, parent_external_id }
}

function newSpan(of: {
  id: string
  resource_id: string
  starts_at: Temporal.Instant
  listed: Completed
  owner: Owner | null
}): NewSpan {
  const { id, resource_id, starts_at, listed, owner } = of
  const { name, size, size_gb, project, tags, price_monthly } = listed
  const { tenant_id, deployment_id } = owner ?? { tenant_id: null, deployment_id: null }
  return { id, resource_id, starts_at, name, size, size_gb, project, tags, price_monthly, tenant_id, deployment_id }
}

function isAsListed(span: Span, listed: Completed): boolean {
  return (
    span.name === listed.name &&
    span.size === listed.size &&
    span.size_gb === listed.size_gb &&
    span.project === listed.project &&
    span.price_monthly === listed.price_monthly &&
    span.tags.length === listed.tags.length &&
    span.tags.toSorted().every((tag, index) => tag === listed.tags[index])
  )
}

function keyOf({ kind, external_id }: { kind: ResourceKind; external_id: string }): string {
  return `${identityOf(kind)} ${external_id}`
}
