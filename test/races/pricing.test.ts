import { after } from 'node:test'
import { tellPricing } from '../scenarios/pricing.ts'
import { startPostgres } from '../support/postgres.ts'

const server = await startPostgres()
after(() => server.stop())

tellPricing(async () => (await server.database()).db)
