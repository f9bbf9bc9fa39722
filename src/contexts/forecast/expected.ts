import { type Decimal, decimal, larger, plain, round, share, smaller, sum, ZERO } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { minorUnitPlaces } from '../../kernel/money.ts'
import {
  earlierInstant,
  instantsOf,
  laterInstant,
  type Period,
  secondsWithin,
  type Window,
} from '../../kernel/period.ts'
import { PROVIDER_ZONE } from '../../providers/bill-line.ts'
import {
  BACKUP_PLANS,
  CAP_HOURS,
  MINIMUM_KINDS,
  monthlyPrice,
  timeRule,
  WEEKLY_BACKUPS_MAX,
} from '../../providers/digitalocean/index.ts'

/** The provider bills in nothing else. */
export const CURRENCY = 'USD'

/** What a resource was for a while. A `resource_id` of null is the account itself, which `name` then tells apart. */
export type RentedSpan = {
  readonly resource_id: string | null
  readonly kind: string
  readonly name: string
  readonly size: string
  /** GiB; 0 for what is not sold by its size. */
  readonly size_gb: string
  /** As the provider told it; null where it tells none. */
  readonly price_monthly: string | null
  /** What it was taken of or is a part of, where that is known. */
  readonly parent_id: string | null
  readonly parent_name: string | null
  readonly starts_at: Temporal.Instant
  /** Null: it still exists. */
  readonly ends_at: Temporal.Instant | null
}

/** What is billed together: a cluster with its nodes, the backups of one droplet, the snapshots of one droplet. */
export type Subject = { readonly kind: string; readonly resource_id: string | null; readonly name: string }

/** Exact amounts of whole cents, in major units; null where the price of any part of it is not known. */
export type Expected = Subject & {
  readonly so_far: string | null
  readonly month_end: string | null
  /** What has no known price: `size of kind`, each once. */
  readonly unpriced: readonly string[]
}

/**
 * What a month costs by its spans and the price book: up to `now`, and up to its end if everything stays as it is. A
 * month that is over has both the same. In no order; what costs nothing is left out.
 */
export function expectedCosts(spans: readonly RentedSpan[], month: Period, now: Temporal.Instant): Expected[] {
  const whole = instantsOf(month, PROVIDER_ZONE)
  const past = { start: whole.start, end: laterInstant(whole.start, earlierInstant(whole.end, now)) }
  const so_far = costsIn(spans, { month, window: past, is_projected: false })
  const is_projected = Temporal.Instant.compare(past.end, whole.end) < 0
  const month_end = costsIn(spans, { month, window: whole, is_projected })
  return [...month_end].flatMap(([key, { subject, amount, unpriced }]) => {
    if (unpriced.size > 0) return { ...subject, so_far: null, month_end: null, unpriced: [...unpriced].toSorted() }
    if (amount.eq(ZERO)) return []
    return { ...subject, so_far: plain(so_far.get(key)?.amount ?? ZERO), month_end: plain(amount), unpriced: [] }
  })
}

/** Where a resource, or a line of a bill about it, is billed: parts are billed with what they are a part of. */
export function subjectOf(of: {
  /** Of the line, or of the resource where there is no line. */
  readonly kind: string
  readonly resource_kind: string
  readonly resource_id: string | null
  readonly name: string
  readonly parent_id: string | null
  readonly parent_name: string | null
}): Subject {
  const { kind, resource_kind, resource_id, name, parent_id, parent_name } = of
  const isPart = PARTS.has(resource_kind) && parent_id !== null
  return {
    kind: TAKEN_OF.has(kind) ? kind : resource_kind === 'kubernetes_node' ? 'kubernetes_cluster' : resource_kind,
    resource_id: isPart ? parent_id : resource_id,
    name: isPart ? (parent_name ?? name) : name,
  }
}

/** What is known by its resource, or, where it has none, by its name. */
export function keyOf({ kind, resource_id, name }: Subject): string {
  return JSON.stringify([kind, resource_id ?? name])
}

const TAKEN_OF: ReadonlySet<string> = new Set(['backup', 'snapshot'])
const PARTS: ReadonlySet<string> = new Set([...TAKEN_OF, 'kubernetes_node'])

const SECONDS_PER_HOUR = decimal('3600')
const CAP_SECONDS = decimal(CAP_HOURS).times(SECONDS_PER_HOUR)

type Cost = { readonly subject: Subject; amount: Decimal; readonly unpriced: Set<string> }

/** `is_projected`: the window reaches into time to come. */
type Scope = { readonly month: Period; readonly window: Window; readonly is_projected: boolean }

function costsIn(spans: readonly RentedSpan[], scope: Scope): Map<string, Cost> {
  const { backups = [], others = [] } = Object.groupBy(spans, ({ kind }) => (kind === 'backup' ? 'backups' : 'others'))
  const costs = new Map<string, Cost>()
  for (const { subject, amount, unpriced } of [
    ...expectedLines(others, scope),
    ...backupLines(backups, others, scope),
  ]) {
    const key = keyOf(subject)
    const cost = costs.get(key) ?? { subject, amount: ZERO, unpriced: new Set() }
    if (amount === null) cost.unpriced.add(unpriced)
    else cost.amount = cost.amount.plus(round(amount, minorUnitPlaces(CURRENCY)))
    costs.set(key, cost)
  }
  return costs
}

