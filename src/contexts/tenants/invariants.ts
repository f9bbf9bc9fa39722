import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const tenantsInvariants: Invariant[] = [
  {
    name: 'tenants.one-currency',
    promise: 'Every invoice is in the currency of its tenant.',
    violations: sql`
      select i.id::text as subject, format('invoice in %s, tenant %s in %s', i.currency, t.id, t.currency) as detail
      from invoicing.invoice i join tenants.tenant t on t.id = i.tenant_id
      where i.currency <> t.currency`,
  },
]
