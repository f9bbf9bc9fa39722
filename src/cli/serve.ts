import closeWithGrace from 'close-with-grace'
import { type Application, openApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { createLog } from '../platform/log.ts'
import { invalidInput } from '../kernel/problem.ts'

/** Requests and jobs that are under way get this long to finish. */
const SHUTDOWN_TIMEOUT_MS = 35_000

export async function runServe(options: { jobs: boolean }): Promise<void> {
  const config = loadConfig()
  const log = createLog(config.log_level)
  const app = await openApp(config, log)
  stopGracefully(app)
  const url = await listen(app)
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

/** Binds all addresses, IPv4 and IPv6. Returns the address for this machine. */
export async function listen(app: Application, port = app.config.port): Promise<string> {
  try {
    await app.http.listen({ port, host: '::' })
  } catch (error) {
    await app.close()
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error
    throw invalidInput(`Port ${port} is in use. Stop what uses it, or set PORT to another one (0 picks a free one).`)
  }
  const address = app.http.server.address()
  return `http://localhost:${typeof address === 'object' && address ? address.port : port}`
}

/** On SIGTERM and SIGINT: finish what is under way, then exit 0. */
export function stopGracefully(app: Application, after: () => Promise<void> = async () => {}): void {
  closeWithGrace({ delay: SHUTDOWN_TIMEOUT_MS, logger: false }, async ({ err }) => {
    if (err) app.edge.log.fatal({ err }, 'stopping after an error')
    await app.close()
    await after()
  })
}
