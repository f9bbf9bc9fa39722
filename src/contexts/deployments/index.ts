export { type By, createDeployment, type DeploymentTransition, transition } from './commands.ts'
export type { Deployment, DeploymentStatus } from './deployment.ts'
export { deploymentsInvariants } from './invariants.ts'
export { deploymentsRoutes, type TransitionHook } from './routes.ts'
