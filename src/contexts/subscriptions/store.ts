import { sql } from 'kysely'
import { dateIn, isBefore } from '../../kernel/period.ts'
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
