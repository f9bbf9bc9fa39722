import { sql } from 'kysely'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { DB } from '../../../db/types.ts'
import { invariant, present } from '../../kernel/invariant.ts'
import { dateIn } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { type Bill, type BillLine, type CreditNote, type Invoice, type InvoiceLine, readDocument } from './document.ts'

/** Pushes, the latest first; `after` is the id of the last one of the page before. */
export async function listPushes(
  reader: Reader,
  { status, limit, after }: { status: DB['finance.push']['status'] | null; limit: number; after: string | undefined },
) {
  const rows = await pushes(reader)
    .$if(status !== null, (query) => query.where('status', '=', status))
    .$if(after !== undefined, (query) =>
      query.where(
        sql<boolean>`(created_at, id) < (select last.created_at, last.id from finance.push last where last.id::text = ${after})`,
      ),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(withPayload)
}

export async function findPush(reader: Reader, id: string) {
  const row = await pushes(reader).where('id', '=', id).executeTakeFirst()
  return row && withPayload(row)
}

/** The id of the bill that the books know by its source and the provider's own id: the one that is not withdrawn, else the last. */
export async function findBillId(
  reader: Reader,
  { source, external_id }: { source: string; external_id: string },
): Promise<string> {
  const { id } = await reader
    .selectFrom('costs.provider_invoice')
    .select('id')
    .where('provider', '=', source)
    .where('external_id', '=', external_id)
    .orderBy('withdrawn_at', (order) => order.desc().nullsFirst())
    .limit(1)
    .executeTakeFirstOrThrow()
  return id
}

/** A bill that is issued, or was, with its lines in the provider's order. */
export async function readBill(
  reader: Reader,
  provider_invoice_id: string,
): Promise<{ bill: Bill; lines: BillLine[] }> {
  const bill = await reader
    .selectFrom('costs.provider_invoice')
    .select(['provider', 'external_id', 'invoice_number', 'currency', 'amount', 'period_start', 'period_end', 'status'])
    .select(['issuer_name', PROVIDER_NAME.as('provider_name')])
    .where('id', '=', provider_invoice_id)
    .executeTakeFirst()
  invariant(bill?.status === 'issued' || bill?.status === 'withdrawn', 'only issued bills go to the books')
  const lines = await reader
    .selectFrom('costs.cost_line')
    .select(['description', 'kind', 'charge_category', 'amount', 'tenant_id', 'deployment_id'])
    .where('provider_invoice_id', '=', provider_invoice_id)
    .orderBy('position')
    .execute()
  const { status, ...facts } = bill
  return { bill: { ...facts, is_withdrawn: status === 'withdrawn' }, lines }
}

/** Where the file of a bill has this column, every line has it, also one of a bill that was withdrawn. */
const PROVIDER_NAME = sql<string | null>`coalesce((
  select extra->>'ProviderName' from costs.cost_line
  where provider_invoice_id = costs.provider_invoice.id order by position limit 1
), (
  select line->'extra'->>'ProviderName' from costs.withdrawn_line
  where provider_invoice_id = costs.provider_invoice.id order by position limit 1
))`

/** An issued invoice, void or not, with its lines and credit notes; its day of issue is that of the tenant's zone. */
export async function readInvoice(
  reader: Reader,
  { tenant_id, invoice_id }: { tenant_id: string; invoice_id: string },
): Promise<{ invoice: Invoice; lines: InvoiceLine[]; credit_notes: CreditNote[] }> {
  const row = await reader
    .selectFrom('invoicing.invoice as i')
    .innerJoin('tenants.tenant as t', 't.id', 'i.tenant_id')
    .select(['i.id', 'i.tenant_id', 'i.number', 'i.currency', 'i.period_start', 'i.period_end', 'i.status'])
    .select(['i.issued_at', 'i.buyer', 'i.subtotal_cents', 'i.tax_cents', 'i.total_cents', 't.timezone'])
    .select('i.minor_unit_places')
    .where('i.tenant_id', '=', tenant_id)
    .where('i.id', '=', invoice_id)
    .executeTakeFirst()
  invariant(row !== undefined && row.issued_at !== null, 'only issued invoices go to the books')
  const lines = await reader
    .selectFrom('invoicing.invoice_line')
    .select(['tenant_id', 'deployment_id', 'kind', 'description', 'amount_cents'])
    .where('tenant_id', '=', tenant_id)
    .where('invoice_id', '=', invoice_id)
    .orderBy('position')
    .execute()
  const credit_notes = await reader
    .selectFrom('invoicing.credit_note')
    .select(['number', 'amount_cents', 'tax_cents'])
    .where('tenant_id', '=', tenant_id)
    .where('invoice_id', '=', invoice_id)
    .orderBy('number')
    .execute()
  const { period_start: start, period_end: end, status, issued_at, number, buyer, ...amounts } = row
  const invoice = {
    ...amounts,
    number: present(number, 'an issued invoice has a number'),
    period: { start, end },
    is_void: status === 'void',
    issued_on: dateIn(issued_at, row.timezone),
    buyer: customerOf(Value.Parse(Buyer, buyer)),
  }
  return { invoice, lines, credit_notes }
}

function pushes(reader: Reader) {
  return reader
    .selectFrom('finance.push')
    .select(['id', 'document', 'source', 'external_id', 'tenant_id', 'status', 'action', 'finance_id', 'attempts'])
    .select(['next_attempt_at', 'last_error', 'created_at', 'pushed_at', 'minor_unit_places', 'payload'])
}

function withPayload<R extends Pick<DB['finance.push'], 'document'> & { payload: Parameters<typeof readDocument>[1] }>(
  row: R,
) {
  const { payload } = readDocument(row.document, row.payload)
  return { ...row, payload: { ...payload, lines: [...payload.lines] } }
}

/** As the invoice keeps its buyer; other fields of the snapshot are of no interest to the books. */
const Buyer = Type.Object({
  legal_name: Type.String(),
  country: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  tax_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})

function customerOf({ legal_name, country, tax_id }: Static<typeof Buyer>): Invoice['buyer'] {
  return { name: legal_name, ...(country && { country }), ...(tax_id && { tax_id }) }
}
