import { monthLabel, type Period } from '../../kernel/period.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { type Act, recordEvent } from '../events/index.ts'
import { readSnapshot } from './queries.ts'
import { readTooLate, type Unbilled } from './unbilled.ts'

/** Usage of one deployment and month. */
export type LateUsage = { deployment_id: string; period: Period; reason: string }

/**
 * Takes what came too late off the list of what is unbilled, and tells who did it and why. Only what is there now: what
 * comes later is listed again. Throws 404 where nothing is listed.
 */
export async function acknowledgeLateUsage(
  tx: ContextTx<'invoicing'>,
  { deployment_id, period, reason }: LateUsage,
  act: Act,
): Promise<Unbilled[]> {
  const facts_seen = await readSnapshot(tx)
  const month = monthLabel(period)
  const deployment = await tx
    .selectFrom('deployments.deployment')
    .select(['tenant_id', 'id'])
    .where('id', '=', deployment_id)
    .executeTakeFirst()
  const { tenant_id, id } = found(deployment, 'deployment')
  const usage = (await readTooLate(tx, tenant_id)).filter(
    (entry) => entry.deployment_id === id && entry.period === month,
  )
  found(usage[0], 'usage that came too late')
  await insertRows(tx, 'invoicing.acknowledged_usage', [
    {
      tenant_id,
      id: act.ids.uuid(),
      deployment_id: id,
      period_start: period.start,
      acknowledged_at: act.now,
      facts_seen,
    },
  ])
  const subject = { kind: 'deployment', id }
  const data = { period: month, usage: usage.map(({ meter, quantity, count }) => ({ meter, quantity, count })) }
  await recordEvent(tx, { type: 'usage.acknowledged', tenant_id, subject, reason, data }, act)
  return usage
}
