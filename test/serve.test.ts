import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
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
const POLL_MS = 20
const TENANT = { id: 't_42', legal_name: 'Example Pty Ltd', country: 'AU', currency: 'AUD' }

type Running = { child: ChildProcess; url: string }

let data_dir: string
const children: ChildProcess[] = []
before(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'arcadia-serve-'))
})
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(data_dir, { recursive: true, force: true })
})

// One story on one data directory, told in order.
describe('arcadia serve', { timeout: PATIENCE_MS }, () => {
  let running: Running
  let token: string

  test('starts from nothing and answers', async () => {
    running = await serve()
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      assert.equal((await fetch(`${running.url}${path}`)).status, 200, path)
    }
  })

  test('accepts the token that the token command mints beside it', async () => {
    const { stdout } = await arcadia('token', '--role', 'platform_admin')
    token = stdout.trim()
    assert.equal((await fetch(`${running.url}/api/v1/tenants`)).status, 401)
    assert.equal((await get(running.url, '/api/v1/tenants', token)).status, 200)
  })

  test('keeps a second one off its data directory, and says who holds it', async () => {
    const { code, stderr } = await failing('serve')
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`process ${running.child.pid} on .*\\(arcadia serve\\)`))
    assert.match(stderr, /ARCADIA_DATA_DIR/)
    assert.equal((await fetch(`${running.url}/healthz`)).status, 200)
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
    assert.deepEqual(await Promise.race([exited, pause(PATIENCE_MS, 'still running')]), [0, null])
  })

  test('finds its books again on the next start', async () => {
    running = await serve()
    const answer = await get(running.url, `/api/v1/tenants/${TENANT.id}`, token)
    assert.equal(answer.status, 200)
  })
})

/** Waits for the log line that says where the server listens. */
async function serve(): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, 'serve'], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] })
  children.push(child)
  const seen: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    seen.push(line)
    if (line.includes('arcadia is ready')) break
  }
  // Read on, or the pipe fills up and the server waits for it.
  child.stderr.resume()
  const ready = seen.at(-1) ?? ''
  assert.match(ready, /arcadia is ready/, `the server ended before it was ready:\n${seen.join('\n')}`)
  return { child, url: String(JSON.parse(ready).url) }
}

function arcadia(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [MAIN, ...args], { env: environment(), timeout: PATIENCE_MS })
}

async function failing(...args: string[]): Promise<{ code: unknown; stderr: string }> {
  try {
    await arcadia(...args)
  } catch (error) {
    return error as { code: unknown; stderr: string }
  }
  throw new Error('the command succeeded')
}

function environment(): NodeJS.ProcessEnv {
  return { PATH, NODE_COMPILE_CACHE, PORT: '0', ARCADIA_DATA_DIR: data_dir }
}

function get(url: string, path: string, token: string): Promise<Response> {
  return fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
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
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    try {
      await fetch(`${url}/healthz`, { headers: { connection: 'close' } })
    } catch {
      return
    }
    await pause(POLL_MS)
  }
  throw new Error('the server still accepts connections')
}
