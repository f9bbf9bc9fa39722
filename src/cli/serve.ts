import closeWithGrace from 'close-with-grace'
import { type Application, openApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { invalidInput } from '../kernel/problem.ts'
import type { App } from '../platform/http.ts'
import { createLog } from '../platform/log.ts'

/** Requests and jobs that are under way get this long to finish. */
const SHUTDOWN_TIMEOUT_MS = 35_000

export async function runServe(options: { jobs: boolean }): Promise<void> {
  const config = loadConfig()
  const log = createLog(config.log_level)
  const app = await openApp(config, log)
  stopGracefully(app)
  const url = await listenOrClose(app)
  if (options.jobs) await app.jobs.work()
  log.info({ url, docs: `${url}/docs`, jobs: options.jobs, database: config.database.kind }, 'arcadia is ready')
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
  stopGracefully(app)
  await app.jobs.work()
  log.info({}, 'arcadia is working')
}

async function listenOrClose(app: Application): Promise<string> {
  try {
    return await listen(app)
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Listens on every address of the machine. Returns the one for this machine itself. */
export async function listen(app: Application): Promise<string> {
  const { port } = app.config
  const http = await app.http()
  try {
    await bindAll(http, port)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error
    throw invalidInput(`Port ${port} is in use. Stop what uses it, or set PORT to another one (0 picks a free one).`)
  }
  const address = http.server.address()
  return `http://localhost:${typeof address === 'object' && address ? address.port : port}`
}

/** IPv4 and IPv6, or IPv4 alone where the machine has no other. */
async function bindAll(http: App, port: number): Promise<void> {
  try {
    await http.listen({ port, host: '::' })
  } catch (error) {
    if (!NO_IPV6.has(codeOf(error))) throw error
    await http.listen({ port, host: '0.0.0.0' })
  }
}

const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** On SIGTERM and SIGINT: finish what is under way, then exit 0. */
export function stopGracefully(app: Application, after: () => Promise<void> = async () => {}): void {
  closeWithGrace({ delay: SHUTDOWN_TIMEOUT_MS, logger: false }, async ({ err }) => {
    if (err) app.edge.log.fatal({ err }, 'stopping after an error')
    await app.close()
    await after()
  })
}
