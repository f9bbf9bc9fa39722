export { type GroupBy, type Margin, marginOf, type MarginRow, type MarginTotals } from './margin.ts'
export { readBooks } from './queries.ts'
export { marginRoutes } from './routes.ts'
