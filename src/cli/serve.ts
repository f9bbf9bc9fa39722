import { once } from 'node:events'
import { createServer } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { openApp } from '../app.ts'
import { type Config, loadConfig } from '../config.ts'
import { invalidInput } from '../kernel/problem.ts'
import { announceServer } from '../platform/data-dir.ts'
import type { App } from '../platform/http.ts'
import { createLog, type Log } from '../platform/log.ts'

/** Requests and jobs that are under way get this long to finish. */
const SHUTDOWN_TIMEOUT_MS = 35_000

export async function runServe(options: { jobs: boolean }): Promise<void> {
  const config = loadConfig()
  const log = createLog(config.log_level)
  await requireFree(config)
  const app = await openApp(config, log)
  try {
    const url = await listen(await app.http(), config)
    if (config.database.kind === 'embedded') await announceServer(config.database.data_dir, url)
    if (options.jobs) await app.jobs.work()
    stopGracefully(log, app.close)
    log.info({ url, docs: `${url}/docs`, jobs: options.jobs, database: config.database.kind }, 'arcadia is ready')
    if (isThisMachine(config.host)) log.info('only this machine can reach it; HOST=0.0.0.0 opens it to others')
  } catch (error) {
    await app.close()
    throw error
  }
}

export async function runWork(): Promise<void> {
  const config = loadConfig()
  if (config.database.kind !== 'postgres') {
    throw invalidInput(
      'The embedded database belongs to one process: `arcadia serve` works on its jobs. Set DATABASE_URL to run workers.',
    )
  }
  const log = createLog(config.log_level)
  const app = await openApp(config, log)
  try {
    await app.jobs.work()
    stopGracefully(log, app.close)
    log.info('arcadia is working')
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Before the books are opened, which takes its time. */
async function requireFree({ host, port }: Place): Promise<void> {
  const server = createServer()
  const listening = once(server, 'listening')
  server.listen({ host, port })
  await listening.catch((error: unknown) => refusePlace({ host, port }, error))
  server.close()
  await once(server, 'close')
}

/** Starts to listen. Returns where this machine finds it. */
export async function listen(http: App, { host, port }: Place): Promise<string> {
  await http.listen({ host, port }).catch((error: unknown) => refusePlace({ host, port }, error))
  const address = http.server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  return `http://${ALL_ADDRESSES.has(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host}:${bound}`
}

const ALL_ADDRESSES = new Set(['0.0.0.0', '::'])

type Place = Pick<Config, 'host' | 'port'>

function refusePlace({ host, port }: Place, error: unknown): never {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      throw invalidInput(`Port ${port} is in use. Stop what uses it, or set PORT to another one (0 picks a free one).`)
    case 'EACCES':
      throw invalidInput(`Port ${port} may not be used by this user. Set PORT to one above 1023.`)
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      throw invalidInput(`${host} is no address of this machine. Set HOST to one of them, or to 0.0.0.0 for all.`)
    default:
      throw error
  }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/**
 * On SIGTERM and SIGINT: finish what is under way, then exit 0. Called once the start has succeeded: an end that nobody
 * asked for would otherwise be one with 0, too.
 */
export function stopGracefully(log: Log, close: () => Promise<void>): void {
  closeWithGrace({ delay: SHUTDOWN_TIMEOUT_MS, logger: false }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'stopping after an error')
    else log.info({ signal }, 'arcadia is stopping; what is under way finishes')
    await close()
    log.info('arcadia has stopped')
  })
}
