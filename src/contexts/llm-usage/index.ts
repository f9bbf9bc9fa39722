export { recordLlmUsage } from './commands.ts'
export { invariants as llmUsageInvariants } from './invariants.ts'
export { changedLlmWindows, type LlmCharges, readLlmCharges } from './queries.ts'
export { llmUsageRoutes } from './routes.ts'
