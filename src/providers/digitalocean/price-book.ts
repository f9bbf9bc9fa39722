import { type Decimal, decimal, sum } from '../../kernel/decimal.ts'

/**
 * What a month of a thing costs, in US dollars, from a day on. It is asked only where the provider's API tells no price
 * of a resource itself. What is not in it has no known price, which is not 0.
 */
type PriceEntry = {
  readonly valid_from: string
  /** As the inventory names kinds. */
  readonly kind: string
  /** A size of the inventory or a part of one: `s-1vcpu-1gb`, `regional` for `regional x2`. Null is any other. */
  readonly size: string | null
  readonly price_monthly: string
  readonly per: 'resource' | 'gib'
  /** Holds for that much storage only. */
  readonly included_gb?: string
  readonly source: string
}

/** How long a resource is billed for, from a day on. */
type TimeRule = {
  readonly valid_from: string
  /** Whole hours that have passed, or seconds. */
  readonly unit: 'hour' | 'second'
  /** Seconds and dollars that the machines of `MINIMUM_KINDS` are billed for at least. */
  readonly min_seconds: string
  readonly min_amount: string
  readonly source: string
}

/** Hours that make a full month's price: 28 days. A month never costs more. */
export const CAP_HOURS = '672'

/** Kinds to which the minimum of a time rule applies: machines. */
export const MINIMUM_KINDS: ReadonlySet<string> = new Set(['droplet', 'kubernetes_node'])

/**
 * Backups cost a part of their droplet's month, whatever their size: weekly ones each a quarter of the whole of it.
 * Source: the provider's documentation, "Backups Pricing", March 2026; a bill of March 2025 (five weekly backups: 20 %).
 */
export const BACKUP_PLANS = { weekly: { share: '0.20', share_each: '0.05' }, daily: { share: '0.30' } } as const

/** No list tells the plan; more backups than a month has weeks are daily ones. */
export const WEEKLY_BACKUPS_MAX = 5

/** What a month of the resource cost on `day`; null where the price of any part of it is not known. */
export function monthlyPrice(
  { kind, size, size_gb }: { readonly kind: string; readonly size: string; readonly size_gb: string },
  day: Temporal.PlainDate,
): Decimal | null {
  const entries = PRICE_BOOK.filter(
    (entry) =>
      entry.kind === kind && (entry.included_gb === undefined || decimal(size_gb).lte(decimal(entry.included_gb))),
  )
  const whole = validOn(
    entries.filter((entry) => entry.size === size),
    day,
  )
  if (whole !== undefined) return priceOf(whole, size_gb)
  const parts = partsOf(size).map(({ part, count }) => {
    const named = entries.filter((entry) => entry.size === part)
    const entry = validOn(named.length > 0 ? named : entries.filter((any) => any.size === null), day)
    return entry === undefined ? null : priceOf(entry, size_gb).times(decimal(count))
  })
  return parts.every((price) => price !== null) ? sum(parts) : null
}

/** The oldest rule holds for all time before it, too. */
export function timeRule(day: Temporal.PlainDate): TimeRule {
  return validOn(TIME_RULES, day) ?? OLDEST_TIME_RULE
}

function priceOf({ per, price_monthly }: PriceEntry, size_gb: string): Decimal {
  return per === 'gib' ? decimal(price_monthly).times(decimal(size_gb)) : decimal(price_monthly)
}

/** `s-1vcpu-2gb x3 + ha` is three of one and one of the other. */
function partsOf(size: string): { part: string; count: string }[] {
  return size.split(' + ').map((text) => {
    const [, part = text, count = '1'] = /^(.*) x(\d+)$/.exec(text) ?? []
    return { part, count }
  })
}

function validOn<E extends { readonly valid_from: string }>(
  entries: readonly E[],
  day: Temporal.PlainDate,
): E | undefined {
  const until = day.toString()
  return entries
    .filter(({ valid_from }) => valid_from <= until)
    .toSorted((a, b) => (a.valid_from < b.valid_from ? -1 : 1))
    .at(-1)
}

const OLDEST_TIME_RULE: TimeRule = {
  valid_from: '2012-01-01',
  unit: 'hour',
  min_seconds: '3600',
  min_amount: '0.01',
  source: 'bills of January 2019: 446.3 and 297.5 hours billed as 446 and 297',
}

const TIME_RULES: readonly TimeRule[] = [
  OLDEST_TIME_RULE,
  {
    valid_from: '2026-01-01',
    unit: 'second',
    min_seconds: '60',
    min_amount: '0.01',
    source: 'the provider’s documentation, "Kubernetes Pricing" and "Droplet Pricing", 2026',
  },
]

const CHANGE_OF_2022 = 'the provider’s price change of 1 July 2022'
const REGISTRIES = 'the provider’s price page, "Container Registry", 2026'
const BEFORE_2022 = 'prices before the provider’s price change of 1 July 2022'

