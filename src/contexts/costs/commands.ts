import { sql } from 'kysely'
import { messageOf } from '../../kernel/invariant.ts'
import { type ContextTx, insertRows, jsonb } from '../../platform/db.ts'
import { quoted } from '../../kernel/nearest.ts'
import { decimal, ZERO } from '../../kernel/decimal.ts'
import { type Fault, invalidInput, Problem } from '../../kernel/problem.ts'
import { found } from '../../platform/wire.ts'
import type { Balance } from '../../providers/digitalocean/index.ts'
import type { Act } from '../events/index.ts'
import { loadOwners, type Owner } from '../inventory/index.ts'
import { readUnits } from '../metering/index.ts'
import type { Basis, Share } from './allocation.ts'
import { findDifference } from './bill-queries.ts'
import { BILL_CURRENCY } from './bill.ts'
import { lockBills } from './lock.ts'
import { matchLines } from './match-lines.ts'
import { requireOpenMonth } from './open-month.ts'
import { invoiceIncomplete, lineNotAssignable, unknownDeployment } from './problems.ts'
import { findLineForAssignment } from './line-queries.ts'

type CostsTx = ContextTx<'costs'>

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

/** Whoever settles an alarm says what was found. The bill stays as it is, and the same version is no alarm again. */
export async function settleDifference(
  tx: CostsTx,
  { provider_invoice_id, reason }: { provider_invoice_id: string; reason: string },
  { now, actor, ids }: Act,
): Promise<void> {
  await lockBills(tx)
  const { difference, differing_lines } = found(await findDifference(tx, provider_invoice_id), 'difference')
  await tx
    .insertInto('costs.settled_difference')
    .values({
      id: ids.uuid(),
      provider_invoice_id,
      difference: jsonb(difference),
      differing_lines: differing_lines === null ? null : jsonb(differing_lines),
      settled_at: now,
      settled_by: actor,
      reason,
    })
    .execute()
  await tx
    .updateTable('costs.provider_invoice')
    .set({ difference: null, differing_lines: null })
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

/** Throws `costs/period-closed` for a line of a closed month; with `remember`, lines of other closed months stay. */
export async function assignLine(
  tx: CostsTx,
  { line_id, deployment_id, remember }: LineAssignment,
  act: Act,
): Promise<void> {
  await lockBills(tx)
  const line = found(await findLineForAssignment(tx, line_id), 'cost line')
  if (line.match_status === 'not_applicable') {
    throw lineNotAssignable('Tax and credits belong to the whole bill. Assign its other lines.')
  }
  await requireOpenMonth(tx, line.period_start)
  const owner = deployment_id === null ? null : await requireOwner(tx, deployment_id)
  if (remember) await rememberAssignment(tx, { line, owner }, act)
  await tx.deleteFrom('costs.line_share').where('cost_line_id', '=', line_id).execute()
  await tx
    .updateTable('costs.cost_line')
    .set({
      tenant_id: owner?.tenant_id ?? null,
      deployment_id: owner?.deployment_id ?? null,
      match_status: owner ? 'matched' : 'unmatched',
      match_method: owner ? 'by_hand' : null,
      match_reason: owner ? `assigned by ${act.actor}` : 'not matched yet',
    })
    .where('id', '=', line_id)
    .execute()
  await matchLines(tx, {})
}

export type NewAllocationRule = {
  readonly provider: string
  readonly product: string | null
  readonly project: string | null
  /** Exact, but for `*`, which stands for any text. */
  readonly description: string | null
  readonly basis: Basis
  readonly meter: string | null
  readonly shares: readonly Omit<Share, 'tenant_id'>[]
  readonly deployment_ids: readonly string[]
}

/**
 * The rule holds for all lines of open months that it selects and that the ladder gives to nobody. Throws
 * `request/invalid` when its parts do not fit its basis, or name what does not exist.
 */
export async function addAllocationRule(
  tx: CostsTx,
  rule: NewAllocationRule,
  { now, actor, ids }: Act,
): Promise<string> {
  await lockBills(tx)
  const id = ids.uuid()
  const shares = await requireRule(tx, rule)
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
  // As the ladder looks for it: what is lower case depends on the database's locale.
  const key = { provider: line.provider, kind: line.kind, resource_name: sql<string>`lower(${line.resource_name})` }
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

async function requireRule(tx: CostsTx, rule: NewAllocationRule): Promise<Share[]> {
  const deployment_ids = [...rule.shares.map(({ deployment_id }) => deployment_id), ...rule.deployment_ids]
  const owners = deployment_ids.length > 0 ? await loadOwners(tx, deployment_ids) : new Map<string, Owner>()
  const units = rule.meter === null ? undefined : await readUnits(tx, [rule.meter])
  const faults = [
    ...partFaults(rule),
    ...ownerFaults(
      rule.shares.map(({ deployment_id }) => deployment_id),
      owners,
      (index) => `shares/${index}/deployment_id`,
    ),
    ...ownerFaults(rule.deployment_ids, owners, (index) => `deployment_ids/${index}`),
    ...rule.shares.flatMap(({ weight }, index) =>
      decimal(weight).gt(ZERO)
        ? []
        : { path: `shares/${index}/weight`, message: `must be above 0; found ${quoted(weight)}` },
    ),
    ...(rule.meter === null || units?.has(rule.meter)
      ? []
      : [{ path: 'meter', message: `there is no meter ${rule.meter}; GET /meters lists them` }]),
  ]
  if (faults.length > 0) throw invalidInput('The rule is not valid.', faults)
  return rule.shares.flatMap(({ deployment_id, weight }) => {
    const owner = owners.get(deployment_id)
    return owner ? { ...owner, weight } : []
  })
}

function partFaults({ basis, meter, shares, deployment_ids }: NewAllocationRule): Fault[] {
  const isFixed = basis === 'fixed'
  return [
    ...(isFixed && shares.length === 0 ? [{ path: 'shares', message: 'must name at least one share' }] : []),
    ...(!isFixed && shares.length > 0
      ? [{ path: 'shares', message: 'only a rule with the basis fixed has them' }]
      : []),
    ...(isFixed && deployment_ids.length > 0
      ? [{ path: 'deployment_ids', message: 'name the deployments in the shares of a rule with the basis fixed' }]
      : []),
    ...(basis === 'meter' && meter === null ? [{ path: 'meter', message: 'must name the meter to share by' }] : []),
    ...(basis !== 'meter' && meter !== null
      ? [{ path: 'meter', message: 'only a rule with the basis meter has one' }]
      : []),
  ]
}

function ownerFaults(
  deployment_ids: readonly string[],
  owners: ReadonlyMap<string, Owner>,
  pathOf: (index: number) => string,
): Fault[] {
  return deployment_ids.flatMap((id, index) => {
    if (!owners.has(id))
      return { path: pathOf(index), message: `there is no deployment ${id}; GET /deployments lists them` }
    return deployment_ids.indexOf(id) < index ? { path: pathOf(index), message: 'is named twice' } : []
  })
}
