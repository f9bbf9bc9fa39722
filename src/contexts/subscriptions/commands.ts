import { earlierDate, dateIn, isBefore, laterDate } from '../../kernel/period.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { found } from '../../platform/wire.ts'
import { findPublishedVersion, readAddons, type Addon, type SoldVersion } from '../catalog/index.ts'
import { changeFrom } from './phase.ts'
import { alreadyEnded, currencyMismatch, outsideSubscription } from './problems.ts'
import { type LockedSubscription, lockSubscriptions } from './queries.ts'
import { storeEnd, storePhases } from './store.ts'

type Tx = ContextTx<'subscriptions'>
type Made = { now: Temporal.Instant; ids: Ids }

/** `quantity` replaces the one that the add-on is sold with; the price stays. */
export type WantedAddon = { code: string; quantity?: string }

export type PlanChange = {
  id: string
  plan_code: string
  plan_version?: number
  effective_date?: Temporal.PlainDate | undefined
}

/**
 * Puts the days from `effective_date` (default: today) on under another plan version; their modes stay. Throws 404,
 * `subscriptions/outside-subscription`, `subscriptions/currency-mismatch` and what `findPublishedVersion` throws.
 */
export async function changePlan(tx: Tx, change: PlanChange, made: Made): Promise<void> {
  const subscription = await lockSubscription(tx, change.id)
  const date = change.effective_date ?? firstDayOpen(subscription, made.now)
  requireDayOf(subscription, { date, path: 'effective_date' })
  const { plan_code: code, plan_version: version } = change
  const sold = await findPublishedVersion(tx, { code, version })
  requireCurrencyOf(subscription, { version: sold, addons: [] })
  const phases = changeFrom(subscription.phases, date, (phase) => ({ ...phase, plan_version_id: sold.id }))
  await storePhases(tx, [{ subscription, phases }], made)
}

/**
 * Attaches an add-on as it is sold today, from `start_date` (default: today) to the end of the subscription. Throws
 * 404, `catalog/unknown-addon`, `subscriptions/outside-subscription` and `subscriptions/currency-mismatch`.
 */
export async function attachAddon(
  tx: Tx,
  { id, start_date, ...wanted }: WantedAddon & { id: string; start_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<void> {
  const subscription = await lockSubscription(tx, id)
  const starts_on = start_date ?? firstDayOpen(subscription, made.now)
  requireDayOf(subscription, { date: starts_on, path: 'start_date' })
  const addons = await readAddons(tx, [wanted.code])
  requireCurrencyOf(subscription, { addons })
  await insertAddons(tx, { ...subscription, starts_on }, { wanted: [wanted], sold: addons, ids: made.ids })
  await touch(tx, subscription, made)
}

/** Ends an add-on today; one that has ended stays as it is. Throws 404. */
export async function detachAddon(
  tx: Tx,
  { id, addon_id }: { id: string; addon_id: string },
  made: Made,
): Promise<void> {
  const subscription = await lockSubscription(tx, id)
  const row = await tx
    .selectFrom('subscriptions.addon')
    .select(['starts_on', 'ends_on'])
    .where('tenant_id', '=', subscription.tenant_id)
    .where('subscription_id', '=', id)
    .where('id', '=', addon_id)
    .executeTakeFirst()
  const addon = found(row, 'add-on of the subscription')
  const today = laterDate(addon.starts_on, dateIn(made.now, subscription.timezone))
  await tx
    .updateTable('subscriptions.addon')
    .set({ ends_on: addon.ends_on === null ? today : earlierDate(addon.ends_on, today) })
    .where('tenant_id', '=', subscription.tenant_id)
    .where('id', '=', addon_id)
    .execute()
  await touch(tx, subscription, made)
}

/**
 * Ends a subscription: `end_date` (default: today) is the first day that is not billed. It may be brought forward
 * later, but not put off. Throws 404, `subscriptions/outside-subscription` and `subscriptions/already-ended`.
 */
export async function cancel(
  tx: Tx,
  { id, end_date }: { id: string; end_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<void> {
  const subscription = await lockSubscription(tx, id)
  const { starts_on, ends_on } = subscription
  const date = end_date ?? laterDate(starts_on, dateIn(made.now, subscription.timezone))
  if (isBefore(date, starts_on)) {
    throw outsideSubscription(`The subscription starts on ${starts_on}.`, [
      { path: 'end_date', message: `must not be before ${starts_on}` },
    ])
  }
  if (ends_on !== null && isBefore(ends_on, date)) {
    throw alreadyEnded(`The subscription ends on ${ends_on}. Subscribe the deployment again from that day.`)
  }
  await storeEnd(tx, [subscription], { ...made, date })
}

/** Attaches add-ons with the terms they are sold at, from `starts_on` on. */
export async function insertAddons(
  tx: Tx,
  to: { tenant_id: string; id: string; starts_on: Temporal.PlainDate; ends_on: Temporal.PlainDate | null },
  { wanted, sold, ids }: { wanted: readonly WantedAddon[]; sold: readonly Addon[]; ids: Ids },
): Promise<void> {
  const terms = new Map(sold.map(({ created_at: _created_at, ...addon }) => [addon.code, addon]))
  const { tenant_id, id: subscription_id, starts_on, ends_on } = to
  await insertRows(
    tx,
    'subscriptions.addon',
    wanted.map((addon) => ({
      ...terms.get(addon.code),
      ...addon,
      tenant_id,
      subscription_id,
      id: ids.uuid(),
      starts_on,
      ends_on,
    })),
  )
}

/** Decision: one currency per tenant; nothing is converted. */
export function requireCurrencyOf(
  tenant: { currency: string },
  { version, addons }: { version?: SoldVersion; addons: readonly Addon[] },
): void {
  const others = [
    ...(version ? [{ path: 'plan_code', currency: version.currency }] : []),
    ...addons.map((addon) => ({ path: 'addons', currency: addon.currency })),
  ].filter(({ currency }) => currency !== tenant.currency)
  if (others.length === 0) return
  throw currencyMismatch(
    `The tenant is billed in ${tenant.currency}; nothing is converted.`,
    others.map(({ path, currency }) => ({ path, message: `is sold in ${currency}` })),
  )
}

async function lockSubscription(tx: Tx, id: string): Promise<LockedSubscription> {
  const [subscription] = await lockSubscriptions(tx, { id })
  return found(subscription, 'subscription')
}

/** Today in the tenant's zone, or the first day of a subscription that is still to come. */
function firstDayOpen({ starts_on, timezone }: LockedSubscription, now: Temporal.Instant): Temporal.PlainDate {
  return laterDate(starts_on, dateIn(now, timezone))
}

function requireDayOf(
  { starts_on, ends_on }: LockedSubscription,
  { date, path }: { date: Temporal.PlainDate; path: string },
): void {
  if (!isBefore(date, starts_on) && (ends_on === null || isBefore(date, ends_on))) return
  const days = ends_on === null ? `from ${starts_on} on` : `from ${starts_on} to the day before ${ends_on}`
  throw outsideSubscription(`The subscription runs ${days}.`, [{ path, message: `${date} is not one of its days` }])
}

async function touch(tx: Tx, { id }: LockedSubscription, { now }: Made): Promise<void> {
  await tx.updateTable('subscriptions.subscription').set({ changed_at: now }).where('id', '=', id).execute()
}
