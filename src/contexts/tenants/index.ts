export { createTenant } from './commands.ts'
export { tenantsInvariants } from './invariants.ts'
export { AssumedTaxOut, TenantId, tenantsRoutes } from './routes.ts'
export { type AssumedTax, assumedTaxOf, taxTermsOf, type Tenant, TENANT_ID_PATTERN } from './tenant.ts'
