import { sql } from 'kysely'
import { dateIn, isBefore, laterDate } from '../../kernel/period.ts'
import { anyOf, type ContextTx, insertRows } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { endAt, type Phase } from './phase.ts'
import type { LockedSubscription } from './queries.ts'

type Tx = ContextTx<'subscriptions'>
type Now = { now: Temporal.Instant; ids: Ids }

/** Replaces the phases of locked subscriptions. */
export async function storePhases(
  tx: Tx,
  changed: readonly { subscription: LockedSubscription; phases: readonly Phase[] }[],
  { now, ids }: Now,
): Promise<void> {
  const subscription_ids = changed.map(({ subscription }) => subscription.id)
  await tx.deleteFrom('subscriptions.phase').where('subscription_id', '=', anyOf(subscription_ids)).execute()
  await insertRows(
    tx,
    'subscriptions.phase',
    changed.flatMap(({ subscription: { tenant_id, id }, phases }) =>
      phases.map((phase) => ({ tenant_id, id: ids.uuid(), subscription_id: id, ...phase })),
    ),
  )
  await tx
    .updateTable('subscriptions.subscription')
    .set({ changed_at: now })
    .where('id', '=', anyOf(subscription_ids))
    .execute()
}

/** Ends locked subscriptions on `date`, or on their first day when that is later: then they have no days. */
export async function storeEnd(
  tx: Tx,
  subscriptions: readonly LockedSubscription[],
  { date, ...made }: Now & { date: Temporal.PlainDate },
): Promise<void> {
  const ended = subscriptions.map((subscription) => subscription.id)
  await storePhases(
    tx,
    subscriptions.map((subscription) => {
      const has_begun = !isBefore(dateIn(made.now, subscription.timezone), subscription.starts_on)
      return { subscription, phases: endAt(subscription.phases, date, { has_begun }) }
    }),
    made,
  )
  await tx
    .updateTable('subscriptions.addon')
    .set({ ends_on: sql`greatest(starts_on, least(ends_on, ${date}::date))` })
    .where('subscription_id', '=', anyOf(ended))
    .execute()
  await tx
    .updateTable('subscriptions.subscription')
    .set({ ends_on: sql`greatest(starts_on, ${date}::date)` })
    .where('id', '=', anyOf(ended))
    .execute()
}

/**
 * Begins a locked subscription on `date`, and on that day what is attached to it from its first day on, or would begin
 * before it. A trial of which no day is left is none.
 */
export async function storeStart(
  tx: Tx,
  { tenant_id, id, starts_on, trial_ends_on }: LockedSubscription,
  date: Temporal.PlainDate,
): Promise<void> {
  const has_trial = trial_ends_on !== null && isBefore(laterDate(starts_on, date), trial_ends_on)
  await tx
    .updateTable('subscriptions.subscription')
    .set({ starts_on: date, trial_ends_on: has_trial ? trial_ends_on : null })
    .where('id', '=', id)
    .execute()
  await tx
    .updateTable('subscriptions.addon')
    .set({ starts_on: date, ends_on: notBefore(date) })
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .where((row) =>
      row.or([
        row('starts_on', '<', date),
        row.and([
          row('starts_on', '=', starts_on),
          row.or([row('ends_on', 'is', null), row('ends_on', '>', starts_on)]),
        ]),
      ]),
    )
    .execute()
  await tx
    .updateTable('subscriptions.discount')
    .set({ starts_on: date, ends_on: notBefore(date) })
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .where('starts_on', '<', date)
    .execute()
}

/** Where something ends that must not end before `date`; what has no end gets none. */
function notBefore(date: Temporal.PlainDate) {
  return sql<Temporal.PlainDate | null>`case when ends_on < ${date}::date then ${date}::date else ends_on end`
}

/** Remembers that the trial of locked subscriptions ends on `date`, where it was not to end sooner. */
export async function storeTrialEnd(
  tx: Tx,
  subscriptions: readonly LockedSubscription[],
  date: Temporal.PlainDate,
): Promise<void> {
  await tx
    .updateTable('subscriptions.subscription')
    .set({ trial_ends_on: sql`greatest(starts_on, least(trial_ends_on, ${date}::date))` })
    .where('id', '=', anyOf(subscriptions.map(({ id }) => id)))
    .execute()
}
