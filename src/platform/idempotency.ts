import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Selectable } from 'kysely'
import type { DB } from '../../db/types.ts'
import { invalidInput, problem } from '../kernel/problem.ts'
import type { Clock } from './clock.ts'
import { type Database, toJson, type Tx } from './db.ts'
import { HeldCommit } from './held-commit.ts'
import type { Ids } from './ids.ts'
import { isShallow } from './json.ts'
import { isOutage } from './outage.ts'

export const idempotencyConflict = problem({
  code: 'request/idempotency-conflict',
  status: 409,
  title: 'The idempotency key was used for another request',
})
export const idempotencyInProgress = problem({
  code: 'request/idempotency-in-progress',
  status: 409,
  title: 'The first request with this idempotency key has no answer yet',
  retry_after_s: 5,
})

const KEY_MAX_CHARS = 255
const RETENTION = Temporal.Duration.from({ hours: 24 * 7 })
/** Longer than calls take. One that takes longer still loses its key only when it is repeated, and its effect with it. */
const CLAIM_LEASE = Temporal.Duration.from({ minutes: 1 })
const BODY_MAX_LEVELS = 64

const REPEAT =
  'Repeat this call after the first one has ended, to read its answer. If its process has died, this call runs a minute ' +
  'after the first one came.'

type Key = { subject: string; key: string }
type Claim = Key & { claim: string }
type Answer = { status_code: number; response: string; content_type: string | null }
type Stored = Selectable<DB['platform.idempotency_key']>
type Call = { claim: Claim; held: HeldCommit }

/**
 * `Idempotency-Key` for every POST: the stored answer is replayed for the same request, another request with the same
 * key is refused, and a call that fails frees the key. A key belongs to its caller in one role, and to one route.
 *
 * The answer is stored in the transaction of the effect, under the claim of the call: whoever finds a claim without an
 * answer knows that there is no effect, and after a minute takes the key over. The call that lost it cannot commit.
 */
