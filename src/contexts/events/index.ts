export { type Act, actOf, recordEvent } from './event.ts'
export { eventsRoutes } from './routes.ts'
