import { messageOf } from '../../kernel/invariant.ts'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { decimal } from '../../kernel/decimal.ts'
import { invalidInput, Problem } from '../../kernel/problem.ts'
import type { Ids } from '../../platform/ids.ts'
import { found } from '../../platform/wire.ts'
import type { Balance } from '../../providers/digitalocean/index.ts'
import { loadOwners, type Owner } from '../inventory/index.ts'
import type { Share } from './allocation.ts'
import { BILL_CURRENCY } from './bill.ts'
import { lockBills } from './lock.ts'
import { matchLines } from './match-lines.ts'
import { invoiceIncomplete, lineNotAssignable, unknownDeployment } from './problems.ts'
import { findLineForAssignment } from './queries.ts'

type CostsTx = ContextTx<'costs'>
type Act = { readonly now: Temporal.Instant; readonly actor: string }

/** A snapshot that is stored already is left as it is. */
export async function recordBalance(
  tx: CostsTx,
  { provider, balance }: { provider: string; balance: Balance },
  { now }: { now: Temporal.Instant },
): Promise<void> {
  const snapshot = { ...balance, provider, currency: BILL_CURRENCY, taken_at: now }
  await insertRows(tx, 'costs.balance', [snapshot], { on_conflict: 'do nothing' })
}

/** Shown with the invoice until a reading of it succeeds; a reading of too few lines is counted, too. */
export async function recordIngestFailure(
  tx: CostsTx,
  { provider_invoice_id, error }: { provider_invoice_id: string; error: unknown },
): Promise<void> {
  const isIncomplete = error instanceof Problem && error.code === invoiceIncomplete.kind.code
  await tx
    .updateTable('costs.provider_invoice')
    .set((row) => ({
      last_error: messageOf(error),
      incomplete_readings: isIncomplete ? row('incomplete_readings', '+', 1) : row.ref('incomplete_readings'),
    }))
    .where('id', '=', provider_invoice_id)
    .execute()
}

export type LineAssignment = {
  readonly line_id: string
  /** Null takes an assignment by hand away, and the line is matched again. */
  readonly deployment_id: string | null
  /** Also for lines of this resource on other bills, now and later; with null, forgets that. */
  readonly remember: boolean
}

export async function assignLine(
  tx: CostsTx,
  { line_id, deployment_id, remember }: LineAssignment,
  { now, actor }: Act,
): Promise<void> {
  await lockBills(tx)
  const line = found(await findLineForAssignment(tx, line_id), 'cost line')
  if (line.match_status === 'not_applicable') {
    throw lineNotAssignable('Tax and credits belong to the whole bill. Assign its other lines.')
  }
  const owner = deployment_id === null ? null : await requireOwner(tx, deployment_id)
  if (remember) await rememberAssignment(tx, { line, owner }, { now, actor })
  await tx.deleteFrom('costs.line_share').where('cost_line_id', '=', line_id).execute()
  await tx
    .updateTable('costs.cost_line')
    .set({
      tenant_id: owner?.tenant_id ?? null,
      deployment_id: owner?.deployment_id ?? null,
      match_status: owner ? 'matched' : 'unmatched',
      match_method: owner ? 'by_hand' : null,
      match_reason: owner ? `assigned by ${actor}` : 'not matched yet',
    })
    .where('id', '=', line_id)
    .execute()
  await matchLines(tx, {})
}

export type NewAllocationRule = {
  readonly provider: string
  readonly product: string | null
  readonly project: string | null
  readonly description: string | null
  readonly shares: readonly Omit<Share, 'tenant_id'>[]
}

/** The rule holds for all lines that it selects and that have no deployment of their own. */
export async function addAllocationRule(
  tx: CostsTx,
  rule: NewAllocationRule,
  { now, actor, ids }: Act & { ids: Ids },
): Promise<string> {
  await lockBills(tx)
  const id = ids.uuid()
  const shares = await requireShares(tx, rule.shares)
  await insertRows(tx, 'costs.allocation_rule', [{ ...rule, id, shares, created_at: now, created_by: actor }])
  await matchLines(tx, {})
  return id
}

export async function deleteAllocationRule(tx: CostsTx, id: string): Promise<void> {
  await lockBills(tx)
  const query = tx.deleteFrom('costs.allocation_rule').where('id', '=', id).returning('id')
  found(await query.executeTakeFirst(), 'allocation rule')
  await matchLines(tx, {})
}

async function requireOwner(tx: CostsTx, deployment_id: string): Promise<Owner> {
  const owner = (await loadOwners(tx, [deployment_id])).get(deployment_id)
  if (owner === undefined) {
    throw unknownDeployment(`No deployment has the id ${deployment_id}. GET /deployments lists them.`)
  }
  return owner
}

async function rememberAssignment(
  tx: CostsTx,
  { line, owner }: { line: { provider: string; kind: string; resource_name: string | null }; owner: Owner | null },
  { now, actor }: Act,
): Promise<void> {
  if (line.resource_name === null) {
    throw lineNotAssignable('The line names no resource that could be remembered. Add an allocation rule instead.')
  }
  const key = { provider: line.provider, kind: line.kind, resource_name: line.resource_name.toLowerCase() }
  if (owner === null) {
    await tx
      .deleteFrom('costs.remembered_assignment')
      .where((row) => row.and(key))
      .execute()
    return
  }
  await tx
    .insertInto('costs.remembered_assignment')
    .values({ ...key, ...owner, created_at: now, created_by: actor })
    .onConflict((conflict) =>
      conflict
        .columns(['provider', 'kind', 'resource_name'])
        .doUpdateSet({ ...owner, created_at: now, created_by: actor }),
    )
    .execute()
}

async function requireShares(tx: CostsTx, shares: NewAllocationRule['shares']): Promise<Share[]> {
  const owners = await loadOwners(
    tx,
    shares.map(({ deployment_id }) => deployment_id),
  )
  const seen = new Set<string>()
  const faults = shares.flatMap(({ deployment_id, weight }, index) => {
    const isRepeated = seen.has(deployment_id)
    seen.add(deployment_id)
    if (!owners.has(deployment_id)) return { path: `shares/${index}/deployment_id`, message: 'is not a deployment' }
    if (isRepeated) return { path: `shares/${index}/deployment_id`, message: 'is named twice' }
    return decimal(weight).gt(decimal('0')) ? [] : { path: `shares/${index}/weight`, message: 'must be above 0' }
  })
  if (faults.length > 0) throw invalidInput('The shares are not valid.', faults)
  return shares.flatMap(({ deployment_id, weight }) => {
    const owner = owners.get(deployment_id)
    return owner ? { ...owner, weight } : []
  })
}
