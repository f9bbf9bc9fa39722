import { sql } from 'kysely'
import { earlierDate, isBefore, laterDate, type Period } from '../../kernel/period.ts'
import type { ContextTx, Reader } from '../../platform/db.ts'
import { type Act, recordEvent } from '../events/index.ts'
import { lockSubscription, touched } from './commands.ts'
import { beginOn } from './phase.ts'
import type { Touched } from './preview.ts'
import { alreadyEnded, daysBilled, outsideSubscription, overlapping } from './problems.ts'
import type { LockedSubscription } from './queries.ts'
import { storePhases, storeStart } from './store.ts'

type Tx = ContextTx<'subscriptions'>

export type StartCorrection = { id: string; start_date: Temporal.PlainDate; reason: string }

/**
 * Makes a subscription begin on another day, as if it always had. Only the days between the two change: those that it
 * gets are as its first day was, with what was attached on that day; the end of its trial stays. The same day again
 * changes nothing. Throws 404, `subscriptions/already-ended`, `subscriptions/outside-subscription`,
 * `subscriptions/overlap` and, where an issued invoice has billed any of those days, `subscriptions/days-billed`.
 */
export async function correctStart(tx: Tx, { id, start_date, reason }: StartCorrection, act: Act): Promise<Touched> {
  const subscription = await lockSubscription(tx, id)
  const { starts_on, tenant_id, deployment_id } = subscription
  const days = { start: earlierDate(starts_on, start_date), end: laterDate(starts_on, start_date) }
  if (start_date.equals(starts_on)) return touched(subscription, starts_on)
  requireDaysLeft(subscription, start_date)
  await requireFree(tx, subscription, days)
  await requireUnbilled(tx, subscription, days)
  await storeStart(tx, subscription, start_date)
  await storePhases(tx, [{ subscription, phases: beginOn(subscription.phases, start_date) }], act)
  const subject = { kind: 'subscription', id }
  const data = { deployment_id, was: { starts_on }, changes: { starts_on: start_date } }
  await recordEvent(tx, { type: 'subscription.start_corrected', tenant_id, subject, reason, data }, act)
  return touched(subscription, days.start)
}

function requireDaysLeft({ starts_on, ends_on, phases }: LockedSubscription, start_date: Temporal.PlainDate): void {
  if (phases.length === 0) {
    throw alreadyEnded(`The subscription was called off before ${starts_on}. Subscribe the deployment again.`)
  }
  if (ends_on === null || isBefore(start_date, ends_on)) return
  throw outsideSubscription(`The subscription ends on ${ends_on}. It must start before that.`, [
    { path: 'start_date', message: `must be before ${ends_on}` },
  ])
}

/** The days that it gets, if any, are no other subscription's. */
async function requireFree(
  reader: Reader,
  { id, tenant_id, deployment_id, starts_on }: LockedSubscription,
  days: Period,
): Promise<void> {
  if (!days.end.equals(starts_on)) return
  const other = await reader
    .selectFrom('subscriptions.subscription')
    .select(['id', 'ends_on'])
    .where('tenant_id', '=', tenant_id)
    .where('deployment_id', '=', deployment_id)
    .where('id', '<>', id)
    .where(sql<boolean>`daterange(starts_on, ends_on) && daterange(${days.start}::date, ${days.end}::date)`)
    .orderBy('ends_on', 'desc')
    .executeTakeFirst()
  if (other === undefined) return
  throw overlapping(`Subscription ${other.id} ends on ${other.ends_on}. Start on that day or later.`, [
    { path: 'start_date', message: `must not be before ${other.ends_on}` },
  ])
}

/** What is issued stays. Invoices of the tenant that is being locked here wait with their issue until this is decided. */
async function requireUnbilled(
  reader: Reader,
  { id, tenant_id, deployment_id }: LockedSubscription,
  { start, end }: Period,
): Promise<void> {
  const { rows } = await sql<{ number: string; days: string }>`
    select i.number, format('%s to %s', l.service_start, l.service_end) as days
    from invoicing.invoice i
    join invoicing.invoice_line l on l.tenant_id = i.tenant_id and l.invoice_id = i.id
    where i.tenant_id = ${tenant_id} and i.number is not null and i.status <> 'void'
      and (l.subscription_id = ${id} or (l.kind = 'adjustment' and l.deployment_id = ${deployment_id}))
      and daterange(l.service_start, l.service_end) && daterange(${start}::date, ${end}::date)
    order by i.number, l.position
    for share of i`.execute(reader)
  const [billed] = rows
  if (billed === undefined) return
  throw daysBilled(
    `Invoice ${billed.number} bills ${billed.days} of it. Void that invoice first, or cancel the subscription and give credit.`,
    [{ path: 'start_date', message: `changes days from ${start} to ${end}, which invoice ${billed.number} bills` }],
  )
}
