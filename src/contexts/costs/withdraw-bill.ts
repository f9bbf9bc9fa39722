import { sql } from 'kysely'
import type { ContextTx } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { type Act, recordEvent } from '../events/index.ts'
import { allocateLines } from './allocate-lines.ts'
import { lockBills } from './lock.ts'
import { requireOpenMonth } from './open-month.ts'
import { notWithdrawable } from './problems.ts'
import type { StoreContext } from './store-bill.ts'

export type Withdrawal = {
  readonly provider_invoice_id: string
  readonly reason: string
  /** The bill that stands in its place; it may be stored later in the same transaction. */
  readonly replaced_by: string | null
}

/**
 * Takes an uploaded bill out of the books: it stays with its lines, who did it and why, and counts nowhere. What its
 * month shares is shared again, and the books get a document of 0. Throws `costs/not-withdrawable` and, where its month
 * is closed, `costs/period-closed`.
 */
export async function withdrawBill(
  tx: ContextTx<'costs'>,
  { provider_invoice_id, reason, replaced_by }: Withdrawal,
  { onBillIssued, ...act }: Act & Pick<StoreContext, 'onBillIssued'>,
): Promise<void> {
  await lockBills(tx)
  const bill = found(await findBill(tx, provider_invoice_id), 'provider invoice')
  if (bill.status === 'withdrawn') {
    throw notWithdrawable(`It was withdrawn by ${bill.withdrawn_by} at ${bill.withdrawn_at}: ${bill.withdrawn_reason}`)
  }
  if (bill.status === 'announced' || bill.read_from !== 'upload') {
    throw notWithdrawable(
      'It is as the provider itself sends it. What the provider changes later is an alarm, which is settled with a reason.',
    )
  }
  await requireOpenMonth(tx, bill.period_start)
  const { now: withdrawn_at, actor: withdrawn_by } = act
  await tx
    .updateTable('costs.provider_invoice')
    .set({ status: 'withdrawn', withdrawn_at, withdrawn_by, withdrawn_reason: reason, replaced_by })
    .where('id', '=', provider_invoice_id)
    .execute()
  await putLinesAside(tx, provider_invoice_id)
  const { provider, external_id, invoice_number, period_start, status, currency, amount, line_count } = bill
  const was = { provider, external_id, invoice_number, period_start, status, currency, amount, line_count }
  const subject = { kind: 'provider_invoice', id: provider_invoice_id }
  const data = { was, replaced_by }
  await recordEvent(tx, { type: 'provider_invoice.withdrawn', tenant_id: null, subject, reason, data }, act)
  if (bill.status !== 'issued') return
  await allocateLines(tx, { provider_invoice_ids: [provider_invoice_id] })
  await onBillIssued({ provider_invoice_id })
}

function findBill(tx: ContextTx<'costs'>, id: string) {
  return tx
    .selectFrom('costs.provider_invoice')
    .select([
      'provider',
      'external_id',
      'invoice_number',
      'status',
      'read_from',
      'period_start',
      'currency',
      'line_count',
    ])
    .select(['withdrawn_at', 'withdrawn_by', 'withdrawn_reason', sql<string>`trim_scale(amount)`.as('amount')])
    .where('id', '=', id)
    .executeTakeFirst()
}

/** With the owners that they had: an allocated line with its shares. */
async function putLinesAside(tx: ContextTx<'costs'>, provider_invoice_id: string): Promise<void> {
  await sql`
    insert into costs.withdrawn_line (provider_invoice_id, position, amount, line)
    select l.provider_invoice_id, l.position, l.amount, jsonb_build_object(
      'id', l.id, 'kind', l.kind, 'product', l.product, 'group_description', l.group_description,
      'description', l.description, 'charge_category', l.charge_category, 'service_category', l.service_category,
      'service_name', l.service_name, 'amount', trim_scale(l.amount)::text, 'currency', l.currency,
      'charge_period', jsonb_build_object('start', ${timeText('charge_start')}, 'end', ${timeText('charge_end')}),
      'quantity', trim_scale(l.quantity)::text, 'unit', l.unit, 'project', l.project, 'region', l.region,
      'external_resource_id', l.external_resource_id, 'external_resource_uuid', l.external_resource_uuid,
      'resource_name', l.resource_name, 'resource_id', l.resource_id, 'tenant_id', l.tenant_id,
      'deployment_id', l.deployment_id, 'match_status', l.match_status, 'match_method', l.match_method,
      'match_reason', l.match_reason, 'extra', l.extra, 'shares', coalesce((
        select jsonb_agg(jsonb_build_object('tenant_id', s.tenant_id, 'deployment_id', s.deployment_id,
          'amount', trim_scale(s.amount)::text) order by s.tenant_id, s.deployment_id)
        from costs.line_share s where s.cost_line_id = l.id
      ), '[]')
    )
    from costs.cost_line l where l.provider_invoice_id = ${provider_invoice_id}`.execute(tx)
  await tx.deleteFrom('costs.cost_line').where('provider_invoice_id', '=', provider_invoice_id).execute()
}

function timeText(column: 'charge_start' | 'charge_end') {
  return sql`to_char(${sql.ref(`l.${column}`)} at time zone 'UTC', ${sql.lit('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')})`
}
