/** What can be rented. A project costs nothing itself: it says whose the things in it are. */
export const RESOURCE_KINDS = [
  'droplet',
  'kubernetes_node',
  'volume',
  'database',
  'kubernetes_cluster',
  'load_balancer',
  'reserved_ip',
  'snapshot',
  'backup',
  'app',
  'container_registry',
  'project',
] as const
export type ResourceKind = (typeof RESOURCE_KINDS)[number]

/** What a resource was taken of, or what it is a part of, under the provider's own id. */
export type ResourceParent = { readonly kind: ResourceKind; readonly external_id: string }

/** A resource as a provider lists it now: what every reader of an inventory makes of it. */
export type ListedResource = {
  readonly external_id: string
  readonly name: string
  /**
   * What its price depends on, in the provider's own words: `s-1vcpu-1gb`; parts with their count where there are
   * several, `db-s-1vcpu-1gb x2`, `s-1vcpu-2gb x3 + ha`. Blank for what has no size.
   */
  readonly size: string
  /** A decimal string; 0 for what is not sold by its size. */
  readonly size_gb: string
  readonly region: string | null
  /** The project's name. Left out when the provider does not tell: then it stays what it was. */
  readonly project?: string | null
  readonly tags: readonly string[]
  /** Null when the provider does not tell: then it begins when it is first listed. */
  readonly born_at: Temporal.Instant | null
  readonly parent: ResourceParent | null
  /** US dollars, a decimal string, from the provider itself; null where it tells no price. */
  readonly price_monthly: string | null
}

/** A kind that the token may not list, or that the provider does not know, and what would help. */
export type NotListed = { readonly kind: ResourceKind; readonly reason: string; readonly scope: string }

/** An object of a list that could not be read, and why. */
export type Unread = {
  readonly kind: ResourceKind
  /** Null where not even that could be read: then nothing of its kind may be taken for gone. */
  readonly external_id: string | null
  readonly reason: string
}

/** Every kind is in one of the first two: listed whole, but for what is `unread`, or not at all. */
export type ListedInventory = {
  readonly kinds: readonly { readonly kind: ResourceKind; readonly resources: readonly ListedResource[] }[]
  readonly not_listed: readonly NotListed[]
  /** Left out: none is. */
  readonly unread?: readonly Unread[]
}
