import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from './config.ts'
import { Problem } from './kernel/problem.ts'

const SECRET = 'a-secret-of-at-least-32-characters'

test('an empty environment is a working embedded installation', () => {
  const config = loadConfig({})
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.port, 4000)
  assert.deepEqual(config.database, { kind: 'embedded', data_dir: './data' })
  assert.equal(config.jwt_secret, null)
  assert.equal(config.digitalocean.token, null)
  assert.equal(config.digitalocean.api_url, 'https://api.digitalocean.com')
  assert.equal(config.finance.url, 'http://localhost:4010')
  assert.equal(config.finance.jwt_secret, null)
  assert.equal(config.metrics_open, false)
  assert.equal(config.log_level, 'info')
  assert.equal(config.now, null)
})

test('an empty variable counts as unset', () => {
  assert.deepEqual(loadConfig({ PORT: '', DATABASE_URL: ' ', ARCADIA_NOW: '', DIGITALOCEAN_TOKEN: '' }), loadConfig({}))
})

test('every variable is read', () => {
  const config = loadConfig({
    HOST: '0.0.0.0',
    PORT: '0',
    DATABASE_URL: 'postgresql://books@db/arcadia',
    ARCADIA_DATA_DIR: '/var/lib/arcadia',
    ARCADIA_JWT_SECRET: SECRET,
    ARCADIA_LOG_LEVEL: 'warn',
    ARCADIA_URL: 'https://books.example/',
    ARCADIA_TOKEN: 'a.b.c',
    ARCADIA_METRICS_OPEN: 'true',
    DIGITALOCEAN_TOKEN: 'token',
    DIGITALOCEAN_API_URL: 'http://localhost:9001/',
    FINANCE_URL: 'https://finance.example/',
    FINANCE_JWT_SECRET: 'finance',
    ARCADIA_SELLER_LEGAL_NAME: 'Seller Pty Ltd',
    ARCADIA_SELLER_ABN: '51 824 753 556',
    ARCADIA_SELLER_ADDRESS: '1 Example St',
    ARCADIA_NOW: '2026-05-01T03:00:00Z',
  })
  assert.deepEqual(
    { ...config, now: config.now?.toString() },
    {
      host: '0.0.0.0',
      port: 0,
      log_level: 'warn',
      remote: { url: 'https://books.example', token: 'a.b.c' },
      database: { kind: 'postgres', url: 'postgresql://books@db/arcadia' },
      data_dir: '/var/lib/arcadia',
      jwt_secret: SECRET,
      metrics_open: true,
      digitalocean: { token: 'token', api_url: 'http://localhost:9001' },
      finance: { url: 'https://finance.example', jwt_secret: 'finance' },
      seller: { legal_name: 'Seller Pty Ltd', abn: '51 824 753 556', address: '1 Example St' },
      now: '2026-05-01T03:00:00Z',
    },
  )
  assert.deepEqual(loadConfig({ DATABASE_URL: 'memory://' }).database, { kind: 'memory' })
  assert.deepEqual(loadConfig({ ARCADIA_DATA_DIR: 'memory://' }).database, { kind: 'memory' })
})

test('every mistake is named at once', () => {
  const wrong = {
    PORT: '65536',
    DATABASE_URL: 'mysql://db',
    ARCADIA_JWT_SECRET: '',
    ARCADIA_LOG_LEVEL: 'loud',
    ARCADIA_METRICS_OPEN: 'yes',
    DIGITALOCEAN_API_URL: 'api.digitalocean.com',
    FINANCE_URL: 'ftp://finance',
    ARCADIA_SELLER_ABN: '53 004 085 617',
    ARCADIA_NOW: 'yesterday',
  }
  assert.deepEqual(faultsOf(wrong).toSorted(), Object.keys(wrong).toSorted())
})

test('the finance service is also found under the names it had before; the present ones go first', () => {
  const before = { SKYAI_FINANCE_URL: 'https://before.example', SKYAI_FINANCE_JWT_SECRET: 'before' }
  assert.deepEqual({ ...loadConfig(before).finance }, { url: 'https://before.example', jwt_secret: 'before' })
  const both = loadConfig({ ...before, FINANCE_URL: 'https://now.example', FINANCE_JWT_SECRET: 'now' })
  assert.deepEqual({ ...both.finance }, { url: 'https://now.example', jwt_secret: 'now' })
  assert.deepEqual(faultsOf({ SKYAI_FINANCE_URL: 'ftp://finance' }), ['SKYAI_FINANCE_URL'])
})

