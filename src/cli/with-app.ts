import { type Application, openApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { createLog } from '../platform/log.ts'

/** Runs a command on the configured books and closes them again, whatever happens. */
export async function withApp<T>(work: (app: Application) => Promise<T>): Promise<T> {
  const config = loadConfig()
  const app = await openApp(config, createLog(QUIET_LEVEL))
  try {
    return await work(app)
  } finally {
    await app.close()
  }
}

/** A command's output is its report; only trouble is logged beside it. */
const QUIET_LEVEL = 'error'
