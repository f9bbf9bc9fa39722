import { readFile, writeFile } from 'node:fs/promises'
import { demoAccount } from '../demo/digitalocean/index.ts'
import { openBooks } from '../test/scenarios/books.ts'
import { memoryDatabase } from '../test/support/database.ts'
import { describeProblems } from './problems.ts'
import { describeQueries, walkThrough } from './queries.ts'
import { describeSchema, describeTypes } from './schema.ts'

/** Writes the generated files; with `--check` it only says which of them are out of date, and fails if any is. */
const check = process.argv.includes('--check')
const root = new URL('../', import.meta.url)
const NOW = '2026-05-02T06:00:00Z'

const statements = new Set<string>()
const stale: string[] = []
const db = await memoryDatabase({ on_query: (text) => statements.add(text) })
await compare({ 'db/types.ts': await describeTypes(db), 'db/schema.sql': await describeSchema(db) })
// One that is out of date is enough to fail, without the walk.
if (!check || stale.length === 0) {
  statements.clear()
  const books = await openBooks(db, NOW, demoAccount())
  await walkThrough(books)
  const http = await books.app.http()
  await compare({
    'db/queries.snap.sql': describeQueries(statements),
    'docs/problems.md': describeProblems(),
    'docs/openapi.json': `${JSON.stringify(http.swagger(), null, 2)}\n`,
  })
  await books.close()
} else {
  await db.close()
}

if (check && stale.length > 0) {
  console.error(`Out of date: ${stale.join(', ')}. Run: npm run generate`)
  process.exitCode = 1
} else {
  console.log(stale.length > 0 ? `Written: ${stale.join(', ')}` : 'Generated files are up to date')
}

async function compare(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = new URL(name, root)
    const current = await readFile(path, 'utf8').catch(() => '')
    if (current === text) continue
    stale.push(name)
    if (!check) await writeFile(path, text)
  }
}
