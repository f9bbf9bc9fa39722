import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { memoryDatabase } from '../../test/support/database.ts'
import { testDatabasePromises } from '../../test/support/database-promises.ts'

testDatabasePromises(memoryDatabase)

test('a long series of statements lets others have their turn', async (t) => {
  const db = await memoryDatabase()
  t.after(db.close)
  const STATEMENTS = 6
  let turns = 0
  const others = setInterval(() => (turns += 1), 1)
  for (let statement = 0; statement < STATEMENTS; statement += 1) {
    await sql`select count(*) from generate_series(1, 300000)`.execute(db.read)
  }
  clearInterval(others)
  // Whatever the machine, two of them take longer than a turn. Without one, nothing else runs before the last is done.
  assert.ok(turns >= STATEMENTS / 2, `${turns} turns`)
})
