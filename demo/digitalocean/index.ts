export { type Account, demoAccount, DEMO_NOW } from './account.ts'
export { startDigitalOceanStandIn } from './server.ts'
