import { laterInstant } from '../../kernel/period.ts'
import { type ListedResource, RESOURCE_KINDS, type ResourceKind, type Unread } from '../../providers/listed-resource.ts'

export { type ListedResource, RESOURCE_KINDS, type ResourceKind }

/** Every kind that is named here is listed whole: what is missing from it, and not `unread`, no longer exists. */
export type Inventory = {
  readonly provider: string
  readonly kinds: readonly { readonly kind: ResourceKind; readonly resources: readonly ListedResource[] }[]
  /** Left out: everything could be read. */
  readonly unread?: readonly Unread[]
  /** When the listing began, in whole seconds. */
  readonly seen_at: Temporal.Instant
}

/** The kinds that were not listed later already. `listed_at` is when the recorded listing of each kind began. */
export function withoutOutdated(inventory: Inventory, listed_at: ReadonlyMap<string, Temporal.Instant>): Inventory {
  const { kinds, seen_at } = inventory
  const isOutdated = (latest: Temporal.Instant | undefined) =>
    latest !== undefined && Temporal.Instant.compare(latest, seen_at) > 0
  return { ...inventory, kinds: kinds.filter(({ kind }) => !isOutdated(listed_at.get(kind))) }
}

export type Owner = { readonly tenant_id: string; readonly deployment_id: string }

export type Span = {
  readonly id: string
  readonly starts_at: Temporal.Instant
  readonly ends_at: Temporal.Instant | null
  readonly name: string
  readonly size: string
  readonly size_gb: string
  readonly project: string | null
  /** In order. */
  readonly tags: readonly string[]
  /** US dollars, a decimal string; null where the provider tells no price. */
  readonly price_monthly: string | null
  readonly tenant_id: string | null
  readonly deployment_id: string | null
}

/** A tag that names a deployment, in lower case: providers do not keep the case of tags. */
export function deploymentTags(tags: readonly string[]): string[] {
  return tags.map((tag) => tag.toLowerCase()).filter((tag) => tag.startsWith('arcadia:'))
}

/** The deployment that the tags name. Tags that name two deployments name none. */
export function ownerByTags(tags: readonly string[], owners: ReadonlyMap<string, Owner>): Owner | null {
  const named = deploymentTags(tags).flatMap((tag) => owners.get(tag) ?? [])
  const [first] = named
  return first !== undefined && named.every((owner) => owner.deployment_id === first.deployment_id) ? first : null
}

export function isOwnedBy(span: Pick<Span, 'deployment_id'>, owner: Owner | null): boolean {
  return span.deployment_id === (owner?.deployment_id ?? null)
}

/** How spans change when a resource belongs to another owner from some time on. */
export type Reassignment = {
  /** The span that the time falls into: it ends there, and goes on as the new span. */
  readonly cut: { readonly id: string; readonly ends_at: Temporal.Instant; readonly rest: Omit<Span, 'id'> } | null
  /** Later spans, which change their owner as they are. */
  readonly moved: readonly string[]
  /** What former owners had until now, so that what they were billed for it can be corrected. */
  readonly lost: readonly (Owner & Pick<Span, 'starts_at' | 'ends_at'>)[]
}

export function reassign(spans: readonly Span[], owner: Owner | null, from: Temporal.Instant): Reassignment {
  const affected = spans.filter((span) => endsAfter(span, from) && !isOwnedBy(span, owner))
  const cut = affected.find((span) => Temporal.Instant.compare(span.starts_at, from) < 0)
  const { tenant_id, deployment_id } = owner ?? { tenant_id: null, deployment_id: null }
  return {
    cut: cut
      ? { id: cut.id, ends_at: from, rest: { ...withoutId(cut), starts_at: from, tenant_id, deployment_id } }
      : null,
    moved: affected.filter((span) => span !== cut).map((span) => span.id),
    lost: affected.flatMap(({ tenant_id, deployment_id, starts_at, ends_at }) =>
      tenant_id === null || deployment_id === null
        ? []
        : { tenant_id, deployment_id, starts_at: laterInstant(starts_at, from), ends_at },
    ),
  }
}

/** A resource that never had an owner gets it for its whole life: until then nobody had told whose it was. */
export function assignmentStart(
  resource: { readonly born_at: Temporal.Instant; readonly spans: readonly Span[] },
  { from, now }: { from: Temporal.Instant | null; now: Temporal.Instant },
): Temporal.Instant {
  if (from !== null) return laterInstant(wholeSeconds(from), resource.born_at)
  const wasAssigned = resource.spans.some((span) => span.deployment_id !== null)
  return wasAssigned ? laterInstant(wholeSeconds(now), resource.born_at) : resource.born_at
}

export function wholeSeconds(at: Temporal.Instant): Temporal.Instant {
  return at.round({ smallestUnit: 'second', roundingMode: 'floor' })
}

function endsAfter(span: Span, at: Temporal.Instant): boolean {
  return span.ends_at === null || Temporal.Instant.compare(span.ends_at, at) > 0
}

function withoutId({ id: _id, ...rest }: Span): Omit<Span, 'id'> {
  return rest
}
