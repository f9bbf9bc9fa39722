import { readFile, writeFile } from 'node:fs/promises'
import { openDatabase } from '../src/platform/db.ts'
import { migrate, readMigrations } from '../src/platform/migrate.ts'
import { openBooks } from '../test/scenarios/books.ts'
import { describeProblems } from './problems.ts'
import { describeQueries, walkThrough } from './queries.ts'
import { describeSchema, describeTypes } from './schema.ts'

/** Writes the generated files; with `--check` it only says which of them are out of date, and fails if any is. */
const check = process.argv.includes('--check')
const root = new URL('../', import.meta.url)
const NOW = '2026-05-02T06:00:00Z'

const statements = new Set<string>()
const db = await openDatabase({ database: { kind: 'memory' } }, { on_query: (text) => statements.add(text) })
await migrate(db, await readMigrations(), Temporal.Instant.from(NOW))
const [types, schema] = [await describeTypes(db), await describeSchema(db)]
statements.clear()
const books = await openBooks(db, NOW)
await walkThrough(books)
const files: Record<string, string> = {
  'db/types.ts': types,
  'db/schema.sql': schema,
  'db/queries.snap.sql': describeQueries(statements),
  'docs/problems.md': describeProblems(),
  'docs/openapi.json': `${JSON.stringify(books.app.http.swagger(), null, 2)}\n`,
}
await books.close()

const stale: string[] = []
for (const [name, text] of Object.entries(files)) {
  const path = new URL(name, root)
  const current = await readFile(path, 'utf8').catch(() => '')
  if (current === text) continue
  stale.push(name)
  if (!check) await writeFile(path, text)
}

if (check && stale.length > 0) {
  console.error(`Out of date: ${stale.join(', ')}. Run: npm run generate`)
  process.exitCode = 1
} else {
  console.log(stale.length > 0 ? `Written: ${stale.join(', ')}` : 'Generated files are up to date')
}
