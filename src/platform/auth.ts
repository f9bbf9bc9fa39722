import { jwtVerify, SignJWT } from 'jose'
import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import { type Config, SECRET_MIN_CHARS } from '../config.ts'
import { problem } from '../kernel/problem.ts'
import type { Clock } from './clock.ts'
import { secretFile } from './data-dir.ts'
import { fileReason, makeDirectory } from './files.ts'
import { isStorableText } from './formats.ts'
import type { Ids } from './ids.ts'

/** `tenant` stands for every role that is none of the others: it sees its own tenant's data. */
export type Role = 'platform_admin' | 'gateway' | 'meter' | 'tenant'

/** `tenant_id` is whose data a tenant's token sees; `only_tenant_id` whose events a gateway's or a meter's token may send. */
export type Caller = {
  readonly sub: string
  readonly tenant_id: string | null
  readonly only_tenant_id: string | null
  readonly roles: ReadonlySet<Role>
}

export const unauthenticated = problem({ code: 'auth/unauthenticated', status: 401, title: 'No valid token' })
export const forbidden = problem({ code: 'auth/forbidden', status: 403, title: 'This token may not do that' })

const secretUnusable = problem({
  code: 'auth/secret-unusable',
  status: 503,
  title: 'The secret of the tokens cannot be used',
})

const ALGORITHM = 'HS256'
const SENDERS: ReadonlySet<string> = new Set<Role>(['gateway', 'meter'])
const CLOCK_TOLERANCE_S = 5

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
    // Both are stored and compared in the database.
    if (![payload.sub ?? '', tenant_id ?? ''].every(isStorableText)) throw new Error('a claim is no text')
    // A tenant's role without a tenant could see nothing; dropping it turns every call into a plain 403.
    if (tenant_id === null) roles.delete('tenant')
    const { only_tenant_id = null } = payload
    // A limit that cannot be read must not be none.
    if (only_tenant_id !== null && typeof only_tenant_id !== 'string') throw new Error('the limit is no text')
    return { sub: payload.sub ?? '', tenant_id, only_tenant_id, roles }
  } catch {
    throw unauthenticated('The token is malformed, expired or signed with another secret.')
  }
}

/** With a tenant, a gateway's or a meter's token is limited to it; every other one belongs to it. */
export async function mintToken(
  claims: { sub: string; role: string; tenant_id: string | null },
  { secret, now, ttl }: { secret: string; now: Temporal.Instant; ttl: Temporal.Duration },
): Promise<string> {
  const claim = SENDERS.has(claims.role) ? 'only_tenant_id' : 'tenant_id'
  return new SignJWT({ roles: [claims.role], ...(claims.tenant_id !== null && { [claim]: claims.tenant_id }) })
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

/** The tenant whose events the caller may send; null: every tenant's, whichever the token itself belongs to. */
export function sendingScopeOf(caller: Caller): string | null {
  return caller.roles.has('platform_admin') ? null : caller.only_tenant_id
}

/** The configured secret, or the one that an embedded installation makes for itself at first start (mode 0600). */
export async function jwtSecret(config: Pick<Config, 'jwt_secret' | 'database'>, ids: Ids): Promise<string> {
  if (config.jwt_secret !== null) return config.jwt_secret
  if (config.database.kind !== 'embedded') return ids.secret()
  await makeDirectory(config.database.data_dir)
  const path = secretFile(config.database.data_dir)
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
  return readSecret(config.database.data_dir)
}

/** The secret that an embedded installation has made. An empty one would lock everybody out without a word. */
export async function readSecret(data_dir: string): Promise<string> {
  const path = secretFile(data_dir)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw secretUnusable(`${path} cannot be read: ${fileReason(error)}. \`arcadia serve\` makes it at its first start.`)
  })
  const secret = text.trim()
  if (secret.length >= SECRET_MIN_CHARS) return secret
  throw secretUnusable(
    `${path} holds ${secret.length} characters; a secret has at least ${SECRET_MIN_CHARS}. Put it back from a backup, or remove the file: ` +
      'the next start makes a new one, and tokens that were made before are no longer valid.',
  )
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