export function createIdempotency({ db, clock, ids }: { db: Database; clock: Clock; ids: Ids }) {
  const calls = new WeakMap<FastifyRequest, Call>()

  return {
    /** Before the handler: claims the key, or answers with what is stored. The handler runs within `proceed`. */
    begin: (request: FastifyRequest, reply: FastifyReply, proceed: (error?: Error) => void): void => {
      const claimed = async (): Promise<void> => {
        const key = keyOf(request)
        if (key === undefined) return proceed()
        const claim = { ...key, claim: ids.uuid() }
        const stored = await claimKey(db, claim, { path: request.url, request_hash: hashOf(request), now: clock.now() })
        if (stored === 'claimed') {
          const held = new HeldCommit()
          calls.set(request, { claim, held })
          return held.run(proceed)
        }
        void reply.header('idempotency-replayed', 'true')
        await reply
          .code(stored.status_code)
          .type(stored.content_type ?? 'application/json')
          .send(stored.response)
      }
      claimed().catch(proceed)
    },
    /** After the handler: stores the answer of a success with its effect; a failure has none, and frees the key. */
    end: async (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> => {
      const call = calls.get(request)
      if (call === undefined) return
      calls.delete(request)
      const { claim, held } = call
      if (reply.statusCode >= 400) {
        await held.rollBack()
        await freeKey(db, claim)
        return
      }
      const content_type = String(reply.getHeader('content-type') ?? 'application/json')
      const last = (tx: Tx) =>
        typeof payload === 'string'
          ? storeAnswer(tx, claim, { status_code: reply.statusCode, response: payload, content_type })
          : deleteKey(tx, claim)
      try {
        if (!(await held.commit(last))) await db.transaction(last)
      } catch (error) {
        await freeKey(db, claim)
        throw error
      }
    },
  }
}

/** Undefined for a call that is carried out however often it comes. */
function keyOf(request: FastifyRequest): Key | undefined {
  const key = request.headers['idempotency-key']
  if (request.method !== 'POST' || key === undefined) return undefined
  // A file is read by its route, too late to be compared here; what it brings is known by its content instead.
  if (request.headers['content-type']?.startsWith('multipart/')) return undefined
  if (typeof key !== 'string' || key.length === 0 || key.length > KEY_MAX_CHARS) {
    throw invalidInput('The Idempotency-Key header is not valid.', [
      { path: 'headers/idempotency-key', message: `must be one text of 1 to ${KEY_MAX_CHARS} characters` },
    ])
  }
  if (!isShallow(request.body, BODY_MAX_LEVELS))
    throw invalidInput(`The body is nested deeper than ${BODY_MAX_LEVELS} levels, too deep to compare with another.`)
  const { caller, routeOptions } = request
  const roles = [...(caller?.roles ?? [])].toSorted()
  return {
    subject: JSON.stringify([caller?.sub, caller?.tenant_id, caller?.only_tenant_id, roles, routeOptions.url]),
    key,
  }
}

async function claimKey(
  db: Database,
  { subject, key, claim }: Claim,
  { path, request_hash, now }: { path: string; request_hash: string; now: Temporal.Instant },
): Promise<'claimed' | Answer> {
  return db.transaction(async (tx) => {
    await tx.deleteFrom('platform.idempotency_key').where('created_at', '<', now.subtract(RETENTION)).execute()
    const inserted = await tx
      .insertInto('platform.idempotency_key')
      .values({ subject, key, claim, path, request_hash, created_at: now })
      .onConflict((conflict) => conflict.columns(['subject', 'key']).doNothing())
      .executeTakeFirst()
    if (inserted.numInsertedOrUpdatedRows === 1n) return 'claimed'
    const stored = await tx
      .selectFrom('platform.idempotency_key')
      .selectAll()
      .where('subject', '=', subject)
      .where('key', '=', key)
      .executeTakeFirst()
    // Freed between the two statements: the first call has just failed.
    if (stored === undefined) throw idempotencyInProgress(REPEAT)
    if (stored.request_hash !== request_hash) throw conflictWith(stored)
    const { status_code, response, content_type } = stored
    if (status_code !== null && response !== null) return { status_code, response, content_type }
    const is_late = Temporal.Instant.compare(stored.created_at.add(CLAIM_LEASE), now) <= 0
    if (is_late && (await takeOver(tx, stored, { claim, created_at: now }))) return 'claimed'
    throw idempotencyInProgress(REPEAT)
  })
}

/** Not from a call that is about to commit. */
async function takeOver(tx: Tx, stored: Stored, by: { claim: string; created_at: Temporal.Instant }): Promise<boolean> {
  if (!(await lockUnanswered(tx, stored))) return false
  await tx
    .updateTable('platform.idempotency_key')
    .set(by)
    .where('subject', '=', stored.subject)
    .where('key', '=', stored.key)
    .execute()
  return true
}

/** False also where another transaction holds the row: it stores the answer, which is the last that it does. */
async function lockUnanswered(tx: Tx, { subject, key, claim }: Key & { claim: string | null }): Promise<boolean> {
  const row = await tx
    .selectFrom('platform.idempotency_key')
    .select('key')
    .where('subject', '=', subject)
    .where('key', '=', key)
    .where('claim', 'is not distinct from', claim)
    .where('status_code', 'is', null)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  return row !== undefined
}

function conflictWith({ path, created_at }: Stored): Error {
  const used = `POST ${path ?? 'of an older program'}`
  return idempotencyConflict(
    `It was used for ${used} with other content, at ${created_at}. Use a new Idempotency-Key for a new request.`,
    [],
    { used_for: { method: 'POST', path, at: created_at.toString() } },
  )
}

async function storeAnswer(tx: Tx, claim: Claim, answer: Answer): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('platform.idempotency_key')
    .set(answer)
    .where('subject', '=', claim.subject)
    .where('key', '=', claim.key)
    .where('claim', '=', claim.claim)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw idempotencyInProgress(`This call took too long, and another has its key. ${REPEAT}`)
}

async function deleteKey(tx: Tx, { subject, key, claim }: Claim): Promise<void> {
  await tx
    .deleteFrom('platform.idempotency_key')
    .where('subject', '=', subject)
    .where('key', '=', key)
    .where('claim', '=', claim)
    .where('status_code', 'is', null)
    .execute()
}

/**
 * Of a call without an effect. One whose commit has no answer may have one: then its row has the answer, or is locked
 * and will. Where the database is away, the lease frees the key.
 */
async function freeKey(db: Database, claim: Claim): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      if (await lockUnanswered(tx, claim)) await deleteKey(tx, claim)
    })
  } catch (error) {
    if (!isOutage(error)) throw error
  }
}

function hashOf(request: FastifyRequest): string {
  const body =
    Buffer.isBuffer(request.body) || typeof request.body === 'string' ? request.body : toJson(request.body ?? null)
  return createHash('sha256').update(`${request.method} ${request.url}\n`).update(body).digest('hex')
}
