export { type Act, recordEvent } from './event.ts'
export { eventsRoutes } from './routes.ts'
