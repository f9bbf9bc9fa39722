import { loadConfig } from '../config.ts'
import { systemClock } from '../platform/clock.ts'
import { openDatabase } from '../platform/db.ts'
import { migrateQueue } from '../platform/jobs.ts'
import { migrate, readMigrations } from '../platform/migrate.ts'
import { print, printJson } from './output.ts'

export async function runMigrate(options: { json?: true }): Promise<void> {
  const db = await openDatabase(loadConfig())
  try {
    const applied = await migrate(db, await readMigrations(), systemClock.now())
    await migrateQueue(db)
    if (options.json) printJson({ applied })
    else print(applied.length > 0 ? `Applied:\n  ${applied.join('\n  ')}` : 'The schema is up to date.')
  } finally {
    await db.close()
  }
}
