import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PATIENCE_MS } from './support/patience.ts'

const { PATH, NODE_COMPILE_CACHE } = process.env
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const COMMANDS = fileURLToPath(new URL('support/commands.ts', import.meta.url))
const BILL = fileURLToPath(new URL('../src/providers/digitalocean/fixtures/2025-03-nine-columns.csv', import.meta.url))
const POLL_MS = 20
const TENANT = { id: 't_42', legal_name: 'Example Pty Ltd', country: 'AU', currency: 'AUD' }

type Running = { child: ChildProcess; url: string; lines: string[] }

let data_dir: string
let upload_dir: string
const children: ChildProcess[] = []
before(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'arcadia-serve-'))
  upload_dir = await mkdtemp(join(tmpdir(), 'arcadia-uploads-'))
})
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const dir of [data_dir, upload_dir]) await rm(dir, { recursive: true, force: true })
})

// One story on one data directory, told in order.
describe('arcadia serve', { timeout: PATIENCE_MS }, () => {
  let running: Running
  let token: string
  let exported: string

  test('starts from nothing and answers', async () => {
    running = await serve()
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      assert.equal((await fetch(`${running.url}${path}`)).status, 200, path)
    }
  })

  test('says what it is doing while it starts, and who can reach it', () => {
    const said = running.lines.map((line) => String(JSON.parse(line).msg))
    for (const message of [/^making a new database/, /^preparing the job queue/]) {
      assert.ok(
        said.some((text) => message.test(text)),
        String(message),
      )
    }
    assert.match(running.url, /^http:\/\/127\.0\.0\.1:/)
  })

  test('accepts the token that the token command mints beside it', async () => {
    const { stdout } = await arcadia(['token', '--role', 'platform_admin'])
    token = stdout.trim()
    assert.equal((await fetch(`${running.url}/api/v1/tenants`)).status, 401)
    assert.equal((await get(running.url, '/api/v1/tenants', token)).status, 200)
  })

  test('keeps its files, and what is uploaded, to its owner', async () => {
    const names = ['.', ...(await readdir(data_dir, { recursive: true }))]
    assert.ok(names.includes('pglite/PG_VERSION'))
    for (const name of names) assert.equal((await stat(join(data_dir, name))).mode & 0o077, 0, name)
    assert.equal(await modeOfUpload(running.url, token), 0o600)
  })

  test('keeps a second one off its data directory, and says who holds it', async () => {
    const { code, stderr } = await failing(['serve'])
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`process ${running.child.pid} on .*\\(arcadia serve\\)`))
    assert.match(stderr, /ARCADIA_DATA_DIR/)
    assert.equal((await fetch(`${running.url}/healthz`)).status, 200)
  })

  test('keeps a demo off it, too, which then ends', async () => {
    const { code, stderr } = await failing(['demo'])
    assert.equal(code, 1)
    assert.match(stderr, /is held by process/)
  })

  test('is asked how it is, and worked with, by commands beside it', async () => {
    const doctor = JSON.parse((await arcadia(['doctor', '--json'])).stdout)
    assert.deepEqual([doctor.ok, doctor.checks[0].detail], [true, `embedded in ${data_dir}`])
    const nothing = await arcadia(['expected', '--period', '2024-01'])
    assert.match(nothing.stdout.trimEnd(), /Nothing is known of what was rented in the month\. Run `arcadia sync`\.$/)
    const bill = join(upload_dir, 'bill.csv')
    await copyFile(BILL, bill)
    const imported = await arcadia(['import', bill, '--period', '2025-03', '--invoice-number', '500', '--json'])
    assert.deepEqual([JSON.parse(imported.stdout).amount, JSON.parse(imported.stdout).outcome], ['85.41', 'created'])
    const rolled = JSON.parse((await arcadia(['rollup', '--period', '2025-03', '--json'])).stdout)
    assert.deepEqual([rolled.created, rolled.parked], [0, []])
    exported = (await arcadia(['export', 'focus', '--period', '2025-03'])).stdout
    assert.equal(exported.trim().split('\n').length, 1 + 9)
  })

  test('is worked with from elsewhere by its address and a token', async () => {
    const elsewhere = { ARCADIA_DATA_DIR: upload_dir, ARCADIA_URL: running.url, ARCADIA_TOKEN: token }
    assert.equal((await arcadia(['export', 'focus', '--period', '2025-03'], elsewhere)).stdout, exported)
    const { stderr } = await failing(['audit'], { ...elsewhere, ARCADIA_TOKEN: 'a.b.c' })
    assert.match(stderr, /auth\/unauthenticated/)
    const nobody = await failing(['audit'], { ...elsewhere, ARCADIA_URL: 'http://127.0.0.1:1' })
    assert.match(nobody.stderr, /http:\/\/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/)
  })

  test('ends with 1 where its port is in use, and says so', async () => {
    const { code, stderr } = await failing(['serve'], { PORT: new URL(running.url).port })
    assert.equal(code, 1)
    assert.match(stderr, /Port \d+ is in use\. Stop what uses it, or set PORT to another one/)
    const { stderr: elsewhere } = await failing(['serve'], { HOST: '192.0.2.1' })
    assert.match(elsewhere, /192\.0\.2\.1 is no address of this machine/)
  })

  test('finishes the request under way when told to stop, and exits with 0', async () => {
    const body = JSON.stringify(TENANT)
    const sending = await startPost(running.url, '/api/v1/tenants', { token, length: body.length })
    const exited = once(running.child, 'exit')
    running.child.kill('SIGTERM')
    await untilRefused(running.url)
    sending.end(body)
    const [answer] = (await once(sending, 'response')) as [IncomingMessage]
    assert.equal(answer.statusCode, 201)
    assert.equal(answer.headers.connection, 'close')
    assert.equal(JSON.parse(await text(answer)).data.id, TENANT.id)
    assert.deepEqual(await Promise.race([exited, pause(PATIENCE_MS, 'still running', { ref: false })]), [0, null])
    assert.match(running.lines.at(-1) ?? '', /arcadia has stopped/)
    const said = running.lines.map((line) => JSON.parse(line))
    const routes = new Set(said.map(({ route }) => route))
    for (const line of said.filter((line) => 'route' in line)) assert.equal(typeof line.request_id, 'string')
    assert.ok(!said.some((line) => 'reqId' in line), 'the id of a call has one name')
    assert.ok(routes.has('/api/v1/tenants'))
    assert.ok(!routes.has('/healthz'), 'a probe has a line of its own')
  })

  test('finds its books again on the next start', async () => {
    running = await serve()
    const answer = await get(running.url, `/api/v1/tenants/${TENANT.id}`, token)
    assert.equal(answer.status, 200)
  })

  test('makes a token beside it only for a tenant that there is', async () => {
    const { stdout } = await arcadia(['token', '--role', 'tenant', '--tenant', TENANT.id])
    assert.equal((await get(running.url, '/api/v1/invoices', stdout.trim())).status, 200)
    const { code, stderr } = await failing(['token', '--role', 'tenant', '--tenant', 't_43'])
    assert.equal(code, 1)
    assert.match(stderr, /There is no tenant t_43\. GET \/tenants lists them/)
  })

  test('is told of by commands in 80 columns', async () => {
    const text = await inOneProcess(TABLES)
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
    const told = [
      /^invoice +.*|^unmatched +8$/m,
      /^costs\.bills-conserve-money/m,
      /^schema +ok +current$/m,
      /^Droplet/im,
    ]
    for (const one of told) assert.match(text, one)
  })

  test('says the same beside nobody: each command opens the books itself', async () => {
    const plan = { code: 'studio', name: 'Studio', version: { currency: 'AUD', base_price_cents: 5_000 } }
    const sending = await startPost(running.url, '/api/v1/plans', { token, length: JSON.stringify(plan).length })
    sending.end(JSON.stringify(plan))
    const [answer] = (await once(sending, 'response')) as [IncomingMessage]
    assert.equal(answer.statusCode, 201)
    const beside = await inOneProcess(REPORTS)
    const exited = once(running.child, 'exit')
    running.child.kill('SIGTERM')
    await exited
    const alone = await inOneProcess(REPORTS)
    assert.equal(alone, beside)
    const wanted = [
      exported,
      '"name": "costs.bills-conserve-money"',
      '2025-03 in USD',
      '"winners"',
      'provider/not-configured',
    ]
    for (const text of wanted) assert.ok(alone.includes(text), text)
  })
})

