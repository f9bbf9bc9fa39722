export { createDeployment, type DeploymentTransition, transition } from './commands.ts'
export { deploymentsInvariants } from './invariants.ts'
export { readDeployment } from './queries.ts'
export {
  DeploymentId,
  DeploymentParams,
  DeploymentRef,
  deploymentFields,
  DeploymentEventOut,
  deploymentsRoutes,
  type TransitionHook,
  type TransitionPreview,
} from './routes.ts'
