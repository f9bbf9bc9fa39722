import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import { compactVerify } from 'jose'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { Bill, TenantInvoice } from './contract.ts'
import { systemClock } from '../../src/platform/clock.ts'

const BODY_LIMIT_BYTES = 5 * 1024 * 1024
const MAX_TOKEN_LIFE_S = 300

export type FinanceStandInOptions = {
  jwt_secret: string
  /** 0 takes a free one. */
  port?: number
  /** For checking tokens; the real time when left out. */
  now?: () => Temporal.Instant
  /** Where the documents outlive this process; in memory when left out. */
  ledger_file?: string
}

export type StoredDocument = {
  id: string
  type: 'bill' | 'tenant_invoice'
  /** How often an import made or replaced it. */
  actions: { created: number; updated: number }
  payload: Payload
}

export type FinanceStandIn = {
  url: string
  /** In the order in which they first arrived. */
  documents(): StoredDocument[]
  close(): Promise<void>
}

/**
 * A finance service on this machine that refuses what a real one might let pass: tokens that are not exactly as agreed
 * (401), unknown, missing or mistyped fields, empty periods and sums that do not add up (422).
 */
export async function startFinanceStandIn(options: FinanceStandInOptions): Promise<FinanceStandIn> {
  const { jwt_secret, port = 0, now = systemClock.now, ledger_file } = options
  const ledger = readLedger(ledger_file)
  const documents = () => [...ledger.values()]
  const keep = (type: StoredDocument['type'], payload: Payload) => {
    const answer = store(ledger, type, payload)
    if (ledger_file !== undefined) writeFileSync(ledger_file, JSON.stringify([...ledger]))
    return answer
  }

  const app = createApp()
  const key = new TextEncoder().encode(jwt_secret)
  app.addHook('onRequest', async (request, reply) => {
    const admitted = await isAdmitted(request.headers.authorization, key, now())
    if (!admitted) return reply.code(401).send({ detail: 'a valid admin token is needed' })
  })
  app.post('/api/v1/integrations/cloud/import-invoice', { schema: { body: Bill } }, (request, reply) => {
    refuseContradictions(request.body)
    return reply.send(keep('bill', request.body))
  })
  app.post(
    '/api/v1/integrations/cloud/import-tenant-invoice',
    { schema: { body: TenantInvoice } },
    (request, reply) => {
      refuseContradictions(request.body)
      return reply.send(keep('tenant_invoice', request.body))
    },
  )
  app.get('/api/v1/documents', () => ({ data: documents() }))

  const url = await app.listen({ port, host: '127.0.0.1' })
  return { url, documents, close: () => app.close() }
}

type Payload = Static<typeof Bill> | Static<typeof TenantInvoice>
type ImportAnswer = { id: string; action: 'created' | 'updated' }

class Refusal extends Error {
  readonly statusCode = 422
}

function createApp() {
  const app: FastifyInstance = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    // By default Fastify turns "12" into 12 and drops unknown fields, which would hide the mistakes looked for here.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  })
  app.setErrorHandler((error: FastifyError, _request, reply) =>
    reply.code(error.validation ? 422 : (error.statusCode ?? 500)).send({ detail: error.message }),
  )
  return app.withTypeProvider<TypeBoxTypeProvider>()
}

const Claims = Type.Object({
  tenant_id: Type.Literal('platform-admin'),
  roles: Type.Array(Type.String(), { contains: Type.Literal('admin') }),
  exp: Type.Integer(),
})

/** Not by `jwtVerify`, which knows no upper bound for `exp`. */
async function isAdmitted(authorization: string | undefined, key: Uint8Array, now: Temporal.Instant): Promise<boolean> {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? ''
  const claims = await readClaims(token, key)
  if (!Value.Check(Claims, claims)) return false
  const expires_in_ms = claims.exp * 1_000 - now.epochMilliseconds
  return expires_in_ms > 0 && expires_in_ms <= MAX_TOKEN_LIFE_S * 1_000
}

/** Undefined when the token is not signed with `key`. */
async function readClaims(token: string, key: Uint8Array): Promise<unknown> {
  try {
    const { payload } = await compactVerify(token, key, { algorithms: ['HS256'] })
    return JSON.parse(new TextDecoder().decode(payload))
  } catch {
    return undefined
  }
}

function refuseContradictions(payload: Payload): void {
  const { amount_net_minor: net, amount_tax_minor: tax, amount_gross_minor: gross, lines } = payload
  if (payload.period.end <= payload.period.start) throw new Refusal('the period must end after it starts')
  const taxLines = lines.filter((line) => line.tax)
  if (sumOf([net, tax]) !== BigInt(gross)) throw new Refusal('net and tax do not add up to gross')
  if (sumOf(lines.map((line) => line.amount_minor)) !== BigInt(gross)) {
    throw new Refusal('the lines do not add up to gross')
  }
  if (sumOf(taxLines.map((line) => line.amount_minor)) !== BigInt(tax)) {
    throw new Refusal('the tax lines do not add up to tax')
  }
}

function sumOf(amounts: readonly number[]): bigint {
  return amounts.reduce((total, amount) => total + BigInt(amount), 0n)
}

function store(ledger: Map<string, StoredDocument>, type: StoredDocument['type'], payload: Payload): ImportAnswer {
  const key = JSON.stringify([payload.tenant_id, payload.source, payload.external_id])
  const known = ledger.get(key)
  if (known === undefined) {
    const id = `doc_${ledger.size + 1}`
    ledger.set(key, { id, type, actions: { created: 1, updated: 0 }, payload })
    return { id, action: 'created' }
  }
  known.payload = payload
  known.actions.updated += 1
  return { id: known.id, action: 'updated' }
}

function readLedger(file: string | undefined): Map<string, StoredDocument> {
  if (file === undefined || !existsSync(file)) return new Map()
  return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, StoredDocument][])
}
