import { after, before } from 'node:test'
import { tellStories } from '../scenarios/stories.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

tellStories(async () => (await server.database()).db)
