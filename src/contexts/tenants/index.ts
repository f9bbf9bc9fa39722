export { createTenant, type NewTenant } from './commands.ts'
export { tenantsInvariants } from './invariants.ts'
export { TenantId, tenantsRoutes } from './routes.ts'
export { taxTermsOf, type Tenant, type TenantTax } from './tenant.ts'
