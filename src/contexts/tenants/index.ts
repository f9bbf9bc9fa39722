export { createTenant } from './commands.ts'
export { tenantsInvariants } from './invariants.ts'
export { TenantId, tenantsRoutes } from './routes.ts'
export { taxTermsOf, type Tenant } from './tenant.ts'
