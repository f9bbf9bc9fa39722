import { present } from '../../kernel/invariant.ts'
import type { Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { type Quote, quote } from '../pricing/index.ts'
import { valueOf } from './attempt.ts'
import { readBillableFacts } from './facts.ts'
import { readTenants } from './queries.ts'

/** What a tenant's invoices of some months come to as the database is now, with the usage up to `as_of`. */
export async function previewInvoices(
  reader: Reader,
  { tenant_id, months, as_of }: { tenant_id: string; months: readonly Period[]; as_of: Temporal.Instant },
): Promise<Quote[]> {
  const tenants = await readTenants(reader, [tenant_id])
  const quotes: Quote[] = []
  for (const period of months) {
    const facts = await readBillableFacts(reader, { period, tenants, as_of })
    quotes.push(quote(valueOf(present(facts.get(tenant_id), 'the tenant has facts'))))
  }
  return quotes
}
