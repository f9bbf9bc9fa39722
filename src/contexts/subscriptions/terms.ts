import { present } from '../../kernel/invariant.ts'
import { isBefore, monthOf } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { discountFaults, discountTermsOf, type NewDiscount, planFaults } from '../catalog/index.ts'
import type { Charge } from '../pricing/index.ts'
import { endOf, firstDayOpen, lockSubscription, type Made, requireDayOf, touch, touched } from './commands.ts'
import { endOverride, overrideOn } from './phase.ts'
import type { Touched } from './preview.ts'
import { storePhases } from './store.ts'

// What one subscription has of its own: other prices than its plan version, and discounts.

type Tx = ContextTx<'subscriptions'>

export type NewOverride = {
  id: string
  base_price_cents?: number
  commitment_cents?: number
  charges?: readonly Charge[]
  start_date?: Temporal.PlainDate | undefined
  /** The first day without it. */
  end_date?: Temporal.PlainDate | undefined
}

/**
 * Lays other prices over the plan version from `start_date` (default: today) on, to `end_date` or until the plan
 * changes. On its days it takes the place of any other. Throws 404, `request/invalid`, which names every mistake, and
 * `subscriptions/outside-subscription`.
 */
export async function overridePrices(tx: Tx, given: NewOverride, made: Made): Promise<Touched> {
  const subscription = await lockSubscription(tx, given.id)
  const { base_price_cents = null, commitment_cents = null, charges = null, end_date = null } = given
  const start = given.start_date ?? firstDayOpen(subscription, made)
  requireDayOf(subscription, { date: start, path: 'start_date' })
  const { currency, tenant_id } = subscription
  refuse('The override cannot be rated.', [
    ...(base_price_cents === null && commitment_cents === null && (charges ?? []).length === 0
      ? [{ path: 'charges', message: 'is required where there is no base_price_cents and no commitment_cents' }]
      : []),
    ...(end_date !== null && !isBefore(start, end_date)
      ? [{ path: 'end_date', message: `must be after ${start} (the end is exclusive)` }]
      : []),
    ...(await planFaults(tx, { currency, charges: charges ?? [] }, { keep_meters: true })),
  ])
  const override_id = made.ids.uuid()
  const row = { tenant_id, id: override_id, subscription_id: given.id, base_price_cents, commitment_cents, charges }
  await insertRows(tx, 'subscriptions.override', [{ ...row, created_at: made.now }])
  const phases = overrideOn(subscription.phases, { start, end: end_date }, override_id)
  await storePhases(tx, [{ subscription, phases }], made)
  return touched(subscription, start)
}

/**
 * Ends an override: from `end_date` (default: today) on, the prices of the plan version hold. Throws 404 and
 * `subscriptions/outside-subscription`.
 */
export async function removeOverride(
  tx: Tx,
  { id, override_id, end_date }: { id: string; override_id: string; end_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const on = subscription.phases.filter((phase) => phase.override_id === override_id)
  const starts_on = found(on[0], 'override of the subscription').starts_on
  const { ends_on } = present(on.at(-1), 'an override that holds has a last phase')
  const date = endOf({ starts_on, ends_on }, subscription, { end_date, ...made })
  await storePhases(tx, [{ subscription, phases: endOverride(subscription.phases, date, override_id) }], made)
  return touched(subscription, date)
}

/** `periods` is the number of calendar months, that of `start_date` included; left out, it does not run out. */
export type DiscountOrder = NewDiscount & {
  id: string
  start_date?: Temporal.PlainDate | undefined
  periods?: number
}

/**
 * Gives a discount from the month of `start_date` (default: today) on, after those that were given before. Throws 404,
 * `request/invalid` and `subscriptions/outside-subscription`.
 */
export async function giveDiscount(
  tx: Tx,
  { id, start_date, periods, ...given }: DiscountOrder,
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  refuse('The discount cannot be applied.', discountFaults(given))
  const starts_on = start_date ?? firstDayOpen(subscription, made)
  requireDayOf(subscription, { date: starts_on, path: 'start_date' })
  const { tenant_id } = subscription
  const last = await tx
    .selectFrom('subscriptions.discount')
    .select(({ fn }) => fn.max<number | null>('position').as('position'))
    .where('tenant_id', '=', tenant_id)
    .where('subscription_id', '=', id)
    .executeTakeFirst()
  await insertRows(tx, 'subscriptions.discount', [
    {
      ...discountTermsOf(given),
      tenant_id,
      id: made.ids.uuid(),
      subscription_id: id,
      position: (last?.position ?? -1) + 1,
      starts_on,
      ends_on: periods === undefined ? null : monthOf(starts_on).start.add({ months: periods }),
      created_at: made.now,
    },
  ])
  await touch(tx, subscription, made)
  return touched(subscription, starts_on)
}

/**
 * Ends a discount: `end_date` (default: today) is the first day without it. A month that it has a day in is discounted
 * as a whole. Throws 404 and `subscriptions/outside-subscription`.
 */
export async function endDiscount(
  tx: Tx,
  { id, discount_id, end_date }: { id: string; discount_id: string; end_date?: Temporal.PlainDate | undefined },
  made: Made,
): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const row = await tx
    .selectFrom('subscriptions.discount')
    .select(['starts_on', 'ends_on'])
    .where('tenant_id', '=', subscription.tenant_id)
    .where('subscription_id', '=', id)
    .where('id', '=', discount_id)
    .executeTakeFirst()
  const ends_on = endOf(found(row, 'discount of the subscription'), subscription, { end_date, ...made })
  await tx
    .updateTable('subscriptions.discount')
    .set({ ends_on })
    .where('tenant_id', '=', subscription.tenant_id)
    .where('id', '=', discount_id)
    .execute()
  await touch(tx, subscription, made)
  return touched(subscription, ends_on)
}

function refuse(detail: string, faults: readonly Fault[]): void {
  if (faults.length > 0) throw invalidInput(detail, faults)
}
