import { sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import { instantsOf, isTimeZone, monthLabel, type Period } from '../../kernel/period.ts'
import { anyOf, type ContextTx, insertRows, rowset, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import { takeTurn } from '../../platform/locks.ts'
import { found } from '../../platform/wire.ts'
import type { Tenant } from '../tenants/index.ts'
import { readAdjustments, withAdjustments } from './adjustments.ts'
import { type Attempt, attempt, type Failure, failureOf } from './attempt.ts'
import { billOf } from './bill.ts'
import { readBillableFacts } from './facts.ts'
import { type Draft, draftOf, type Seller } from './invoice.ts'
import { periodNotOver } from './problems.ts'
import { lockTenants, readSnapshot, readTenants } from './queries.ts'
import { readUnbilled, type Unbilled } from './unbilled.ts'

export type RollupDeps = Pick<Edge, 'db' | 'clock' | 'ids'> & { seller: Seller }

export type RollupOptions = {
  /** A calendar month. */
  period: Period
  /** Only these; default: every tenant. */
  tenant_ids?: readonly string[] | undefined
  /** Makes drafts anew. Issued and paid invoices stay what they are. */
  force?: boolean | undefined
  on_progress?: ((progress: { done: number; total: number }) => void) | undefined
}

/**
 * How many invoices were made, made anew, or there already; which tenants could not be invoiced; and what the invoices made
 * do not bill.
 */
export type RollupResult = { created: number; rebuilt: number; skipped: number; parked: Parked[]; unbilled: Unbilled[] }
export type Parked = { tenant_id: string } & Failure

const TENANTS_PER_TRANSACTION_MAX = 500

/**
 * Makes the draft invoices of a month. Running it again creates nothing: the database holds one live invoice per
 * tenant and month. A tenant that fails is parked with its error and tried again later; the others are invoiced.
 * Refused (`invoicing/period-not-over`) while the month goes on for all of the tenants.
 */
export async function rollup(deps: RollupDeps, options: RollupOptions): Promise<RollupResult> {
  const now = deps.clock.now()
  const tenants = await readTenants(deps.db.read, options.tenant_ids)
  requireKnown(tenants, options.tenant_ids ?? [])
  requireOver(options.period, tenants, now)
  const result: RollupResult = { created: 0, rebuilt: 0, skipped: 0, parked: [], unbilled: [] }
  for (let done = 0; done < tenants.length; done += TENANTS_PER_TRANSACTION_MAX) {
    const ids = tenants.slice(done, done + TENANTS_PER_TRANSACTION_MAX).map((tenant) => tenant.id)
    const part = await deps.db.transaction((tx) => rollupBatch(within(tx), { ...options, ids, deps, now }))
    result.created += part.created
    result.rebuilt += part.rebuilt
    result.skipped += part.skipped
    result.parked.push(...part.parked)
    result.unbilled.push(...part.unbilled)
    options.on_progress?.({ done: done + ids.length, total: tenants.length })
  }
  return result
}

function requireKnown(tenants: readonly Tenant[], tenant_ids: readonly string[]): void {
  const known = new Map(tenants.map((tenant) => [tenant.id, tenant]))
  for (const id of tenant_ids) found(known.get(id), `tenant: ${id}`)
}

function requireOver(period: Period, tenants: readonly Tenant[], now: Temporal.Instant): void {
  const zones = tenants.length === 0 ? ['UTC'] : tenants.map((tenant) => tenant.timezone).filter(isTimeZone)
  if (zones.length === 0 || zones.some((zone) => !goesOn(period, zone, now))) return
  throw periodNotOver(
    `${monthLabel(period)} has not ended in ${zones[0]}; roll it up after ${period.end} has begun there.`,
  )
}

/** False for a zone that does not exist: the facts of its tenant fail with that. */
function goesOn(period: Period, zone: string, now: Temporal.Instant): boolean {
  return isTimeZone(zone) && Temporal.Instant.compare(now, instantsOf(period, zone).end) < 0
}

type BatchOptions = RollupOptions & { ids: readonly string[]; deps: RollupDeps; now: Temporal.Instant }

async function rollupBatch(
  tx: ContextTx<'invoicing'>,
  { ids, period, force = false, deps, now }: BatchOptions,
): Promise<RollupResult> {
  // Two months at once would not see each other's adjustments and bill the same late usage twice.
  await takeTurn(tx, 'rollups')
  const tenants = await lockTenants(tx, ids)
  const facts_seen = await readSnapshot(tx)
  const live = await readLive(tx, tenants, period)
  const due = tenants.filter((tenant) => isDue(live.get(tenant.id), force))
  const { attempts, unbilled } = await draftAll(tx, due, { period, deps, now, facts_seen })
  const drafts = attempts.flatMap(({ draft }) => (draft.ok ? [draft.value] : []))
  const parked = attempts.flatMap(({ tenant, draft }) =>
    draft.ok ? [] : [{ tenant_id: tenant.id, ...failureOf(draft.error) }],
  )
  const drafted = attempts.flatMap(({ tenant, draft }) => (draft.ok ? [tenant.id] : []))
  const rebuilt = await deleteDrafts(
    tx,
    drafted.flatMap((tenant_id) => live.get(tenant_id)?.id ?? []),
  )
  const billable = drafts.filter((draft) => draft.lines.length > 0)
  const written = await insertDrafts(tx, billable)
  const closed = tenants.filter(({ id }) => isClosed(live.get(id))).map(({ id }) => id)
  await recordParked(tx, { parked, settled: [...drafted, ...closed], period, now })
  const created = written.filter((tenant_id) => !rebuilt.has(tenant_id)).length
  const thereAlready = tenants.length - due.length + billable.length - written.length
  return { created, rebuilt: rebuilt.size, skipped: thereAlready, parked, unbilled }
}

type Live = { id: string; status: 'draft' | 'issued' | 'paid' | 'void' }

async function readLive(
  tx: ContextTx<'invoicing'>,
  tenants: readonly Tenant[],
  period: Period,
): Promise<Map<string, Live>> {
  const rows = await tx
    .selectFrom('invoicing.invoice')
    .select(['tenant_id', 'id', 'status'])
    .where('tenant_id', '=', anyOf(tenants.map((tenant) => tenant.id)))
    .where('period_start', '=', period.start)
    .where('status', '<>', 'void')
    .execute()
  return new Map(rows.map((row) => [row.tenant_id, row]))
}

/** What is issued is nobody's to make anew: a failed attempt at it is over. */
function isClosed(live: Live | undefined): boolean {
  return live !== undefined && live.status !== 'draft'
}

function isDue(live: Live | undefined, force: boolean): boolean {
  return live === undefined || (force && live.status === 'draft')
}

/** A draft per tenant, without a write. One without lines has nothing to bill. */
async function draftAll(
  tx: ContextTx<'invoicing'>,
  tenants: readonly Tenant[],
  { period, deps, now, facts_seen }: { period: Period; deps: RollupDeps; now: Temporal.Instant; facts_seen: string },
): Promise<{ attempts: { tenant: Tenant; draft: Attempt<Draft> }[]; unbilled: Unbilled[] }> {
  const over = tenants.filter((tenant) => !goesOn(period, tenant.timezone, now))
  const facts = await readBillableFacts(tx, { period, tenants: over, as_of: now })
  const sound = over.filter((tenant) => facts.get(tenant.id)?.ok)
  const unbilled = await readUnbilled(tx, { period, tenants: over, as_of: now, facts })
  const adjustments = await readAdjustments(tx, { period, tenants: sound, as_of: now, own: facts })
  const drafting = { seller: deps.seller, now, facts_seen, newId: deps.ids.uuid }
  const attempts = tenants.map((tenant) => ({
    tenant,
    draft: attempt(() => {
      requireOver(period, [tenant], now)
      const whole = withAdjustments(present(facts.get(tenant.id), 'every tenant has facts'), adjustments.get(tenant.id))
      return draftOf({ tenant, facts: whole, bill: billOf(whole) }, drafting)
    }),
  }))
  return { attempts, unbilled }
}

/** Whose drafts these were. One that was issued meanwhile is no draft any more, and stays. */
async function deleteDrafts(tx: ContextTx<'invoicing'>, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tx
    .deleteFrom('invoicing.invoice')
    .where('id', '=', anyOf(ids))
    .where('status', '=', 'draft')
    .returning('tenant_id')
    .execute()
  return new Set(rows.map((row) => row.tenant_id))
}

/** Which tenants got their invoice from here: where another rollup was first, its invoice stands. */
async function insertDrafts(tx: ContextTx<'invoicing'>, drafts: readonly Draft[]): Promise<string[]> {
  const invoices = drafts.map((draft) => draft.invoice)
  await insertRows(tx, 'invoicing.invoice', invoices, { on_conflict: 'do nothing' })
  const written = await tx
    .selectFrom('invoicing.invoice')
    .select(['tenant_id', 'id'])
    .where('id', '=', anyOf(invoices.map((invoice) => invoice.id)))
    .execute()
  const ids = new Set(written.map((row) => row.id))
  await insertRows(
    tx,
    'invoicing.invoice_line',
    drafts.flatMap((draft) => (ids.has(draft.invoice.id) ? draft.lines : [])),
  )
  return written.map((row) => row.tenant_id)
}

async function recordParked(
  tx: ContextTx<'invoicing'>,
  outcome: { parked: readonly Parked[]; settled: readonly string[]; period: Period; now: Temporal.Instant },
): Promise<void> {
  const { parked, settled, period, now } = outcome
  await tx
    .deleteFrom('invoicing.parked')
    .where('tenant_id', '=', anyOf(settled))
    .where('period_start', '=', period.start)
    .execute()
  await sql`
    insert into invoicing.parked (tenant_id, period_start, code, detail, parked_at)
    select tenant_id, ${period.start}::date, code, detail, ${now}::timestamptz
    from ${rowset('invoicing.parked', parked)}
    on conflict (tenant_id, period_start) do update
      set code = excluded.code, detail = excluded.detail, parked_at = excluded.parked_at`.execute(tx)
}
