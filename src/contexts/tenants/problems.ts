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
export const timeZoneInUse = problem({
  code: 'tenants/time-zone-in-use',
  status: 409,
  title: 'The time zone of a tenant with invoices cannot change',
})