const PRICE_BOOK: readonly PriceEntry[] = [
  ...machines('2018-01-01', `${BEFORE_2022}; bills of January 2019`, [
    ['s-1vcpu-1gb', '5'],
    ['s-1vcpu-2gb', '10'],
    ['s-2vcpu-2gb', '15'],
    ['s-2vcpu-4gb', '20'],
    ['s-4vcpu-8gb', '40'],
    ['s-8vcpu-16gb', '80'],
  ]),
  ...machines('2022-07-01', `${CHANGE_OF_2022}; bills of March 2025`, [
    ['s-1vcpu-512mb-10gb', '4'],
    ['s-1vcpu-1gb', '6'],
    ['s-1vcpu-2gb', '12'],
    ['s-2vcpu-2gb', '18'],
    ['s-2vcpu-4gb', '24'],
    ['s-4vcpu-8gb', '48'],
    ['s-8vcpu-16gb', '96'],
    ...premium('s-1vcpu-1gb', '7'),
    ...premium('s-1vcpu-2gb', '14'),
    ...premium('s-2vcpu-2gb', '21'),
    ...premium('s-2vcpu-4gb', '28'),
    ...premium('s-4vcpu-8gb', '56'),
    ...premium('s-8vcpu-16gb', '112'),
  ]),
  ...machines('2025-01-01', 'the provider’s price page, "GPU Droplets", 2026: 0.76 and 23.92 an hour', [
    ['gpu-4000adax1-20gb', '510.72'],
    ['gpu-h100x8-640gb', '16074.24'],
  ]),
  price('volume', null, {
    valid_from: '2016-07-01',
    price_monthly: '0.10',
    per: 'gib',
    source: 'a bill of January 2019: 100 GB for 10.00',
  }),
  price('snapshot', null, { valid_from: '2018-01-01', price_monthly: '0.05', per: 'gib', source: BEFORE_2022 }),
  price('snapshot', null, {
    valid_from: '2022-07-01',
    price_monthly: '0.06',
    per: 'gib',
    source: `${CHANGE_OF_2022}; a bill of March 2025: 10.15 GB for 0.61`,
  }),
  price('database', 'db-s-1vcpu-1gb x1', {
    valid_from: '2024-01-01',
    price_monthly: '15.15',
    included_gb: '10',
    source: 'the provider’s price page, "Managed Databases", 2026: the smallest plan, of one node',
  }),
  // A cluster's nodes are resources of their own.
  price('kubernetes_cluster', null, {
    valid_from: '2018-01-01',
    price_monthly: '0',
    source: 'the provider’s documentation, "Kubernetes Pricing", 2026: the control plane is free',
  }),
  price('kubernetes_cluster', 'ha', {
    valid_from: '2022-07-01',
    price_monthly: '40',
    source: 'the provider’s documentation, "Kubernetes Pricing", 2026: high availability',
  }),
  price('load_balancer', 'regional', {
    valid_from: '2018-01-01',
    price_monthly: '10',
    source: 'the provider’s documentation, "Load Balancers", 2021: each node',
  }),
  price('load_balancer', 'regional', {
    valid_from: '2022-07-01',
    price_monthly: '12',
    source: `${CHANGE_OF_2022}: each node`,
  }),
  price('reserved_ip', 'assigned', {
    valid_from: '2018-01-01',
    price_monthly: '0',
    source: 'the words of the bills: "Unused Floating IP"',
  }),
  price('reserved_ip', 'unassigned', {
    valid_from: '2018-01-01',
    price_monthly: '4',
    source: 'the provider’s example of a bill, July 2020: 522 hours for 3.11',
  }),
  price('reserved_ip', 'unassigned', { valid_from: '2022-07-01', price_monthly: '5', source: CHANGE_OF_2022 }),
  price('container_registry', 'starter', { valid_from: '2021-01-01', price_monthly: '0', source: REGISTRIES }),
  price('container_registry', 'basic', { valid_from: '2021-01-01', price_monthly: '5', source: REGISTRIES }),
  price('container_registry', 'professional', { valid_from: '2021-01-01', price_monthly: '20', source: REGISTRIES }),
  price('spaces', null, {
    valid_from: '2018-01-01',
    price_monthly: '5',
    source: 'the words of the bills: "Spaces ($5/mo 250GiB storage & 1TiB bandwidth)"',
  }),
]

function machines(
  valid_from: string,
  source: string,
  prices: readonly (readonly [size: string, price_monthly: string])[],
): PriceEntry[] {
  return prices.flatMap(([size, price_monthly]) =>
    [...MINIMUM_KINDS].map((kind) => price(kind, size, { valid_from, price_monthly, source })),
  )
}

/** One price for the machines of either maker. */
function premium(size: string, price_monthly: string): [string, string][] {
  return ['amd', 'intel'].map((maker) => [`${size}-${maker}`, price_monthly])
}

function price(
  kind: string,
  size: string | null,
  terms: Omit<PriceEntry, 'kind' | 'size' | 'per'> & Partial<Pick<PriceEntry, 'per'>>,
): PriceEntry {
  return { kind, size, per: 'resource', ...terms }
}
