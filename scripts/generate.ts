import { readFile, writeFile } from 'node:fs/promises'
import { openDatabase } from '../src/platform/db.ts'
import { migrate, readMigrations } from '../src/platform/migrate.ts'
import { describeSchema, describeTypes } from './schema.ts'

/** Writes the generated files; with `--check` it only says which of them are out of date, and fails if any is. */
const check = process.argv.includes('--check')
const root = new URL('../', import.meta.url)

const db = await openDatabase({ database: { kind: 'memory' } })
await migrate(db, await readMigrations(), Temporal.Instant.fromEpochMilliseconds(0))
const files: Record<string, string> = {
  'db/types.ts': await describeTypes(db),
  'db/schema.sql': await describeSchema(db),
}
await db.close()

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
