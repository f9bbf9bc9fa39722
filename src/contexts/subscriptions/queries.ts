import { type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { present } from '../../kernel/invariant.ts'
import { dateIn, isBefore, isTimeZone, overlap, type Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import type {
  AddonTerms,
  Charge,
  DiscountTerms,
  LineKind,
  Phase as BilledPhase,
  PriceOverride,
} from '../pricing/index.ts'
import type { Phase } from './phase.ts'
import { hasEnded, notOver, type Standing, standingAt } from './status.ts'

type Span = { start: Temporal.PlainDate; end: Temporal.PlainDate | null }

/**
 * A subscription as it is billed: open ends are null, and only phases and add-ons of the asked period are there, but all
 * discounts: a plan year is given back under those of its first month. A phase is of the period also where it ends on
 * one of its days: what is used on the day that a subscription ends is billed by the last one. `yearly_phases` are all
 * phases ever under yearly plan versions, which `planYear` counts the years of. `overrides`, by id, are what the phases
 * name.
 */
export type BilledSubscription = {
  tenant_id: string
  deployment_id: string
  subscription_id: string
  starts_on: Temporal.PlainDate
  ends_on: Temporal.PlainDate | null
  phases: BilledPhase[]
  addons: (AddonTerms & Span)[]
  /** In the order in which they apply. */
  discounts: (DiscountTerms & Span)[]
  yearly_phases: BilledPhase[]
  overrides: ReadonlyMap<string, PriceOverride>
}

export type SubscriptionFilter = { period: Period; tenant_ids?: readonly string[]; deployment_id?: string }

/**
 * Every subscription that has a day in the period or ends on one, by tenant and deployment slug, in five statements
 * whatever their number.
 */
export async function readSubscriptions(reader: Reader, filter: SubscriptionFilter): Promise<BilledSubscription[]> {
  const rows = await reader
    .selectFrom('subscriptions.subscription as s')
    .innerJoin('deployments.deployment as d', (join) =>
      join.onRef('d.tenant_id', '=', 's.tenant_id').onRef('d.id', '=', 's.deployment_id'),
    )
    .leftJoin('subscriptions.phase as p', (join) =>
      join
        .onRef('p.tenant_id', '=', 's.tenant_id')
        .onRef('p.subscription_id', '=', 's.id')
        .on(touches('p', filter.period)),
    )
    .select(['s.tenant_id', 's.deployment_id', 's.id as subscription_id', 's.starts_on', 's.ends_on'])
    .select(['p.mode', 'p.plan_version_id', 'p.override_id', 'p.starts_on as start', 'p.ends_on as end'])
    .where(matches(filter))
    .orderBy('s.tenant_id')
    .orderBy('d.slug')
    .orderBy('s.starts_on')
    .orderBy('p.starts_on')
    .execute()
  const addons = await readBilledAddons(reader, filter)
  const discounts = await readBilledDiscounts(reader, filter)
  const yearly = await readYearlyPhases(reader, filter)
  const overrides = await readOverrides(reader, filter)
  return [...Map.groupBy(rows, (row) => row.subscription_id)].map(([id, phases]) => {
    const { tenant_id, deployment_id, starts_on, ends_on } = present(phases[0], 'a group has a row')
    return {
      tenant_id,
      deployment_id,
      subscription_id: id,
      starts_on,
      ends_on,
      phases: phases.flatMap(billedPhase),
      addons: addons.get(id) ?? [],
      discounts: discounts.get(id) ?? [],
      yearly_phases: yearly.get(id) ?? [],
      overrides: overrides.get(id) ?? new Map(),
    }
  })
}

/** The discounts that count in a month, which are those that have a day in it. */
export function discountsIn({ discounts }: Pick<BilledSubscription, 'discounts'>, month: Period): DiscountTerms[] {
  return discounts
    .filter((discount) => overlap(month, discount) !== undefined)
    .map(({ start: _start, end: _end, ...terms }) => terms)
}

async function readBilledAddons(reader: Reader, filter: SubscriptionFilter) {
  const rows = await reader
    .selectFrom('subscriptions.addon as a')
    .innerJoin('subscriptions.subscription as s', (join) =>
      join.onRef('s.tenant_id', '=', 'a.tenant_id').onRef('s.id', '=', 'a.subscription_id'),
    )
    .select(['s.id as subscription_id', 'a.id', 'a.code', 'a.name', 'a.price_cents', 'a.quantity', 'a.unit'])
    .select(['a.grants_meter', 'a.starts_on as start', 'a.ends_on as end'])
    .where(matches(filter))
    .where(touches('a', filter.period))
    .orderBy('a.starts_on')
    .orderBy('a.id')
    .execute()
  return bySubscription(rows)
}

async function readBilledDiscounts(reader: Reader, filter: SubscriptionFilter) {
  const rows = await reader
    .selectFrom('subscriptions.discount as c')
    .innerJoin('subscriptions.subscription as s', (join) =>
      join.onRef('s.tenant_id', '=', 'c.tenant_id').onRef('s.id', '=', 'c.subscription_id'),
    )
    .select(['s.id as subscription_id', 'c.id', 'c.name', 'c.rate', 'c.amount_cents', 'c.line_kinds'])
    .select(['c.starts_on as start', 'c.ends_on as end'])
    // The schema has let only kinds of lines in.
    .$narrowType<{ line_kinds: LineKind[] | null }>()
    .where(matches(filter))
    .orderBy('c.position')
    .execute()
  return bySubscription(rows)
}

async function readYearlyPhases(reader: Reader, filter: SubscriptionFilter): Promise<Map<string, BilledPhase[]>> {
  const rows = await reader
    .selectFrom('subscriptions.phase as p')
    .innerJoin('subscriptions.subscription as s', (join) =>
      join.onRef('s.tenant_id', '=', 'p.tenant_id').onRef('s.id', '=', 'p.subscription_id'),
    )
    .innerJoin('catalog.plan_version as v', 'v.id', 'p.plan_version_id')
    .select(['s.id as subscription_id', 'p.mode', 'p.plan_version_id', 'p.override_id'])
    .select(['p.starts_on as start', 'p.ends_on as end'])
    .where('v.interval', '=', 'year')
    .where(matches(filter))
    .orderBy('p.starts_on')
    .execute()
  return bySubscription(rows)
}

async function readOverrides(
  reader: Reader,
  filter: SubscriptionFilter,
): Promise<Map<string, Map<string, PriceOverride>>> {
  const rows = await reader
    .selectFrom('subscriptions.override as o')
    .innerJoin('subscriptions.subscription as s', (join) =>
      join.onRef('s.tenant_id', '=', 'o.tenant_id').onRef('s.id', '=', 'o.subscription_id'),
    )
    .select(['s.id as subscription_id', 'o.id', 'o.base_price_cents', 'o.commitment_cents'])
    .select(storedCharges('o.charges'))
    .where(matches(filter))
    .execute()
  return new Map(
    [...bySubscription(rows)].map(([id, overrides]) => [
      id,
      new Map(overrides.map(({ id: key, ...terms }) => [key, terms])),
    ]),
  )
}

/** Written from charges that the check has passed. */
function storedCharges(column: string) {
  return sql<Charge[] | null>`${sql.ref(column)}`.as('charges')
}

function bySubscription<R extends { subscription_id: string }>(
  rows: readonly R[],
): Map<string, Omit<R, 'subscription_id'>[]> {
  const grouped = Map.groupBy(rows, (row) => row.subscription_id)
  return new Map([...grouped].map(([id, own]) => [id, own.map(({ subscription_id: _subscription_id, ...row }) => row)]))
}

function matches({ period, tenant_ids, deployment_id }: SubscriptionFilter) {
  return sql<boolean>`(
    ${touches('s', period)}
    ${tenant_ids === undefined ? sql`` : sql`and s.tenant_id = ${anyOf(tenant_ids)}`}
    ${deployment_id === undefined ? sql`` : sql`and s.deployment_id = ${deployment_id}`})`
}

/**
 * Whether it has a day in the period or ends on one. Plain comparisons, because a batch of tenants may well be found by
 * reading all rows, and a range would have to be made of each.
 */
function touches(alias: 's' | 'p' | 'a', { start, end }: Period) {
  const [starts_on, ends_on] = [sql.ref(`${alias}.starts_on`), sql.ref(`${alias}.ends_on`)]
  return sql<boolean>`(${starts_on} < ${end}::date and (${ends_on} is null or ${ends_on} >= ${start}::date))`
}

function billedPhase(row: {
  mode: BilledPhase['mode'] | null
  plan_version_id: string | null
  override_id: string | null
  start: Temporal.PlainDate | null
  end: Temporal.PlainDate | null
}): BilledPhase[] {
  const { mode, plan_version_id, override_id, start, end } = row
  if (mode === null || plan_version_id === null || start === null) return []
  return [{ mode, plan_version_id, override_id, start, end }]
}

type Addon = Omit<Selectable<DB['subscriptions.addon']>, 'tenant_id' | 'subscription_id'>

/** A subscription with all that it was, is and will be. */
export type SubscriptionWhole = Pick<
  Selectable<DB['subscriptions.subscription']>,
  'id' | 'tenant_id' | 'deployment_id' | 'starts_on' | 'ends_on' | 'created_at'
> &
  Standing & {
    phases: (Omit<Phase, 'plan_version_id'> & { plan_code: string; plan_version: number })[]
    addons: Addon[]
    /** Those that hold on some day; the days are those of the phases that name them. */
    overrides: StoredOverride[]
    /** In the order in which they apply. */
    discounts: StoredDiscount[]
  }

type StoredOverride = {
  id: string
  base_price_cents: bigint | null
  commitment_cents: bigint | null
  charges: Charge[] | null
  created_at: Temporal.Instant
}

type StoredDiscount = Omit<DiscountTerms, 'id'> & {
  id: string
  starts_on: Temporal.PlainDate
  ends_on: Temporal.PlainDate | null
}

/** `scope` is the only tenant whose subscription is found; left out or null, any. Throws 404. */
export async function readSubscription(
  reader: Reader,
  id: string,
  { now, scope = null }: { now: Temporal.Instant; scope?: string | null },
): Promise<SubscriptionWhole> {
  const row = await reader
    .selectFrom('subscriptions.subscription as s')
    .innerJoin('tenants.tenant as t', 't.id', 's.tenant_id')
    .select(['s.id', 's.tenant_id', 's.deployment_id', 's.starts_on', 's.ends_on', 's.created_at'])
    .select(['s.trial_ends_on', 't.timezone'])
    .where('s.id', '=', id)
    .$if(scope !== null, (query) => query.where('s.tenant_id', '=', scope))
    .executeTakeFirst()
  const { trial_ends_on, timezone, ...subscription } = found(row, 'subscription')
  const { tenant_id } = subscription
  const phases = await reader
    .selectFrom('subscriptions.phase as p')
    .innerJoin('catalog.plan_version as v', 'v.id', 'p.plan_version_id')
    .select(['p.mode', 'p.starts_on', 'p.ends_on', 'v.plan_code', 'v.version as plan_version', 'p.override_id'])
    .where('p.tenant_id', '=', tenant_id)
    .where('p.subscription_id', '=', id)
    .orderBy('p.starts_on')
    .execute()
  const addons = await reader
    .selectFrom('subscriptions.addon')
    .select([
      'id',
      'code',
      'name',
      'price_cents',
      'currency',
      'quantity',
      'unit',
      'grants_meter',
      'starts_on',
      'ends_on',
    ])
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .orderBy('starts_on')
    .orderBy('code')
    .orderBy('id')
    .execute()
  const named = phases.flatMap((phase) => phase.override_id ?? [])
  const overrides = await reader
    .selectFrom('subscriptions.override')
    .select(['id', 'base_price_cents', 'commitment_cents', 'created_at'])
    .select(storedCharges('charges'))
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .where('id', '=', anyOf(named))
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  const discounts = await reader
    .selectFrom('subscriptions.discount')
    .select(['id', 'name', 'rate', 'amount_cents', 'line_kinds', 'starts_on', 'ends_on'])
    // The schema has let only kinds of lines in.
    .$narrowType<{ line_kinds: LineKind[] | null }>()
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .orderBy('position')
    .execute()
  const standing = standingAt(now, { ...subscription, trial_ends_on, timezone, phases })
  return { ...subscription, ...standing, phases, addons, overrides, discounts }
}

/** What a deployment runs on today, or will first when its subscription starts later. */
export type CurrentSubscription = Pick<SubscriptionWhole, 'id' | 'starts_on' | 'ends_on' | 'addons' | keyof Standing> &
  Pick<SubscriptionWhole['phases'][number], 'plan_code' | 'plan_version' | 'mode'>

export async function readCurrentSubscription(
  reader: Reader,
  { tenant_id, id: deployment_id }: { tenant_id: string; id: string },
  now: Temporal.Instant,
): Promise<CurrentSubscription | null> {
  const rows = await reader
    .selectFrom('subscriptions.subscription as s')
    .innerJoin('tenants.tenant as t', 't.id', 's.tenant_id')
    .select(['s.id', 's.starts_on', 's.ends_on', 't.timezone'])
    .where('s.tenant_id', '=', tenant_id)
    .where('s.deployment_id', '=', deployment_id)
    .orderBy('s.starts_on')
    .execute()
  const current = rows.find((row) => !hasEnded(row, dateIn(now, row.timezone)))
  if (current === undefined) return null
  const { phases, addons, ...subscription } = await readSubscription(reader, current.id, { now })
  const today = dateIn(now, current.timezone)
  const { plan_code, plan_version, mode } = present(notOver(phases, today)[0], 'it has days left')
  return { ...subscription, plan_code, plan_version, mode, addons: notOver(addons, today) }
}

/** What a change of a subscription is decided on. */
export type LockedSubscription = {
  tenant_id: string
  id: string
  deployment_id: string
  starts_on: Temporal.PlainDate
  ends_on: Temporal.PlainDate | null
  trial_ends_on: Temporal.PlainDate | null
  currency: string
  timezone: string
  phases: Phase[]
}

/** Locks subscriptions until the transaction ends, and reads their phases. */
export async function lockSubscriptions(
  reader: Reader,
  by: { id: string } | { deployment_id: string },
): Promise<LockedSubscription[]> {
  const rows = await reader
    .selectFrom('subscriptions.subscription as s')
    .innerJoin('tenants.tenant as t', 't.id', 's.tenant_id')
    .select(['s.tenant_id', 's.id', 's.deployment_id', 's.starts_on', 's.ends_on', 's.trial_ends_on'])
    .select(['t.currency', 't.timezone'])
    .where((row) => ('id' in by ? row('s.id', '=', by.id) : row('s.deployment_id', '=', by.deployment_id)))
    .orderBy('s.starts_on')
    .forNoKeyUpdate(['s'])
    .execute()
  const phases = await reader
    .selectFrom('subscriptions.phase')
    .select(['subscription_id', 'mode', 'plan_version_id', 'override_id', 'starts_on', 'ends_on'])
    .where('subscription_id', '=', anyOf(rows.map((row) => row.id)))
    .orderBy('starts_on')
    .execute()
  const own = bySubscription(phases)
  return rows.map((row) => ({ ...row, phases: own.get(row.id) ?? [] }))
}

/** Deployments on trial whose subscription's trial ends today or has ended, in the tenant's zone. */
export async function readEndedTrials(reader: Reader, now: Temporal.Instant): Promise<string[]> {
  const rows = await reader
    .selectFrom('deployments.deployment as d')
    .innerJoin('tenants.tenant as t', 't.id', 'd.tenant_id')
    .innerJoin('subscriptions.subscription as s', (join) =>
      join.onRef('s.tenant_id', '=', 'd.tenant_id').onRef('s.deployment_id', '=', 'd.id'),
    )
    .select(['d.id', 's.trial_ends_on', 's.ends_on', 't.timezone'])
    .where('d.state', '=', 'trial')
    // Nowhere is it later than the next day of UTC.
    .where('s.trial_ends_on', '<=', dateIn(now, 'UTC').add({ days: 1 }))
    .orderBy('d.id')
    .execute()
  return rows.flatMap(({ id, trial_ends_on, ends_on, timezone }) => {
    // A zone that is none must not keep the trials of others from ending.
    if (trial_ends_on === null || !isTimeZone(timezone)) return []
    const today = dateIn(now, timezone)
    return isBefore(today, trial_ends_on) || (ends_on !== null && !isBefore(today, ends_on)) ? [] : [id]
  })
}

/** Locks those that are still on trial, without those that another process has locked. */
export async function lockTrials(reader: Reader, deployment_ids: readonly string[]): Promise<string[]> {
  const rows = await reader
    .selectFrom('deployments.deployment')
    .select('id')
    .where('id', '=', anyOf(deployment_ids))
    .where('state', '=', 'trial')
    .orderBy('id')
    .forNoKeyUpdate()
    .skipLocked()
    .execute()
  return rows.map((row) => row.id)
}
