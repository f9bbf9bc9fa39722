export { invariants as meteringInvariants } from './invariants.ts'
export { changedWindows, type ChangeWindow, readUnits, readUsage, type UsageWindow } from './queries.ts'
export { meteringRoutes } from './routes.ts'
