import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { authenticate, jwtSecret, mintToken, scopeOf, sendingScopeOf } from './auth.ts'
import { frozenClock } from './clock.ts'
import { randomIds } from './ids.ts'

const SECRET = 'a-secret-for-tests-only-0123456789abcdef'
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'arcadia-auth-'))
})
after(() => rm(dir, { recursive: true }))

test('an embedded installation makes one secret and keeps it for its owner alone', async () => {
  const data_dir = join(dir, 'made')
  const config = { jwt_secret: null, database: { kind: 'embedded' as const, data_dir } }
  const secrets = await Promise.all(Array.from({ length: 5 }, () => jwtSecret(config, randomIds)))
  secrets.push(await jwtSecret(config, randomIds))
  assert.equal(new Set(secrets).size, 1)
  assert.deepEqual(await readdir(data_dir), ['jwt-secret'])
  assert.equal((await stat(join(data_dir, 'jwt-secret'))).mode & 0o777, 0o600)
  assert.equal(await readFile(join(data_dir, 'jwt-secret'), 'utf8'), secrets[0])
})

test('a secret file that was emptied or cut is refused in words: it would lock everybody out', async () => {
  const data_dir = join(dir, 'emptied')
  const config = { jwt_secret: null, database: { kind: 'embedded' as const, data_dir } }
  await jwtSecret(config, randomIds)
  for (const [content, found] of [
    ['', 'holds 0 characters'],
    ['cut', 'holds 3 characters'],
  ] as const) {
    await writeFile(join(data_dir, 'jwt-secret'), content)
    const message = new RegExp(`jwt-secret ${found}; a secret has at least 32\\. Put it back from a backup`)
    await assert.rejects(jwtSecret(config, randomIds), { code: 'auth/secret-unusable', message })
  }
})

test('a configured secret is used as it is, and a database in memory has a new one each time', async () => {
  const memory = { kind: 'memory' as const }
  assert.equal(await jwtSecret({ jwt_secret: SECRET, database: memory }, randomIds), SECRET)
  assert.notEqual(
    await jwtSecret({ jwt_secret: null, database: memory }, randomIds),
    await jwtSecret({ jwt_secret: null, database: memory }, randomIds),
  )
})

test('a minted token is good until it expires', async () => {
  const clock = frozenClock(NOW)
  const token = await mintToken(
    { sub: 'me', role: 'tenant', tenant_id: 't_42' },
    { secret: SECRET, now: NOW, ttl: Temporal.Duration.from({ hours: 1 }) },
  )
  const caller = await authenticate(`Bearer ${token}`, SECRET, clock)
  assert.deepEqual(caller, { sub: 'me', tenant_id: 't_42', only_tenant_id: null, roles: new Set(['tenant']) })
  assert.equal(scopeOf(caller), 't_42')
  clock.set(NOW.add({ hours: 1, seconds: 6 }))
  await assert.rejects(() => authenticate(`Bearer ${token}`, SECRET, clock), { code: 'auth/unauthenticated' })
})

test('a token of a gateway or a meter that is minted with a tenant may send for that one alone', async () => {
  const limited = async (tenant_id: string | null) => {
    const claims = { sub: 'me', role: 'meter', tenant_id }
    const token = await mintToken(claims, { secret: SECRET, now: NOW, ttl: Temporal.Duration.from({ hours: 1 }) })
    return sendingScopeOf(await authenticate(`Bearer ${token}`, SECRET, frozenClock(NOW)))
  }
  assert.deepEqual([await limited('t_42'), await limited(null)], ['t_42', null])
})

test('an administrator sees every tenant', async () => {
  const token = await mintToken(
    { sub: 'me', role: 'platform_admin', tenant_id: 't_42' },
    { secret: SECRET, now: NOW, ttl: Temporal.Duration.from({ hours: 1 }) },
  )
  assert.equal(scopeOf(await authenticate(`Bearer ${token}`, SECRET, frozenClock(NOW))), null)
})
