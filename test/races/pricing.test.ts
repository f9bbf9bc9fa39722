import { after, before } from 'node:test'
import { tellPricing } from '../scenarios/pricing.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

tellPricing(async () => (await server.database()).db)
