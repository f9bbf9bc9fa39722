import { type Database, openDatabase, type OpenOptions } from '../../src/platform/db.ts'
import { makeTemplate } from '../../src/platform/template.ts'

const EPOCH = Temporal.Instant.fromEpochMilliseconds(0)

/** A migrated database in memory: making one costs seconds, starting from a template a fraction of one. */
export async function memoryDatabase(options: OpenOptions = {}): Promise<Database> {
  const made = (template ??= makeTemplate(EPOCH))
  return openDatabase({ database: { kind: 'memory' } }, { ...options, template: () => made })
}

/** Files that share a process share it. */
let template: Promise<Blob> | undefined
