import { sql } from 'kysely'
import type { ContextTx } from '../../platform/db.ts'

/** Any constant that no other lock uses. */
const BILLS_LOCK = 7_274_209

/**
 * Bills, and whose cost their lines are, change one after the other: each change decides on what the one before has
 * written. Taken before any of it is read or written: a statement sees only what was committed before it began, and two
 * that held rows and waited for this would wait for each other.
 */
export async function lockBills(tx: ContextTx<'costs'>): Promise<void> {
  await sql`select pg_advisory_xact_lock(${BILLS_LOCK})`.execute(tx)
}
