import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { invalidInput, problem } from '../kernel/problem.ts'
import type { Clock } from './clock.ts'
import { type Database, toJson } from './db.ts'
import { isShallow } from './json.ts'

export const idempotencyConflict = problem({
  code: 'request/idempotency-conflict',
  status: 409,
  title: 'The idempotency key was used for another request',
})
export const idempotencyInProgress = problem({
  code: 'request/idempotency-in-progress',
  status: 409,
  title: 'The first request with this idempotency key has no answer yet',
})

const KEY_MAX_CHARS = 255
const RETENTION = Temporal.Duration.from({ hours: 24 * 7 })
const BODY_MAX_LEVELS = 64

const REPEAT =
  'Wait for the first call, then repeat this one to read its answer. If there is still none, the program ended in the ' +
  'middle of it: look whether it took effect before you repeat it under a new key.'

type Claim = { subject: string; key: string }
type Answer = { status_code: number; response: string; content_type: string | null }

/**
 * `Idempotency-Key` for every POST: the stored answer is replayed for the same request, another request with the same
 * key is refused, and a call that fails frees the key.
 *
 * The effect commits before its answer is stored. When the process dies between the two, nobody knows which of them
 * happened, so the key stays claimed: a repeated call is refused as in progress and told to look first, until the key
 * is forgotten with all others of its age after 7 days. Freeing it sooner could make a credit note twice.
 */
export function createIdempotency(db: Database, clock: Clock) {
  const claims = new WeakMap<FastifyRequest, Claim>()

  return {
    /** Before the handler: claims the key, or answers with what is stored. */
    begin: async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const key = request.headers['idempotency-key']
      if (request.method !== 'POST' || key === undefined) return
      // A file is read by its route, too late to be compared here; what it brings is known by its content instead.
      if (request.isMultipart()) return
      if (typeof key !== 'string' || key.length === 0 || key.length > KEY_MAX_CHARS) {
        throw invalidInput('The Idempotency-Key header is not valid.', [
          { path: 'headers/idempotency-key', message: `one text of 1 to ${KEY_MAX_CHARS} characters` },
        ])
      }
      if (!isShallow(request.body, BODY_MAX_LEVELS))
        throw invalidInput(
          `The body is nested deeper than ${BODY_MAX_LEVELS} levels, too deep to compare with another.`,
        )
      const claim = { subject: JSON.stringify([request.caller?.sub, request.caller?.tenant_id]), key }
      const stored = await claimKey(db, claim, hashOf(request), clock.now())
      if (stored === 'claimed') {
        claims.set(request, claim)
        return
      }
      void reply.header('idempotency-replayed', 'true')
      await reply
        .code(stored.status_code)
        .type(stored.content_type ?? 'application/json')
        .send(stored.response)
    },
    /** After the handler: keeps the answer of a success, frees the key of a failure. */
    end: async (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> => {
      const claim = claims.get(request)
      if (claim === undefined) return
      claims.delete(request)
      const content_type = String(reply.getHeader('content-type') ?? 'application/json')
      await (reply.statusCode < 400 && typeof payload === 'string'
        ? keepAnswer(db, claim, { status_code: reply.statusCode, response: payload, content_type })
        : freeKey(db, claim))
    },
  }
}

async function claimKey(
  db: Database,
  claim: Claim,
  request_hash: string,
  now: Temporal.Instant,
): Promise<'claimed' | Answer> {
  return db.transaction(async (tx) => {
    await tx.deleteFrom('platform.idempotency_key').where('created_at', '<', now.subtract(RETENTION)).execute()
    const inserted = await tx
      .insertInto('platform.idempotency_key')
      .values({ ...claim, request_hash, created_at: now })
      .onConflict((conflict) => conflict.columns(['subject', 'key']).doNothing())
      .executeTakeFirst()
    if (inserted.numInsertedOrUpdatedRows === 1n) return 'claimed'
    const stored = await tx
      .selectFrom('platform.idempotency_key')
      .selectAll()
      .where('subject', '=', claim.subject)
      .where('key', '=', claim.key)
      .executeTakeFirst()
    // Freed between the two statements: the first call has just failed.
    if (stored === undefined) throw idempotencyInProgress(REPEAT)
    if (stored.request_hash !== request_hash) {
      throw idempotencyConflict('Use a new Idempotency-Key for a new request.')
    }
    if (stored.status_code === null || stored.response === null) {
      throw idempotencyInProgress(REPEAT)
    }
    return { status_code: stored.status_code, response: stored.response, content_type: stored.content_type }
  })
}

async function keepAnswer(db: Database, claim: Claim, answer: Answer): Promise<void> {
  await db.transaction((tx) =>
    tx
      .updateTable('platform.idempotency_key')
      .set(answer)
      .where('subject', '=', claim.subject)
      .where('key', '=', claim.key)
      .execute(),
  )
}

async function freeKey(db: Database, claim: Claim): Promise<void> {
  await db.transaction((tx) =>
    tx
      .deleteFrom('platform.idempotency_key')
      .where('subject', '=', claim.subject)
      .where('key', '=', claim.key)
      .execute(),
  )
}

function hashOf(request: FastifyRequest): string {
  const body =
    Buffer.isBuffer(request.body) || typeof request.body === 'string' ? request.body : toJson(request.body ?? null)
  return createHash('sha256').update(`${request.method} ${request.url}\n`).update(body).digest('hex')
}
