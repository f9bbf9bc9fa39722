import { sql } from 'kysely'
import type { Reader } from './db.ts'

/**
 * The order of locks, which keeps two transactions from waiting for each other. Whoever needs several takes them in this
 * order, and leaves out what it does not need:
 *
 * 1. the locks below, as they are listed;
 * 2. a deployment, then its subscriptions;
 * 3. tenants, which only stay as they are (`for share`);
 * 4. an invoice, then the series of its number, then its push.
 *
 * Several rows of one table are locked in the order of their ids. Deployments and subscriptions are locked
 * `for no key update`: under `for update`, everything that only refers to one would wait for it, and a row that a
 * transaction changes twice refers anew to what its foreign keys name.
 */
const LOCKS = {
  /** Changes of resources and their spans: each decides on what the one before has written. */
  inventory: 7_274_205,
  /** Bills, and whose cost their lines are. */
  bills: 7_274_209,
  /** Rollups: two months at once would not see each other's adjustments. */
  rollups: 7_026_018_455,
}

/**
 * Waits for its turn, which lasts until the transaction ends. Before any of it is read or written: a statement sees only
 * what was committed before it began.
 */
export async function takeTurn(tx: Reader, of: keyof typeof LOCKS): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCKS[of]})`.execute(tx)
}
