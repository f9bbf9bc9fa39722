import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from './config.ts'
import { Problem } from './kernel/problem.ts'

const SECRET = 'a-secret-of-at-least-32-characters'

test('an empty environment is a working embedded installation', () => {
  const config = loadConfig({})
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
    PORT: '0',
    DATABASE_URL: 'postgresql://books@db/arcadia',
    ARCADIA_DATA_DIR: '/var/lib/arcadia',
    ARCADIA_JWT_SECRET: SECRET,
    ARCADIA_LOG_LEVEL: 'warn',
    ARCADIA_METRICS_OPEN: 'true',
    DIGITALOCEAN_TOKEN: 'token',
    DIGITALOCEAN_API_URL: 'http://localhost:9001/',
    SKYAI_FINANCE_URL: 'https://finance.example/',
    SKYAI_FINANCE_JWT_SECRET: 'finance',
    ARCADIA_SELLER_LEGAL_NAME: 'Seller Pty Ltd',
    ARCADIA_SELLER_ABN: '51 824 753 556',
    ARCADIA_SELLER_ADDRESS: '1 Example St',
    ARCADIA_NOW: '2026-05-01T03:00:00Z',
  })
  assert.deepEqual(
    { ...config, now: config.now?.toString() },
    {
      port: 0,
      log_level: 'warn',
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
    SKYAI_FINANCE_URL: 'ftp://finance',
    ARCADIA_SELLER_ABN: '53 004 085 617',
    ARCADIA_NOW: 'yesterday',
  }
  assert.deepEqual(faultsOf(wrong).toSorted(), Object.keys(wrong).toSorted())
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

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env)
  } catch (error) {
    assert.ok(error instanceof Problem)
    return error.errors.map((fault) => ('path' in fault ? fault.path : ''))
  }
  return []
}
