import { problem } from '../../kernel/problem.ts'

export const alreadySubscribed = problem({
  code: 'subscriptions/already-subscribed',
  status: 409,
  title: 'The deployment has a subscription',
  constraints: ['subscription_one_live'],
})
export const overlapping = problem({
  code: 'subscriptions/overlap',
  status: 409,
  title: 'Another subscription of the deployment covers some of the days',
  constraints: ['subscription_no_overlap'],
})
export const deploymentClosed = problem({
  code: 'subscriptions/deployment-closed',
  status: 409,
  title: 'A cancelled deployment cannot be subscribed',
})
export const alreadyEnded = problem({
  code: 'subscriptions/already-ended',
  status: 409,
  title: 'The subscription ends earlier',
})
export const outsideSubscription = problem({
  code: 'subscriptions/outside-subscription',
  status: 422,
  title: 'The date is not a day of the subscription',
})
export const currencyMismatch = problem({
  code: 'subscriptions/currency-mismatch',
  status: 422,
  title: 'The tenant is billed in another currency',
})
