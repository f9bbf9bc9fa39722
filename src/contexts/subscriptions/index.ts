export { followDeployment } from './follow.ts'
export { subscriptionsInvariants } from './invariants.ts'
export { type BilledSubscription, readSubscriptions } from './queries.ts'
export { subscriptionsRoutes } from './routes.ts'
