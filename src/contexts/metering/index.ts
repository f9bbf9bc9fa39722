export { invariants as meteringInvariants } from './invariants.ts'
export { changedWindows, changeRows, type ChangeWindow, isNews, readUnits } from './queries.ts'
export { meteringRoutes } from './routes.ts'
export { readUsage, type Usage, type UsageWindow } from './usage.ts'
