import { problem } from '../../kernel/problem.ts'

export const tenantExists = problem({
  code: 'tenants/exists',
  status: 409,
  title: 'The tenant id is taken',
  constraints: ['tenant_pkey', 'tenant_id_without_case'],
})
export const currencyInUse = problem({
  code: 'tenants/currency-in-use',
  status: 409,
  title: 'The currency of a tenant with subscriptions, LLM usage or invoices cannot change',
})
export const tenantInUse = problem({
  code: 'tenants/in-use',
  status: 409,
  title: 'A tenant that has had anything cannot be deleted',
  constraints: ['invoice_tenant_exists', 'parked_tenant_exists'],
})
export const timeZoneInUse = problem({
  code: 'tenants/time-zone-in-use',
  status: 409,
  title: 'The time zone of a tenant with invoices cannot change',
})