test('a variable of ours that does not exist is refused with the one that was meant; others are not ours', () => {
  assert.match(
    refusalOf({ ARCADIA_DATADIR: '/srv' }),
    /ARCADIA_DATADIR.*no such variable. Did you mean ARCADIA_DATA_DIR\?/,
  )
  assert.match(refusalOf({ ARCADIA_PORT: '4010' }), /ARCADIA_PORT.*no such variable. Did you mean PORT\?/)
  assert.match(refusalOf({ ARCADIA_UNHEARD_OF: 'x' }), /no such variable: see docs\/configuration\.md/)
  assert.deepEqual(faultsOf({ ARCADIA_DATADIR: ' ', ACME_DATADIR: '/srv' }), [])
})

test('what cannot be a token is refused in words, and not shown', () => {
  for (const DIGITALOCEAN_TOKEN of ['…', '...', 'dop_v1_…', 'dop_v1_...', '<token>']) {
    assert.match(refusalOf({ DIGITALOCEAN_TOKEN }), /not a token: the dots of the example/, DIGITALOCEAN_TOKEN)
  }
  for (const DIGITALOCEAN_TOKEN of ['dop_v1_ä', 'dop v1', 'dop\nv1']) {
    const refusal = refusalOf({ DIGITALOCEAN_TOKEN })
    assert.match(refusal, /not a token: it has a blank, or a character that is not ASCII/)
    assert.ok(!refusal.includes(DIGITALOCEAN_TOKEN))
  }
  assert.deepEqual(faultsOf({ FINANCE_JWT_SECRET: '…', ARCADIA_JWT_SECRET: `${SECRET}…` }), [
    'ARCADIA_JWT_SECRET',
    'FINANCE_JWT_SECRET',
  ])
})

test('a remote server is named with a token for it', () => {
  assert.equal(loadConfig({}).remote, null)
  assert.deepEqual(faultsOf({ ARCADIA_URL: 'https://books.example' }), ['ARCADIA_TOKEN'])
  assert.match(
    refusalOf({ ARCADIA_URL: 'https://books.example/api/v1/', ARCADIA_TOKEN: 'a.b.c' }),
    /ARCADIA_URL.*the server's address, without \/api\/v1/,
  )
  assert.deepEqual(faultsOf({ ARCADIA_URL: 'books.example', ARCADIA_TOKEN: '…' }), ['ARCADIA_URL', 'ARCADIA_TOKEN'])
})

test('a secret that could be guessed is refused, whatever the database', () => {
  for (const DATABASE_URL of ['postgres://db', 'memory://', '']) {
    assert.match(refusalOf({ DATABASE_URL, ARCADIA_JWT_SECRET: 'abcde' }), /at least 32 characters/)
    assert.deepEqual(faultsOf({ DATABASE_URL, ARCADIA_JWT_SECRET: 'x'.repeat(32) }), [])
  }
})

test('a fixed clock lies in the years that dates are taken in', () => {
  for (const year of ['0000', '1899', '3000', '+275760'])
    assert.deepEqual(faultsOf({ ARCADIA_NOW: `${year}-09-12T00:00:00Z` }), ['ARCADIA_NOW'], year)
})

test('a port is a whole number', () => {
  for (const PORT of ['4e3', '-1', '40.5', 'http', '0x10']) assert.deepEqual(faultsOf({ PORT }), ['PORT'], PORT)
})

test('a shared database needs a shared secret', () => {
  assert.deepEqual(faultsOf({ DATABASE_URL: 'postgres://db' }), ['ARCADIA_JWT_SECRET'])
})

test('a secret is never shown in what is refused', () => {
  assert.throws(
    () => loadConfig({ ARCADIA_JWT_SECRET: 'hunter2', PORT: 'x' }),
    (error) => !JSON.stringify(error).includes('hunter2'),
  )
})

test('the configuration cannot be changed', () => {
  const config = loadConfig({})
  assert.ok(Object.isFrozen(config))
  assert.ok(Object.isFrozen(config.database))
  assert.ok(Object.isFrozen(config.finance))
})

function refusalOf(env: Record<string, string>): string {
  try {
    loadConfig(env)
  } catch (error) {
    return JSON.stringify(error)
  }
  return ''
}

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env)
  } catch (error) {
    assert.ok(error instanceof Problem)
    return error.errors.map((fault) => ('path' in fault ? fault.path : ''))
  }
  return []
}
