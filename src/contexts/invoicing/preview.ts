import { present } from '../../kernel/invariant.ts'
import { dateIn, isBefore, laterDate, monthOf, monthsOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { quote } from '../pricing/index.ts'
import type { InvoicedMonth, InvoicesPreview } from '../subscriptions/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { firstAdjusted, readAdjustments, withAdjustments } from './adjustments.ts'
import { valueOf } from './attempt.ts'
import { billOf } from './bill.ts'
import { readBillableFacts } from './facts.ts'
import { readTenants } from './queries.ts'

/**
 * What a tenant's invoices of the touched months (whole calendar months) come to as the database is now, with the usage
 * up to `as_of`. A draft counts as if it were made anew.
 */
export async function previewInvoices(
  reader: Reader,
  { tenant_id, touched, as_of }: { tenant_id: string; touched: Period; as_of: Temporal.Instant },
): Promise<InvoicesPreview> {
  const [tenant] = await readTenants(reader, [tenant_id])
  const of = { tenant: present(tenant, 'the tenant of a subscription exists'), as_of }
  const issued = await readIssued(reader, { tenant_id, touched })
  const first = laterDate(touched.start, firstOfNextInvoice(issued, monthOf(dateIn(as_of, of.tenant.timezone))))
  const months: InvoicedMonth[] = []
  for (const period of monthsOf({ start: first, end: touched.end })) {
    const is_issued = issued.some((start) => start.equals(period.start))
    months.push(await previewMonth(reader, period, { ...of, is_issued }))
  }
  const billed_by_hand = isBefore(touched.start, first) ? { start: touched.start, end: first } : null
  return { months, billed_by_hand }
}

/** The first days of the issued months, in order of time. */
async function readIssued(
  reader: Reader,
  { tenant_id, touched }: { tenant_id: string; touched: Period },
): Promise<Temporal.PlainDate[]> {
  const rows = await reader
    .selectFrom('invoicing.invoice')
    .select('period_start')
    .where('tenant_id', '=', tenant_id)
    .where('status', 'in', ['issued', 'paid'])
    .where('period_start', '>=', touched.start)
    .where('period_start', '<', touched.end)
    .orderBy('period_start')
    .execute()
  return rows.map((row) => row.period_start)
}

/**
 * The first month that the next invoice has a part in: that of the month after the issued ones, but of no month that the
 * daily job leaves out.
 */
function firstOfNextInvoice(issued: readonly Temporal.PlainDate[], running: Period): Temporal.PlainDate {
  const last = issued.at(-1)
  return firstAdjusted(last === undefined ? running.start : laterDate(monthOf(last).end, firstAdjusted(running.start)))
}

async function previewMonth(
  reader: Reader,
  period: Period,
  { tenant, as_of, is_issued }: { tenant: Tenant; as_of: Temporal.Instant; is_issued: boolean },
): Promise<InvoicedMonth> {
  const scope = { period, tenants: [tenant], as_of }
  const own_facts = await readBillableFacts(reader, scope)
  const facts = present(own_facts.get(tenant.id), 'the tenant has facts')
  const own = quote(valueOf(facts))
  if (is_issued) return { period, quote: own, invoice: null }
  const adjustments = await readAdjustments(reader, { ...scope, own: own_facts })
  return { period, quote: own, invoice: billOf(withAdjustments(facts, adjustments.get(tenant.id))) }
}
