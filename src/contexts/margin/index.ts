export { marginRoutes } from './routes.ts'
