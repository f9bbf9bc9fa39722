import { sql } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { type ContextTx, rowset } from '../../platform/db.ts'
import type { OutboundError } from '../../platform/outbound.ts'
import type { ImportResult } from '../../providers/finance/index.ts'
import { afterFailure } from './attempt.ts'
import { billPayload, invoicePayload, type PushDocument, readDocument } from './document.ts'
import { readBill, readInvoice } from './queries.ts'

/** A claimed push is left alone for this long; a call, with its own retries, never takes longer. */
const CLAIM_TIME = Temporal.Duration.from({ minutes: 10 })

type QueueOptions = { now: Temporal.Instant; id: string }

/** Puts an issued bill into the outbox, or sends it again as it is now. `id` is for the push, if it is new. */
export async function queueBill(
  tx: ContextTx<'finance'>,
  { provider_invoice_id }: { provider_invoice_id: string },
  options: QueueOptions,
): Promise<void> {
  const { bill, lines } = await readBill(tx, provider_invoice_id)
  await queue(tx, { document: 'provider_invoice', payload: billPayload(bill, lines) }, { ...options, tenant_id: null })
}

/** Puts an issued invoice into the outbox, or sends it again. `id` is for the push, if it is new. */
export async function queueInvoice(
  tx: ContextTx<'finance'>,
  { tenant_id, invoice_id }: { tenant_id: string; invoice_id: string },
  options: QueueOptions,
): Promise<void> {
  const { invoice, lines } = await readInvoice(tx, { tenant_id, invoice_id })
  await queue(tx, { document: 'invoice', payload: invoicePayload(invoice, lines) }, { ...options, tenant_id })
}

/** Whatever became of it so far, the push is due now. False when there is none. */
export async function retryPush(
  tx: ContextTx<'finance'>,
  id: string,
  { now }: { now: Temporal.Instant },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('finance.push')
    .set(dueAt(now))
    .where('id', '=', id)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Without a configured service nothing is due; what waits says so. Returns how many documents wait. */
export async function shelvePushes(tx: ContextTx<'finance'>): Promise<number> {
  await tx
    .updateTable('finance.push')
    .set({ status: 'not_configured', next_attempt_at: null })
    .where('status', '=', 'pending')
    .execute()
  const { waiting } = await tx
    .selectFrom('finance.push')
    .select(({ fn }) => fn.countAll<bigint>().as('waiting'))
    .where('status', '=', 'not_configured')
    .executeTakeFirstOrThrow()
  return Number(waiting)
}

/** `claimed_until` tells this claim from a later one, and from a document that was queued again meanwhile. */
export type Claim = PushDocument & { id: string; attempts: number; claimed_until: Temporal.Instant }

/** Takes the push that has been due longest, for one attempt: counted here, so that a crash counts too. */
export async function claimPush(
  tx: ContextTx<'finance'>,
  { now }: { now: Temporal.Instant },
): Promise<Claim | undefined> {
  const claimed_until = now.add(CLAIM_TIME)
  const row = await tx
    .updateTable('finance.push')
    .set((push) => ({ status: 'pending', attempts: push('attempts', '+', 1), next_attempt_at: claimed_until }))
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
  await recordAttempt(tx, claim, {
    status: 'pushed',
    action: answer.action,
    finance_id: answer.id,
    pushed_at: now,
    next_attempt_at: null,
    last_error: null,
  })
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

type PushState = Omit<
  DB['finance.push'],
  'id' | 'document' | 'source' | 'external_id' | 'tenant_id' | 'payload' | 'created_at'
>

/** Does nothing when the claim has passed to another or the document was queued again: that one is still to be sent. */
async function recordAttempt(tx: ContextTx<'finance'>, claim: Claim, state: Partial<PushState>): Promise<void> {
  await tx
    .updateTable('finance.push')
    .set(state)
    .where('id', '=', claim.id)
    .where('next_attempt_at', '=', claim.claimed_until)
    .execute()
}

async function queue(
  tx: ContextTx<'finance'>,
  { document, payload }: PushDocument,
  { id, now, tenant_id }: QueueOptions & { tenant_id: string | null },
): Promise<void> {
  const { source, external_id } = payload
  const push = { id, document, source, external_id, tenant_id, payload, created_at: now, ...dueAt(now) }
  await sql`
    insert into finance.push select * from ${rowset('finance.push', [push])}
    on conflict (source, external_id) do update set
      (payload, status, action, finance_id, attempts, next_attempt_at, last_error, pushed_at) = row (excluded.payload,
        excluded.status, excluded.action, excluded.finance_id, excluded.attempts, excluded.next_attempt_at,
        excluded.last_error, excluded.pushed_at)`.execute(tx)
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