test('the demo tells a month in 80 columns, and all that it promises holds', { timeout: PATIENCE_MS }, async () => {
  const text = await inOneProcess([['demo', '--no-serve']], { DATABASE_URL: 'memory://' })
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  assert.match(text, /^Margin of 2026-04 in USD$[^]*^Checks$[^]*^ok +costs\.bills-conserve-money$/m)
  assert.doesNotMatch(text, /BROKEN/)
})

test('commands that only read refuse a data directory without books, and leave no trace of it', async () => {
  const missing = join(upload_dir, 'mistyped')
  for (const args of [['doctor'], ['token', '--role', 'platform_admin']]) {
    const { stderr } = await failing(args, { ARCADIA_DATA_DIR: missing })
    assert.match(stderr, /There are no books in .*mistyped/)
  }
  const { stdout } = await failing(['doctor', '--json'], { ARCADIA_DATA_DIR: missing })
  assert.equal(JSON.parse(stdout).code, 'platform/no-books')
  await assert.rejects(stat(missing), { code: 'ENOENT' })
})

test('a demo in a directory that cannot be used says so in words', async () => {
  const { code, stderr } = await failing(['demo'], { ARCADIA_DATA_DIR: '/proc/foo' })
  assert.equal(code, 1)
  assert.match(stderr, /^error \/proc\/foo cannot be used: .*Set ARCADIA_DATA_DIR/)
})

