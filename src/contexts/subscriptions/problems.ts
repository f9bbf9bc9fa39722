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
export const daysBilled = problem({
  code: 'subscriptions/days-billed',
  status: 409,
  title: 'An issued invoice has billed days that would change',
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
// Refused before it comes to the database; only what races past a check gets there.
problem({
  code: 'subscriptions/terms-not-sound',
  status: 422,
  title: 'The override or discount cannot be applied',
  constraints: ['override_of_something', 'discount_ends_after_start', 'discount_by_rate_or_amount'],
})
problem({
  code: 'subscriptions/discounts-at-once',
  status: 409,
  title: 'Another discount was given at the same time',
  constraints: ['discount_in_order'],
})
