export { createDeployment, type DeploymentTransition, transition } from './commands.ts'
export { deploymentsInvariants } from './invariants.ts'
export { deploymentsRoutes, type TransitionHook, type TransitionPreview } from './routes.ts'
