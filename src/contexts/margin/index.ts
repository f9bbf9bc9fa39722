export { marginRoutes } from './routes.ts'
export { whatIf } from './what-if.ts'
