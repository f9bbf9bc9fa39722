import type { Clock } from './clock.ts'
import type { Database } from './db.ts'
import type { Ids } from './ids.ts'
import type { Later } from './jobs.ts'
import type { Log } from './log.ts'

/** What routes, jobs and commands are given. They open the transactions; contexts never see `db`. */
export type Edge = {
  readonly db: Database
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly later: Later
}
