import { type Config, loadConfig } from '../config.ts'
import { systemClock } from '../platform/clock.ts'
import { openDatabase } from '../platform/db.ts'
import type { Log } from '../platform/log.ts'
import { commandLog } from './connect.ts'
import { migrateQueue } from '../platform/jobs.ts'
import { migrate, readMigrations } from '../platform/migrate.ts'
import { print, printJson } from './output.ts'

export async function runMigrate(options: { json?: true }): Promise<void> {
  const config = loadConfig()
  const applied = await migrateBooks(config, await commandLog(config))
  if (options.json) printJson({ applied })
  else print(applied.length > 0 ? `Applied:\n  ${applied.join('\n  ')}` : 'The schema is up to date.')
}

/** Brings our schema and the job queue's up to date. Returns the names of the migrations applied. */
export async function migrateBooks(config: Config, log: Log): Promise<string[]> {
  const db = await openDatabase(config, { log })
  try {
    const applied = await migrate(db, await readMigrations(), systemClock.now())
    await migrateQueue(db)
    return applied
  } finally {
    await db.close()
  }
}
