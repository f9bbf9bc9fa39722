import type { InjectOptions } from 'fastify'
import { createHmac } from 'node:crypto'
import { pino } from 'pino'
import { mintToken } from '../../src/platform/auth.ts'
import { frozenClock } from '../../src/platform/clock.ts'
import type { Database } from '../../src/platform/db.ts'
import type { Edge } from '../../src/platform/edge.ts'
import { type App, createHttp } from '../../src/platform/http.ts'
import { randomIds } from '../../src/platform/ids.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { memoryDatabase } from './database.ts'

const SECRET = 'a-secret-for-tests-only-0123456789abcdef'
const NOW = '2026-05-02T06:00:00Z'

export type As = 'operator' | 'gateway' | 'meter' | { tenant: string } | Claims | 'nobody'
type Claims = { sub: string; role: string; tenant_id: string | null }
export type CallOptions = { as?: As; body?: unknown; headers?: Record<string, string> }
export type Answer = { status: number; body: any; text: string; headers: Record<string, unknown> }
export type Call = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options?: CallOptions,
) => Promise<Answer>

/** The HTTP server with some routes on a migrated database in memory and a frozen clock. Paths are below /api/v1. */
export async function testHttp(
  routes: (edge: Edge) => readonly ((app: App) => void)[],
  options: { now?: string; db?: Database; metrics_open?: boolean; ready?: () => Promise<void> } = {},
) {
  const db = options.db ?? (await memoryDatabase())
  const clock = frozenClock(options.now ?? NOW)
  const log = pino({ level: 'silent' })
  const enqueued: { job: string; payload: unknown }[] = []
  const edge: Edge = {
    db,
    clock,
    ids: randomIds,
    log,
    later: async (_tx, job, ...payloads) =>
      void enqueued.push(...payloads.map((payload) => ({ job: job.name, payload }))),
  }
  const app = await createHttp({
    db,
    clock,
    ids: randomIds,
    log,
    metrics: createMetrics(),
    jwt_secret: SECRET,
    metrics_open: options.metrics_open ?? false,
    ready: options.ready ?? (async () => {}),
    routes: routes(edge),
  })
  return {
    app,
    edge,
    db,
    clock,
    jwt_secret: SECRET,
    /** A token that is good for five minutes, with any claims. */
    tokenWith: (claims: object) => signed({ exp: clock.now().epochMilliseconds / 1_000 + 300, ...claims }),
    /** What went to the job queue. */
    enqueued,
    call: callerOn(app, clock),
    close: async () => {
      await app.close()
      await db.close()
    },
  }
}

/** Calls an app as somebody; the default is the operator. */
export function callerOn(app: App, clock: { now(): Temporal.Instant }, secret = SECRET): Call {
  return async (method, path, { as = 'operator', body, headers = {} } = {}) => {
    const token = as === 'nobody' ? undefined : await tokenOf(as, clock.now(), secret)
    const request: InjectOptions = {
      method,
      url: path.startsWith('/api/') || !path.startsWith('/') ? path : `/api/v1${path}`,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { payload: body as string | object }),
    }
    const response = await app.inject(request)
    const json = /json/.test(response.headers['content-type'] ?? '')
    return {
      status: response.statusCode,
      body: json ? response.json() : undefined,
      text: response.body,
      headers: response.headers,
    }
  }
}

/** Written by hand, so that tests may send what `mintToken` would not. */
function signed(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'HS256' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
}

async function tokenOf(as: Exclude<As, 'nobody'>, now: Temporal.Instant, secret: string): Promise<string> {
  return mintToken(claimsOf(as), { secret, now, ttl: Temporal.Duration.from({ minutes: 5 }) })
}

function claimsOf(as: Exclude<As, 'nobody'>): Claims {
  if (typeof as === 'object' && 'sub' in as) return as
  const role = typeof as === 'object' ? 'tenant' : as === 'operator' ? 'platform_admin' : as
  return { sub: `test-${role}`, role, tenant_id: typeof as === 'object' ? as.tenant : null }
}
