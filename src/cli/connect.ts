import { type Config, loadConfig } from '../config.ts'
import { invalidInput } from '../kernel/problem.ts'
import { mintToken, readSecret } from '../platform/auth.ts'
import { clockOf } from '../platform/clock.ts'
import { findServer, hasBooks, requireBooks } from '../platform/data-dir.ts'
import { randomIds } from '../platform/ids.ts'
import { createLog } from '../platform/log.ts'
import { type Client, createClient } from './client.ts'
import { type Figures, progress } from './output.ts'

/** Long enough for any call: it is checked when that begins. */
const TOKEN_TTL = Temporal.Duration.from({ hours: 1 })
const PROGRESS_POLL_MS = 250
/** A command's output is its report; only trouble is logged beside it. */
const QUIET_LEVEL = 'error'
const MAKING_LEVEL = 'info'

/**
 * Runs a command on the API of the configured books: that of a remote server, that of the server which holds the data
 * directory, or else the program's own, opened for the command on a free port of this machine. Unless the command
 * `makes_books`, a data directory without any is refused.
 */
export async function withApi<T>(
  work: (api: Client) => Promise<T>,
  { makes_books = false }: { makes_books?: boolean } = {},
): Promise<T> {
  const config = loadConfig()
  if (config.remote !== null) return work(createClient(config.remote))
  if (config.database.kind === 'embedded') {
    const { data_dir } = config.database
    if (!makes_books) await requireBooks(data_dir)
    const url = await findServer(data_dir)
    if (url !== null) return work(createClient({ url, token: await adminToken(config, await secretOf(config)) }))
  }
  return withOwnServer(config, work)
}

/** Shows on a terminal how far a call is while it is under way: the server tells it by the id of the request. */
export async function watched<T>(
  api: Client,
  label: string,
  call: (headers: Record<string, string>) => Promise<T>,
  { figures }: { figures?: Figures } = {},
): Promise<T> {
  const request_id = randomIds.uuid()
  const bar = progress(label, process.stderr, figures)
  let ended = false
  const look = async (): Promise<void> => {
    const call = await api.get<{ done: number; total: number }>(`/progress/${request_id}`).catch(() => undefined)
    if (!ended && call !== undefined && call.total > 0) bar.update(call.done, call.total)
  }
  const timer = bar.is_shown ? setInterval(() => void look(), PROGRESS_POLL_MS) : undefined
  try {
    return await call({ 'x-request-id': request_id })
  } finally {
    ended = true
    clearInterval(timer)
    bar.done()
  }
}

async function withOwnServer<T>(config: Config, work: (api: Client) => Promise<T>): Promise<T> {
  const { openApp } = await import('../app.ts')
  const log = await commandLog(config)
  const app = await openApp(config, log)
  log.level = QUIET_LEVEL
  try {
    const url = await (await app.http()).listen({ host: '127.0.0.1', port: 0 })
    return await work(createClient({ url, token: await adminToken(config, app.jwt_secret) }))
  } finally {
    await app.close()
  }
}

/** Says what happens where a command makes books, as a server does. */
export async function commandLog({ database }: Config): Promise<ReturnType<typeof createLog>> {
  const makes_books = database.kind === 'embedded' && !(await hasBooks(database.data_dir))
  return createLog(makes_books ? MAKING_LEVEL : QUIET_LEVEL)
}

/** Only read: one that was made here would be another than that of the server. */
export async function secretOf({ database, jwt_secret }: Config): Promise<string> {
  if (jwt_secret !== null) return jwt_secret
  if (database.kind !== 'embedded') {
    throw invalidInput('A database in memory makes a new secret at each start. Set ARCADIA_JWT_SECRET to share one.')
  }
  await requireBooks(database.data_dir)
  return readSecret(database.data_dir)
}

async function adminToken(config: Config, secret: string): Promise<string> {
  const claims = { sub: 'arcadia-cli', role: 'platform_admin', tenant_id: null }
  return mintToken(claims, { secret, now: clockOf(config).now(), ttl: TOKEN_TTL })
}
