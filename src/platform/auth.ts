import { jwtVerify, SignJWT } from 'jose'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { problem } from '../kernel/problem.ts'
import type { Clock } from './clock.ts'
import type { Ids } from './ids.ts'

/** `tenant` stands for every role that is none of the others: it sees its own tenant's data. */
export type Role = 'platform_admin' | 'gateway' | 'meter' | 'tenant'

export type Caller = { readonly sub: string; readonly tenant_id: string | null; readonly roles: ReadonlySet<Role> }

export const unauthenticated = problem({ code: 'auth/unauthenticated', status: 401, title: 'No valid token' })
export const forbidden = problem({ code: 'auth/forbidden', status: 403, title: 'This token may not do that' })

const ALGORITHM = 'HS256'
const CLOCK_TOLERANCE_S = 5
const SECRET_FILE = 'jwt-secret'

/** Verifies `Authorization: Bearer …`. Throws `auth/unauthenticated` and says nothing of the token. */
export async function authenticate(header: string | undefined, secret: string, clock: Clock): Promise<Caller> {
  const token = /^Bearer ([^\s]+)$/i.exec(header ?? '')?.[1]
  if (token === undefined) throw unauthenticated('Send a token: Authorization: Bearer <JWT>.')
  try {
    const { payload } = await jwtVerify(token, keyOf(secret), {
      algorithms: [ALGORITHM],
      requiredClaims: ['sub', 'exp'],
      currentDate: dateOf(clock.now()),
      clockTolerance: CLOCK_TOLERANCE_S,
    })
    const roles = new Set(Array.isArray(payload['roles']) ? payload['roles'].map(roleOf) : [])
    const tenant_id = typeof payload['tenant_id'] === 'string' ? payload['tenant_id'] : null
    // A tenant's role without a tenant could see nothing; dropping it turns every call into a plain 403.
    if (tenant_id === null) roles.delete('tenant')
    return { sub: payload.sub ?? '', tenant_id, roles }
  } catch {
    throw unauthenticated('The token is malformed, expired or signed with another secret.')
  }
}

export async function mintToken(
  claims: { sub: string; role: string; tenant_id: string | null },
  { secret, now, ttl }: { secret: string; now: Temporal.Instant; ttl: Temporal.Duration },
): Promise<string> {
  return new SignJWT({ roles: [claims.role], ...(claims.tenant_id !== null && { tenant_id: claims.tenant_id }) })
    .setProtectedHeader({ alg: ALGORITHM })
    .setSubject(claims.sub)
    .setIssuedAt(dateOf(now))
    .setExpirationTime(dateOf(now.add(ttl)))
    .sign(keyOf(secret))
}

/** The tenant whose rows the caller may see; null: all of them. */
export function scopeOf(caller: Caller): string | null {
  return caller.roles.has('platform_admin') ? null : caller.tenant_id
}

/** The configured secret, or the one that an embedded installation made for itself at first start (mode 0600). */
export async function jwtSecret(config: Pick<Config, 'jwt_secret' | 'database'>, ids: Ids): Promise<string> {
  if (config.jwt_secret !== null) return config.jwt_secret
  if (config.database.kind !== 'embedded') return ids.secret()
  const path = join(config.database.data_dir, SECRET_FILE)
  await mkdir(config.database.data_dir, { recursive: true, mode: 0o700 })
  // Written beside and then linked, so that nobody reads half a secret and the first of two processes wins.
  const draft = `${path}.${ids.uuid()}`
  await writeFile(draft, ids.secret(), { flag: 'wx', mode: 0o600 })
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
  return (await readFile(path, 'utf8')).trim()
}

function roleOf(role: unknown): Role {
  return role === 'platform_admin' || role === 'gateway' || role === 'meter' ? role : 'tenant'
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret)
}

/** The token library takes `Date`s; this is the only place that makes one. */
function dateOf(at: Temporal.Instant): Date {
  return new Date(at.epochMilliseconds)
}