test('a command line that is wrong is answered with one that is right', async () => {
  for (const [args, said] of [
    [['roll-up'], /Did you mean rollup\?/],
    [['rollup', '2026-10'], /arcadia rollup --period 2026-10/],
    [['rollup', '--period=oct'], /It must be a month such as 2026-10\.[^]*arcadia rollup --period 2026-10/],
    [['what-if', '--from=October'], /Did you mean --from 2025-10\?/],
  ] as const) {
    assert.match((await failing([...args], { ARCADIA_NOW: '2026-05-02T06:00:00Z' })).stderr, said)
  }
})

test('with --json a command line that is wrong is refused as JSON, too', async () => {
  for (const [args, said] of [
    [['rollup'], /required option '--period <month>' not specified.* arcadia rollup --period 2026-10$/],
    [['rollup', '--period=oct'], /'oct' is invalid\. It must be a month/],
    [['roll-up'], /Did you mean rollup\?/],
    [['constructor'], /unknown command 'constructor'\. For example: arcadia --help$/],
  ] as const) {
    const { code, stdout, stderr } = await failing([...args, '--json'])
    const refusal = JSON.parse(stdout)
    assert.deepEqual([code, stderr, refusal.code], [1, '', 'request/invalid'])
    assert.match(refusal.detail, said)
  }
})

/** Waits for the log line that says where the server listens. */
async function serve(): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, 'serve'], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] })
  children.push(child)
  const lines: string[] = []
  const reader = createInterface({ input: child.stderr })
  const ready = await new Promise<string>((resolve, reject) => {
    reader.on('line', (line) => {
      lines.push(line)
      if (line.includes('arcadia is ready')) resolve(line)
    })
    reader.on('close', () => reject(new Error(`the server ended before it was ready:\n${lines.join('\n')}`)))
  })
  return { child, url: String(JSON.parse(ready).url), lines }
}

const TABLES = [
  ['import', BILL, '--period', '2025-03', '--invoice-number', '500'],
  ['audit'],
  ['doctor'],
  ['expected', '--period', '2025-03'],
  ['rollup', '--period', '2025-03'],
]

/** Whose answers hold no time of day. */
const REPORTS = [
  ['audit', '--json'],
  ['expected', '--period', '2025-03'],
  ['export', 'focus', '--period', '2025-03'],
  ['what-if', '--plan', 'studio', '--version', '1', '--from', '2025-03', '--to', '2025-03', '--json'],
  ['sync', '--json'],
]

/** What commands print one after the other, in one process: to start one takes longer than most of them. */
async function inOneProcess(commands: readonly string[][], env: Environment = {}): Promise<string> {
  const options = { env: { ...environment(), ...env }, timeout: PATIENCE_MS }
  return promisify(execFile)(process.execPath, [COMMANDS, JSON.stringify(commands)], options).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  )
}

type Environment = Record<string, string>

function arcadia(args: string[], env: Environment = {}): Promise<{ stdout: string; stderr: string }> {
  const options = { env: { ...environment(), ...env }, timeout: PATIENCE_MS }
  return promisify(execFile)(process.execPath, [MAIN, ...args], options)
}

async function failing(
  args: string[],
  env: Environment = {},
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  try {
    await arcadia(args, env)
  } catch (error) {
    return error as { code: unknown; stdout: string; stderr: string }
  }
  throw new Error('the command succeeded')
}

function environment(): NodeJS.ProcessEnv {
  return { PATH, NODE_COMPILE_CACHE, PORT: '0', ARCADIA_DATA_DIR: data_dir, TMPDIR: upload_dir }
}

function get(url: string, path: string, token: string): Promise<Response> {
  return fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
}

/** The mode of the file in which a form's file is kept while it still comes in. */
async function modeOfUpload(url: string, token: string): Promise<number> {
  const sending = request(`${url}/api/v1/billing/provider-invoices/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x' },
  })
  sending.on('error', () => {})
  sending.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\nfirst bytes')
  try {
    return await eventually(async () => {
      const [name] = await readdir(upload_dir, { recursive: true, withFileTypes: true }).then((found) =>
        found.filter((entry) => entry.isFile()),
      )
      return name && (await stat(join(name.parentPath, name.name))).mode & 0o777
    })
  } finally {
    sending.destroy()
  }
}

/** A request whose head has arrived and whose body has not. */
async function startPost(
  url: string,
  path: string,
  { token, length }: { token: string; length: number },
): Promise<ClientRequest> {
  const sending = request(`${url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': length,
      expect: '100-continue',
    },
  })
  sending.flushHeaders()
  await once(sending, 'continue')
  return sending
}

async function untilRefused(url: string): Promise<void> {
  await eventually(() =>
    fetch(`${url}/healthz`, { headers: { connection: 'close' } }).then(
      () => undefined,
      () => true,
    ),
  )
}

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const found = await look()
    if (found !== undefined) return found
    await pause(POLL_MS)
  }
  throw new Error('it did not come about')
}
