import { SignJWT } from 'jose'
import { type Static, Type } from 'typebox'
import type { Clock } from '../../platform/clock.ts'
import { createOutbound } from '../../platform/outbound.ts'
import type { BillPayload, TenantInvoicePayload } from './payload.ts'

const TOKEN_LIFE_S = 300
// Together with the pauses between them, all attempts of a call end within the life of its token.
const TIMEOUT_MS = 15_000
const MAX_RETRIES = 3
const MAX_RETRY_AFTER_MS = 30_000

export type FinanceOptions = {
  base_url: string
  /** Shared with the finance service; signs the token of each call (HS256). */
  jwt_secret: string
  clock: Clock
  /** For one attempt. */
  timeout_ms?: number
  max_retries?: number
  /** The first pause between attempts. */
  backoff_ms?: number
}

const ImportAnswer = Type.Object({
  // It is stored and shown: no control characters, nor what stands for a character that could not be read.
  id: Type.String({ pattern: '^[^\\p{C}\\uFFFD]{1,200}$' }),
  action: Type.Union([Type.Literal('created'), Type.Literal('updated')]),
})

/** The service's id of the document, and whether it was new to the service. */
export type ImportResult = Static<typeof ImportAnswer>

/** Fails with OutboundError only. Importing a document again replaces it, which the service reports as `updated`. */
export type FinanceClient = {
  importBill(payload: BillPayload): Promise<ImportResult>
  importTenantInvoice(payload: TenantInvoicePayload): Promise<ImportResult>
}

export function createFinanceClient({ jwt_secret, clock, ...outbound }: FinanceOptions): FinanceClient {
  const key = new TextEncoder().encode(jwt_secret)
  const service = createOutbound({
    timeout_ms: TIMEOUT_MS,
    max_retries: MAX_RETRIES,
    max_retry_after_ms: MAX_RETRY_AFTER_MS,
    ...outbound,
    headers: async () => ({ authorization: `Bearer ${await mintToken(key, clock.now())}` }),
  })
  const send = async (document: string, payload: BillPayload | TenantInvoicePayload): Promise<ImportResult> => {
    const path = `/api/v1/integrations/cloud/${document}`
    const { body } = await service.postJson(path, payload, ImportAnswer, { idempotent: true })
    return { id: body.id, action: body.action }
  }
  return {
    importBill: (payload) => send('import-invoice', payload),
    importTenantInvoice: (payload) => send('import-tenant-invoice', payload),
  }
}

function mintToken(key: Uint8Array, now: Temporal.Instant): Promise<string> {
  const issued_at_s = Math.floor(now.epochMilliseconds / 1_000)
  return new SignJWT({ tenant_id: 'platform-admin', roles: ['admin'] })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject('arcadia-cloud')
    .setIssuedAt(issued_at_s)
    .setExpirationTime(issued_at_s + TOKEN_LIFE_S)
    .sign(key)
}
