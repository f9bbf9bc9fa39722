import { problem } from '../../kernel/problem.ts'

export const invalidTransition = problem({
  code: 'deployments/invalid-transition',
  status: 422,
  title: 'The lifecycle has no such transition',
})
export const billingActionSuspended = problem({
  code: 'deployments/billing-action-suspended',
  status: 409,
  title: 'Automatic billing actions are switched off for the deployment',
})
export const slugTaken = problem({
  code: 'deployments/slug-taken',
  status: 409,
  title: 'The tenant has a deployment with this slug',
  constraints: ['deployment_slug_once'],
})
export const unknownTenant = problem({
  code: 'deployments/unknown-tenant',
  status: 422,
  title: 'No such tenant',
  constraints: ['deployment_tenant_exists'],
})
