import { dateIn, earlierDate, isBefore, laterDate, monthOf } from '../../kernel/period.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { found } from '../../platform/wire.ts'
import { findPublishedVersion, readAddons, type Addon, type SoldVersion } from '../catalog/index.ts'
import { changePlanFrom } from './phase.ts'
import type { Touched } from './preview.ts'
import { alreadyEnded, currencyMismatch, outsideSubscription } from './problems.ts'
import { type LockedSubscription, lockSubscriptions } from './queries.ts'
import { storeEnd, storePhases } from './store.ts'

type Tx = ContextTx<'subscriptions'>
export type Made = { now: Temporal.Instant; ids: Ids }

/** `quantity` replaces the one that the add-on is sold with; the price stays. */
export type WantedAddon = { code: string; quantity?: string }

/** The end of a period is that of the running calendar month in the tenant's zone. */
export type When = 'now' | 'period_end'

export type PlanChange = {
  id: string
  plan_code: string
  plan_version?: number
  effective_date?: Temporal.PlainDate | undefined
  when?: When | undefined
}

/**
 * Puts the days from `effective_date`, or from `when` (default: now), on under another plan version; their modes stay,
 * overrides of the old one go. Throws 404, `request/invalid`, `subscriptions/outside-subscription`,
 * `subscriptions/currency-mismatch` and what `findPublishedVersion` throws.
 */
export async function changePlan(tx: Tx, change: PlanChange, made: Made): Promise<Touched> {
  const subscription = await lockSubscription(tx, change.id)
  const { effective_date: date, when } = change
  const from = dayOfChange(subscription, { date, when, path: 'effective_date' }, made)
  requireDayOf(subscription, { date: from, path: date === undefined ? 'when' : 'effective_date' })
  const { plan_code: code, plan_version: version } = change
  const sold = await findPublishedVersion(tx, { code, version })
  requireCurrencyOf(subscription, { version: sold, addons: [] })
  const phases = changePlanFrom(subscription.phases, from, sold.id)
  await storePhases(tx, [{ subscription, phases }], made)
  return touched(subscription, from)
}

/**
 * Attaches an add-on as it is sold today, from `start_date` (default: today) to the end of the subscription. Throws
 * 404, `catalog/unknown-addon`, `subscriptions/outside-subscription` and `subscriptions/currency-mismatch`.
 */
