import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import { type Config, SECRET_MIN_CHARS } from '../config.ts'
import { type Problem, problem } from '../kernel/problem.ts'
import type { Clock } from './clock.ts'
import { secretFile } from './data-dir.ts'
import { fileReason, makeDirectory } from './files.ts'
import { isStorableText } from './formats.ts'
import type { Ids } from './ids.ts'

export const ROLES = ['platform_admin', 'gateway', 'meter', 'tenant'] as const
/** A token's other roles let it do nothing. */
export type Role = (typeof ROLES)[number]

export function isRole(name: string): name is Role {
  return ROLES.some((role) => role === name)
}

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

/**
 * Verifies `Authorization: Bearer …`. Throws `auth/unauthenticated`, which says what is wrong with the token. Of what is
 * in one it speaks only when the signature is ours: before that, nothing is known of who sent it.
 */
export async function authenticate(header: string | undefined, secret: string, clock: Clock): Promise<Caller> {
  if (header === undefined) throw unauthenticated('There is no token. Send one: Authorization: Bearer <JWT>.')
  const token = /^Bearer ([^\s]+)$/i.exec(header)?.[1]
  if (token === undefined) throw unauthenticated('The header must read: Authorization: Bearer <JWT>.')
  return callerOf(await verified(token, secret, clock))
}

async function verified(token: string, secret: string, clock: Clock): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keyOf(secret), {
      algorithms: [ALGORITHM],
      requiredClaims: ['sub', 'exp'],
      currentDate: dateOf(clock.now()),
      clockTolerance: CLOCK_TOLERANCE_S,
    })
    return payload
  } catch (error) {
    throw unauthenticated(faultOf(error))
  }
}

function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return `The token expired${since(error.payload.exp)}. Get a new one.`
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The token is signed with another secret.'
  if (error instanceof errors.JOSEAlgNotAllowed) return `The token must be signed with ${ALGORITHM}.`
  if (error instanceof errors.JWTClaimValidationFailed) return `The token cannot be used: ${error.message}.`
  return 'The token is malformed: it is not a JSON Web Token.'
}

function since(exp: number | undefined): string {
  return exp === undefined || exp < 0 ? '' : ` at ${Temporal.Instant.fromEpochMilliseconds(Math.trunc(exp * 1_000))}`
}

function callerOf(payload: JWTPayload): Caller {
  const { sub, roles: named = [] } = payload
  if (!isText(sub)) throw wrongClaim('sub', TEXT)
  if (!Array.isArray(named) || !named.every((role) => typeof role === 'string')) {
    throw wrongClaim('roles', 'a list of texts')
  }
  const tenant_id = optionalText(payload, 'tenant_id')
  const roles = new Set(named.filter(isRole))
  // A tenant's role without a tenant could see nothing; dropping it turns every call into a plain 403.
  if (tenant_id === null) roles.delete('tenant')
  return { sub, tenant_id, only_tenant_id: optionalText(payload, 'only_tenant_id'), roles }
}

/** Null where there is none. One that cannot be read must not be none: it is a limit. */
function optionalText(payload: JWTPayload, name: string): string | null {
  const value = payload[name] ?? null
  if (value !== null && !isText(value)) throw wrongClaim(name, TEXT)
  return value
}

const TEXT = 'a text without NUL and halves of surrogate pairs'

/** Subjects and tenants are stored and compared in the database. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && isStorableText(value)
}

function wrongClaim(name: string, expected: string): Problem {
  return unauthenticated(`The token cannot be used: its claim "${name}" must be ${expected}.`)
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

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret)
}

/** The token library takes `Date`s; this is the only place that makes one. */
function dateOf(at: Temporal.Instant): Date {
  return new Date(at.epochMilliseconds)
}