/** One line of a bill as it is expected, not rounded; where a price is not known, of what. */
type ExpectedLine = { readonly subject: Subject } & (
  | { readonly amount: Decimal; readonly unpriced?: never }
  | { readonly amount: null; readonly unpriced: string }
)

/**
 * A resource is billed once for each price that it had: its time at one price adds up, however the spans are cut, and
 * costs that price at most.
 */
export function expectedLines(
  spans: readonly RentedSpan[],
  { month, window }: Pick<Scope, 'month' | 'window'>,
): ExpectedLine[] {
  const lived = spans.flatMap((span) => {
    const seconds = secondsWithin(window, { start: span.starts_at, end: span.ends_at })
    return seconds > 0n ? { ...span, seconds, price: priceOf(span, month) } : []
  })
  const groups = Map.groupBy(lived, ({ kind, resource_id, name, size, price }) =>
    JSON.stringify([kind, resource_id ?? name, price === null ? size : plain(price)]),
  )
  return [...groups.values()].map((group) => {
    const span = present(
      group.toSorted((a, b) => Temporal.Instant.compare(b.starts_at, a.starts_at))[0],
      'a group is not empty',
    )
    const { kind, size, price } = span
    const subject = subjectOf({ ...span, resource_kind: kind })
    if (price === null) return { subject, amount: null, unpriced: `${kind} ${size}` }
    const seconds = sum(group.map((part) => decimal(part.seconds)))
    return { subject, amount: costOf({ kind, price, seconds }, month) }
  })
}

function priceOf(span: RentedSpan, month: Period): Decimal | null {
  return span.price_monthly === null ? monthlyPrice(span, month.start) : decimal(span.price_monthly)
}

function costOf({ kind, price, seconds }: { kind: string; price: Decimal; seconds: Decimal }, month: Period): Decimal {
  const { unit, min_seconds, min_amount } = timeRule(month.start)
  const counted = unit === 'hour' ? wholeHours(seconds) : seconds
  if (!MINIMUM_KINDS.has(kind)) return share(price, smaller(counted, CAP_SECONDS), CAP_SECONDS)
  const billed = smaller(larger(counted, decimal(min_seconds)), CAP_SECONDS)
  return larger(share(price, billed, CAP_SECONDS), smaller(decimal(min_amount), price))
}

/** Those that have passed. */
function wholeHours(seconds: Decimal): Decimal {
  return seconds.div(SECONDS_PER_HOUR).truncated().times(SECONDS_PER_HOUR)
}

/** The backups of a droplet cost a part of what the droplet costs. */
function backupLines(backups: readonly RentedSpan[], others: readonly RentedSpan[], scope: Scope): ExpectedLine[] {
  const spansOf = Map.groupBy(others, ({ resource_id }) => resource_id)
  const byDroplet = Map.groupBy(backups, ({ parent_id, resource_id }) => parent_id ?? resource_id)
  return [...byDroplet].flatMap(([droplet_id, taken]) => {
    const droplet = droplet_id === null ? [] : (spansOf.get(droplet_id) ?? [])
    const part = backupShare(taken, { ...scope, is_alive: droplet.some(({ ends_at }) => ends_at === null) })
    const [first] = taken
    if (first === undefined || part.eq(ZERO)) return []
    const subject = subjectOf({ ...first, resource_kind: first.kind })
    const lines = expectedLines(droplet, scope)
    const unpriced = lines.length === 0 ? 'backup of an unknown droplet' : lines.find((line) => line.unpriced)?.unpriced
    if (unpriced !== undefined) return { subject, amount: null, unpriced }
    return { subject, amount: sum(lines.map(({ amount }) => amount ?? ZERO)).times(part) }
  })
}

/** By the number taken in the window; to the end of a running month, all that the plan will take of a living droplet. */
function backupShare(
  spans: readonly RentedSpan[],
  { window, is_projected, is_alive }: Scope & { is_alive: boolean },
): Decimal {
  const taken = countResources(spans.filter(({ starts_at }) => isWithin(starts_at, window)))
  const kept = countResources(spans.filter(({ ends_at }) => ends_at === null))
  const { weekly, daily } = BACKUP_PLANS
  if (taken === 0 && !(is_projected && kept > 0)) return ZERO
  if (Math.max(taken, kept) > WEEKLY_BACKUPS_MAX) return decimal(daily.share)
  if (is_projected && is_alive) return decimal(weekly.share)
  return smaller(decimal(weekly.share), decimal(weekly.share_each).times(decimal(BigInt(taken))))
}

function countResources(spans: readonly RentedSpan[]): number {
  return new Set(spans.map(({ resource_id }) => resource_id)).size
}

function isWithin(at: Temporal.Instant, { start, end }: Window): boolean {
  return Temporal.Instant.compare(start, at) <= 0 && Temporal.Instant.compare(at, end) < 0
}