export async function attachAddon(
  tx: Tx,
  { id, start_date, ...wanted }: WantedAddon & { id: string; start_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const starts_on = start_date ?? firstDayOpen(subscription, made)
  requireDayOf(subscription, { date: starts_on, path: 'start_date' })
  const addons = await readAddons(tx, [wanted.code], { keep: true, pathOf: () => 'code' })
  requireCurrencyOf(subscription, { addons, pathOf: () => 'code' })
  await insertAddons(tx, { ...subscription, starts_on }, { wanted: [wanted], sold: addons, ids: made.ids })
  await touch(tx, subscription, made)
  return touched(subscription, starts_on)
}

/**
 * Ends an add-on: `end_date` (default: today) is the first day that it is not billed. One that ends sooner stays as it
 * is. Throws 404 and `subscriptions/outside-subscription`.
 */
export async function detachAddon(
  tx: Tx,
  { id, addon_id, end_date }: { id: string; addon_id: string; end_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const row = await tx
    .selectFrom('subscriptions.addon')
    .select(['starts_on', 'ends_on'])
    .where('tenant_id', '=', subscription.tenant_id)
    .where('subscription_id', '=', id)
    .where('id', '=', addon_id)
    .executeTakeFirst()
  const ends_on = endOf(found(row, 'add-on of the subscription'), subscription, { end_date, ...made })
  await tx
    .updateTable('subscriptions.addon')
    .set({ ends_on })
    .where('tenant_id', '=', subscription.tenant_id)
    .where('id', '=', addon_id)
    .execute()
  await touch(tx, subscription, made)
  return touched(subscription, ends_on)
}

/**
 * Ends a subscription: `end_date`, or the day of `when` (default: now), is the first day that is not billed. It may be
 * brought forward later, but not put off. Throws 404, `request/invalid`, `subscriptions/outside-subscription` and
 * `subscriptions/already-ended`.
 */
export async function cancel(
  tx: Tx,
  { id, end_date, when }: { id: string; end_date?: Temporal.PlainDate | undefined; when?: When | undefined },
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const { starts_on, ends_on } = subscription
  const date = dayOfChange(subscription, { date: end_date, when, path: 'end_date' }, made)
  requireFrom(starts_on, { date, path: 'end_date', what: 'subscription' })
  if (ends_on !== null && isBefore(ends_on, date)) {
    throw alreadyEnded(`The subscription ends on ${ends_on}. Subscribe the deployment again from that day.`, [
      { path: end_date === undefined ? 'when' : 'end_date', message: `must not be after ${ends_on}` },
    ])
  }
  await storeEnd(tx, [subscription], { ...made, date })
  return touched(subscription, date)
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

/** Decision: one currency per tenant; nothing is converted. `pathOf` says where an add-on was named. */
export function requireCurrencyOf(
  tenant: { currency: string },
  {
    version,
    addons,
    pathOf = (index) => `addons/${index}/code`,
  }: { version?: SoldVersion; addons: readonly Addon[]; pathOf?: (index: number) => string },
): void {
  const others = [
    ...(version ? [{ path: 'plan_code', currency: version.currency }] : []),
    ...addons.map((addon, index) => ({ path: pathOf(index), currency: addon.currency })),
  ].filter(({ currency }) => currency !== tenant.currency)
  if (others.length === 0) return
  throw currencyMismatch(
    `The tenant is billed in ${tenant.currency}; nothing is converted.`,
    others.map(({ path, currency }) => ({ path, message: `is sold in ${currency}, not in ${tenant.currency}` })),
  )
}

/** Throws 404. */
export async function lockSubscription(tx: Tx, id: string): Promise<LockedSubscription> {
  const [subscription] = await lockSubscriptions(tx, { id })
  return found(subscription, 'subscription')
}

/** Today in the tenant's zone, or the first day of a subscription that is still to come. */
export function firstDayOpen(
  { starts_on, timezone }: LockedSubscription,
  { now }: { now: Temporal.Instant },
): Temporal.PlainDate {
  return laterDate(starts_on, dateIn(now, timezone))
}

/** Throws `subscriptions/outside-subscription`. */
export function requireDayOf(
  { starts_on, ends_on }: LockedSubscription,
  { date, path }: { date: Temporal.PlainDate; path: string },
): void {
  if (!isBefore(date, starts_on) && (ends_on === null || isBefore(date, ends_on))) return
  const days = ends_on === null ? `from ${starts_on} on` : `from ${starts_on} to the day before ${ends_on}`
  throw outsideSubscription(`The subscription runs ${days}.`, [{ path, message: `${date} is not one of its days` }])
}

/**
 * Where what has days on a subscription ends: on `end_date`, or today, unless it ends sooner. Throws
 * `subscriptions/outside-subscription`.
 */
export function endOf(
  { starts_on, ends_on }: { starts_on: Temporal.PlainDate; ends_on: Temporal.PlainDate | null },
  { timezone }: LockedSubscription,
  { end_date, now }: { end_date: Temporal.PlainDate | undefined; now: Temporal.Instant },
): Temporal.PlainDate {
  const date = end_date ?? laterDate(starts_on, dateIn(now, timezone))
  requireFrom(starts_on, { date, path: 'end_date', what: 'term' })
  return ends_on === null ? date : earlierDate(ends_on, date)
}

export function touched(
  { id, tenant_id, deployment_id, timezone }: LockedSubscription,
  from: Temporal.PlainDate,
): Touched {
  return { id, tenant_id, deployment_id, timezone, from }
}

/** Notes the time of a change that leaves the phases as they are. */
export async function touch(tx: Tx, { id }: LockedSubscription, { now }: Made): Promise<void> {
  await tx.updateTable('subscriptions.subscription').set({ changed_at: now }).where('id', '=', id).execute()
}

function dayOfChange(
  subscription: LockedSubscription,
  { date, when, path }: { date: Temporal.PlainDate | undefined; when: When | undefined; path: string },
  made: Made,
): Temporal.PlainDate {
  if (date !== undefined && when !== undefined) {
    throw invalidInput('The request is not valid.', [{ path: 'when', message: `must not be given with ${path}` }])
  }
  const open = firstDayOpen(subscription, made)
  return date ?? (when === 'period_end' ? monthOf(open).end : open)
}

function requireFrom(
  starts_on: Temporal.PlainDate,
  { date, path, what }: { date: Temporal.PlainDate; path: string; what: string },
): void {
  if (!isBefore(date, starts_on)) return
  throw outsideSubscription(`The ${what} starts on ${starts_on}.`, [
    { path, message: `must not be before ${starts_on}` },
  ])
}
