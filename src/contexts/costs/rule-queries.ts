import { type Selectable, sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import type { Reader } from '../../platform/db.ts'
import type { Share } from './allocation.ts'
import type { PageAfter } from './wire.ts'

export type AllocationRuleRow = Omit<Selectable<DB['costs.allocation_rule']>, 'shares'> & { shares: Share[] }

/** Oldest first, `limit` + 1 rows strictly after `after` (created_at, id). */
export async function listAllocationRules(reader: Reader, { limit, after }: PageAfter): Promise<AllocationRuleRow[]> {
  const condition = after ? sql`where (created_at, id) > (${after[0]}::timestamptz, ${after[1]}::uuid)` : sql``
  const { rows } = await sql<AllocationRuleRow>`
    select * from costs.allocation_rule ${condition} order by created_at, id limit ${limit + 1}`.execute(reader)
  return rows
}

export async function findAllocationRule(reader: Reader, id: string): Promise<AllocationRuleRow | undefined> {
  const { rows } = await sql<AllocationRuleRow>`select * from costs.allocation_rule where id = ${id}`.execute(reader)
  return rows[0]
}
