import type { ContextTx } from '../../platform/db.ts'
import { takeTurn } from '../../platform/locks.ts'

/**
 * Bills, and whose cost their lines are, change one after the other: each change decides on what the one before has
 * written. Taken before any of it is read or written: a statement sees only what was committed before it began, and two
 * that held rows and waited for this would wait for each other.
 */
export async function lockBills(tx: ContextTx<'costs'>): Promise<void> {
  await takeTurn(tx, 'bills')
}
