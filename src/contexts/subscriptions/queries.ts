import { type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import type { AddonTerms, Phase as BilledPhase } from '../pricing/index.ts'
import type { Phase } from './phase.ts'

type Span = { start: Temporal.PlainDate; end: Temporal.PlainDate | null }

/** A subscription as it is billed: open ends are null, and only phases and add-ons of the asked period are there. */
export type BilledSubscription = {
  tenant_id: string
  deployment_id: string
  subscription_id: string
  starts_on: Temporal.PlainDate
  ends_on: Temporal.PlainDate | null
  phases: BilledPhase[]
  addons: (AddonTerms & Span)[]
}

export type SubscriptionFilter = { period: Period; tenant_ids?: readonly string[]; deployment_id?: string }

/**
 * Every subscription that has a day in the period, by tenant and deployment slug, in two statements whatever their
 * number.
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
        .on(sharesDays('p', filter.period)),
    )
    .select(['s.tenant_id', 's.deployment_id', 's.id as subscription_id', 's.starts_on', 's.ends_on'])
    .select(['p.mode', 'p.plan_version_id', 'p.starts_on as start', 'p.ends_on as end'])
    .where(matches(filter))
    .orderBy('s.tenant_id')
    .orderBy('d.slug')
    .orderBy('s.starts_on')
    .orderBy('p.starts_on')
    .execute()
  const addons = await readBilledAddons(reader, filter)
  return [...Map.groupBy(rows, (row) => row.subscription_id)].map(([id, phases]) => {
    const { tenant_id, deployment_id, starts_on, ends_on } = present(phases[0], 'a group has a row')
    const subscription = { tenant_id, deployment_id, subscription_id: id, starts_on, ends_on }
    return { ...subscription, phases: phases.flatMap(billedPhase), addons: addons.get(id) ?? [] }
  })
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
    .where(sharesDays('a', filter.period))
    .orderBy('a.starts_on')
    .orderBy('a.id')
    .execute()
  const grouped = Map.groupBy(rows, (row) => row.subscription_id)
  return new Map(
    [...grouped].map(([id, addons]) => [id, addons.map(({ subscription_id: _subscription_id, ...addon }) => addon)]),
  )
}

function matches({ period, tenant_ids, deployment_id }: SubscriptionFilter) {
  return sql<boolean>`(
    ${sharesDays('s', period)}
    ${tenant_ids === undefined ? sql`` : sql`and s.tenant_id = ${anyOf(tenant_ids)}`}
    ${deployment_id === undefined ? sql`` : sql`and s.deployment_id = ${deployment_id}`})`
}

/** Empty ranges share no day with anything, so what ended on its first day is left out. */
function sharesDays(alias: 's' | 'p' | 'a', { start, end }: Period) {
  const days = sql`daterange(${sql.ref(`${alias}.starts_on`)}, ${sql.ref(`${alias}.ends_on`)})`
  return sql<boolean>`${days} && daterange(${start}::date, ${end}::date)`
}

function billedPhase(row: {
  mode: BilledPhase['mode'] | null
  plan_version_id: string | null
  start: Temporal.PlainDate | null
  end: Temporal.PlainDate | null
}): BilledPhase[] {
  const { mode, plan_version_id, start, end } = row
  return mode === null || plan_version_id === null || start === null ? [] : [{ mode, plan_version_id, start, end }]
}

type Addon = Omit<Selectable<DB['subscriptions.addon']>, 'tenant_id' | 'subscription_id'>

/** A subscription with all that it was, is and will be. */
export type SubscriptionWhole = Pick<
  Selectable<DB['subscriptions.subscription']>,
  'id' | 'tenant_id' | 'deployment_id' | 'starts_on' | 'ends_on' | 'created_at'
> & {
  phases: (Omit<Phase, 'plan_version_id'> & { plan_code: string; plan_version: number })[]
  addons: Addon[]
}

export async function readSubscription(reader: Reader, id: string): Promise<SubscriptionWhole> {
  const subscription = await reader
    .selectFrom('subscriptions.subscription')
    .select(['id', 'tenant_id', 'deployment_id', 'starts_on', 'ends_on', 'created_at'])
    .where('id', '=', id)
    .executeTakeFirst()
  const { tenant_id } = found(subscription, 'subscription')
  const phases = await reader
    .selectFrom('subscriptions.phase as p')
    .innerJoin('catalog.plan_version as v', 'v.id', 'p.plan_version_id')
    .select(['p.mode', 'p.starts_on', 'p.ends_on', 'v.plan_code', 'v.version as plan_version'])
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
  return { ...found(subscription, 'subscription'), phases, addons }
}

/** What a change of a subscription is decided on. */
export type LockedSubscription = {
  tenant_id: string
  id: string
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
    .select(['s.tenant_id', 's.id', 's.starts_on', 's.ends_on', 's.trial_ends_on', 't.currency', 't.timezone'])
    .where((row) => ('id' in by ? row('s.id', '=', by.id) : row('s.deployment_id', '=', by.deployment_id)))
    .orderBy('s.starts_on')
    .forUpdate(['s'])
    .execute()
  const phases = await reader
    .selectFrom('subscriptions.phase')
    .select(['subscription_id', 'mode', 'plan_version_id', 'starts_on', 'ends_on'])
    .where('subscription_id', '=', anyOf(rows.map((row) => row.id)))
    .orderBy('starts_on')
    .execute()
  const grouped = Map.groupBy(phases, (phase) => phase.subscription_id)
  return rows.map((row) => ({
    ...row,
    phases: (grouped.get(row.id) ?? []).map(({ subscription_id: _subscription_id, ...phase }) => phase),
  }))
}
