import { memoryDatabase } from '../../test/support/database.ts'
import { testDatabasePromises } from '../../test/support/database-promises.ts'

testDatabasePromises(memoryDatabase)
