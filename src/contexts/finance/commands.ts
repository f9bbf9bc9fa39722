import { sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { present } from '../../kernel/invariant.ts'
import { minorUnitPlaces } from '../../kernel/money.ts'
import { type ContextTx, rowset } from '../../platform/db.ts'
import type { OutboundError } from '../../platform/outbound.ts'
import type { ImportResult } from '../../providers/finance/index.ts'
import { afterFailure } from './attempt.ts'
import { billPayload, INVOICE_SOURCE, invoicePayload, type PushDocument, readDocument } from './document.ts'
import { findBillId, readBill, readInvoice } from './queries.ts'

/** A claimed push is left alone for this long; a call, with its own retries, never takes longer. */
const CLAIM_TIME = Temporal.Duration.from({ minutes: 10 })

type QueueOptions = { now: Temporal.Instant; id: string }

/**
 * Puts an issued bill into the outbox, or sends it again with its owners as they are now, and as nothing when it was
 * withdrawn. A withdrawn one that was never sent does not go to the books at all. `id` is for a new push.
 */
export async function queueBill(
  tx: ContextTx<'finance'>,
  { provider_invoice_id }: { provider_invoice_id: string },
  options: QueueOptions,
): Promise<void> {
  const { bill, lines } = await readBill(tx, provider_invoice_id)
  const { provider: source, external_id } = bill
  if (bill.is_withdrawn && (await withdrawUnsent(tx, { source, external_id }))) return
  const push = { tenant_id: null, minor_unit_places: minorUnitPlaces(bill.currency) }
  await queue(tx, { document: 'provider_invoice', payload: billPayload(bill, lines) }, { ...options, ...push })
}

/**
 * Puts an issued invoice into the outbox, or sends it again as it is now: less its credit notes, and nothing when it is
 * void. A void one that was never sent does not go to the books at all. `id` is for the push, if it is new.
 */
export async function queueInvoice(
  tx: ContextTx<'finance'>,
  { tenant_id, invoice_id }: { tenant_id: string; invoice_id: string },
  options: QueueOptions,
): Promise<void> {
  const { invoice, lines, credit_notes } = await readInvoice(tx, { tenant_id, invoice_id })
  const name = { source: INVOICE_SOURCE, external_id: invoice_id }
  if (invoice.is_void && (await withdrawUnsent(tx, name))) return
  const payload = invoicePayload(invoice, lines, credit_notes)
  const push = { tenant_id, minor_unit_places: invoice.minor_unit_places }
  await queue(tx, { document: 'invoice', payload }, { ...options, ...push })
}

/** True when no attempt was ever made, so that the books cannot know the document. An answer that got lost counts. */
async function withdrawUnsent(
  tx: ContextTx<'finance'>,
  { source, external_id }: { source: string; external_id: string },
): Promise<boolean> {
  await tx
    .deleteFrom('finance.push')
    .where('source', '=', source)
    .where('external_id', '=', external_id)
    .where('first_attempt_at', 'is', null)
    .execute()
  const sent = await tx
    .selectFrom('finance.push')
    .select('id')
    .where('source', '=', source)
    .where('external_id', '=', external_id)
    .executeTakeFirst()
  return sent === undefined
}

/** Sends the document again as it is now, whatever became of the push so far. False when there is none. */
export async function retryPush(tx: ContextTx<'finance'>, options: QueueOptions): Promise<boolean> {
  // Locked before the document is read, so that this state cannot replace a newer one that another transaction queues.
  const push = await tx
    .selectFrom('finance.push')
    .select(['document', 'source', 'external_id', 'tenant_id'])
    .where('id', '=', options.id)
    .forUpdate()
    .executeTakeFirst()
  if (push === undefined) return false
  if (push.document === 'invoice') {
    const tenant_id = present(push.tenant_id, 'an invoice has a tenant')
    await queueInvoice(tx, { tenant_id, invoice_id: push.external_id }, options)
  } else {
    await queueBill(tx, { provider_invoice_id: await findBillId(tx, push) }, options)
  }
  return true
}

/** Without a configured service nothing is due; what waits says so. Returns how many documents wait. */
export async function shelvePushes(tx: ContextTx<'finance'>, { now }: { now: Temporal.Instant }): Promise<number> {
  await tx
    .updateTable('finance.push')
    .set({ status: 'not_configured', next_attempt_at: null, claimed_until: null })
    .where('status', '=', 'pending')
    .where((push) => push.or([push('claimed_until', 'is', null), push('claimed_until', '<=', now)]))
    .execute()
  const { waiting } = await tx
    .selectFrom('finance.push')
    .select(({ fn }) => fn.countAll<bigint>().as('waiting'))
    .where('status', '=', 'not_configured')
    .executeTakeFirstOrThrow()
  return Number(waiting)
}

/** `claimed_until` tells this claim from a later one; `attempts` (at least 1) from a document that was queued again. */
export type Claim = PushDocument & { id: string; attempts: number; claimed_until: Temporal.Instant }

/** Takes the push that has been due longest, for one attempt: counted here, so that a crash counts too. */
export async function claimPush(
  tx: ContextTx<'finance'>,
  { now }: { now: Temporal.Instant },
): Promise<Claim | undefined> {
  const claimed_until = now.add(CLAIM_TIME)
  const row = await tx
    .updateTable('finance.push')
    .set((push) => ({
      status: 'pending',
      attempts: push('attempts', '+', 1),
      next_attempt_at: claimed_until,
      claimed_until,
      first_attempt_at: push.fn.coalesce('first_attempt_at', push.val(now)),
    }))
    .where('id', '=', (push) =>
      push
        .selectFrom('finance.push')
        .select('id')
        .where((due) => due.or([due('status', '=', 'not_configured'), due('next_attempt_at', '<=', now)]))
        .orderBy((due) => due.fn.coalesce('next_attempt_at', 'created_at'))
        .orderBy('id')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returning(['id', 'document', 'payload', 'attempts'])
    .executeTakeFirst()
  return row && { ...readDocument(row.document, row.payload), id: row.id, attempts: row.attempts, claimed_until }
}

export async function recordPushed(
  tx: ContextTx<'finance'>,
  claim: Claim,
  { answer, now }: { answer: ImportResult; now: Temporal.Instant },
): Promise<void> {
  const { id: finance_id, action } = answer
  const state = { action, finance_id, pushed_at: now, next_attempt_at: null, last_error: null }
  const recorded = await recordAttempt(tx, claim, { status: 'pushed', ...state })
  if (!recorded) await endClaim(tx, claim, { now })
}

export async function recordFailure(
  tx: ContextTx<'finance'>,
  claim: Claim,
  { error, now }: { error: OutboundError; now: Temporal.Instant },
): Promise<'pending' | 'failed'> {
  const next_attempt_at = afterFailure(error, claim.attempts, now)
  const status = next_attempt_at === null ? 'failed' : 'pending'
  await recordAttempt(tx, claim, { status, next_attempt_at, last_error: error.message })
  return status
}

type PushState = Pick<
  DB['finance.push'],
  'status' | 'action' | 'finance_id' | 'attempts' | 'next_attempt_at' | 'last_error' | 'pushed_at'
>

/** False when the claim has passed to another or the document was queued again: that one is still to be sent. */
async function recordAttempt(
  tx: ContextTx<'finance'>,
  { id, attempts, claimed_until }: Claim,
  state: Partial<PushState>,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('finance.push')
    .set({ ...state, claimed_until: null })
    .where('id', '=', id)
    .where('claimed_until', '=', claimed_until)
    .where('attempts', '=', attempts)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** What was queued again meanwhile need not wait for the end of the claim: the service has answered. */
async function endClaim(
  tx: ContextTx<'finance'>,
  { id, claimed_until }: Claim,
  { now }: { now: Temporal.Instant },
): Promise<void> {
  await tx
    .updateTable('finance.push')
    .set({ next_attempt_at: now, claimed_until: null })
    .where('id', '=', id)
    .where('claimed_until', '=', claimed_until)
    .execute()
}

/** While an attempt is going on, the next one waits: what is on its way must not arrive after it. */
async function queue(
  tx: ContextTx<'finance'>,
  { document, payload }: PushDocument,
  { id, now, ...owner }: QueueOptions & { tenant_id: string | null; minor_unit_places: number },
): Promise<void> {
  const { source, external_id } = payload
  const push = { id, document, source, external_id, ...owner, payload, created_at: now, ...dueAt(now) }
  await sql`
    insert into finance.push as known select * from ${rowset('finance.push', [push])}
    on conflict (source, external_id) do update set
      (payload, minor_unit_places, status, action, finance_id, attempts, next_attempt_at, last_error, pushed_at) = row (
        excluded.payload, excluded.minor_unit_places, excluded.status, excluded.action, excluded.finance_id, excluded.attempts,
        greatest(excluded.next_attempt_at, known.claimed_until), excluded.last_error, excluded.pushed_at)`.execute(tx)
}

function dueAt(now: Temporal.Instant): PushState {
  return {
    status: 'pending',
    action: null,
    finance_id: null,
    attempts: 0,
    next_attempt_at: now,
    last_error: null,
    pushed_at: null,
  }
}
