import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const invariants: Invariant[] = [
  {
    name: 'llm-usage.charges-are-in-the-currency-of-the-tenant',
    promise: 'Every charge is in the currency that its tenant is billed in.',
    violations: sql`
      select e.id::text as subject, e.currency || ' instead of ' || t.currency as detail
      from llm_usage.event e join tenants.tenant t on t.id = e.tenant_id where e.currency <> t.currency`,
  },
  {
    name: 'llm-usage.adjustments-have-their-request',
    promise: 'Every adjustment, and so every negative charge, names a known request of the same deployment.',
    violations: sql`
      select e.id::text as subject, 'adjusts ' || coalesce(e.adjusts, 'nothing') as detail
      from llm_usage.event e
      where (e.adjusts is not null or e.charge < 0) and not exists (
        select from llm_usage.event o
        where o.gateway_id = e.gateway_id and o.gateway_request_id = e.adjusts
          and o.tenant_id = e.tenant_id and o.deployment_id = e.deployment_id
      )`,
  },
]
