export { invariants as llmUsageInvariants } from './invariants.ts'
export { changedLlmWindows, readHeldCounts, readLlmCharges } from './queries.ts'
export { llmUsageRoutes } from './routes.ts'
