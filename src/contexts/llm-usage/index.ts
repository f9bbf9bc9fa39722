export { invariants as llmUsageInvariants } from './invariants.ts'
export { changedLlmWindows, readLlmCharges } from './queries.ts'
export { llmUsageRoutes } from './routes.ts'
