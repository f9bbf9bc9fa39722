import { after } from 'node:test'
import { tellStories } from '../scenarios/stories.ts'
import { startPostgres } from '../support/postgres.ts'

const server = await startPostgres()
after(() => server.stop())

tellStories(async () => (await server.database()).db)
