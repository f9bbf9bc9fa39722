import { abnFault } from './kernel/abn.ts'
import { invalidInput, type Fault } from './kernel/problem.ts'

export type Config = {
  readonly port: number
  readonly log_level: string
  /** Where the books are: a PostgreSQL server, or embedded in a directory, or embedded in memory. */
  readonly database: { kind: 'postgres'; url: string } | { kind: 'embedded'; data_dir: string } | { kind: 'memory' }
  readonly data_dir: string
  /** Unset: embedded databases make one at first start and keep it in the data directory. */
  readonly jwt_secret: string | null
  readonly metrics_open: boolean
  readonly digitalocean: { readonly token: string | null; readonly api_url: string }
  readonly finance: { readonly url: string; readonly jwt_secret: string | null }
  readonly seller: { readonly legal_name: string; readonly abn: string | null; readonly address: string | null }
  readonly now: Temporal.Instant | null
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Environment → one frozen object. Every mistake is named at once; nothing else reads the environment. */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: Fault[] = []
  const refuse = (path: string, message: string): void => void faults.push({ path, message })
  const text = (name: string): string | null => env[name]?.trim() || null

  const database = databaseOf(text('DATABASE_URL'), text('ARCADIA_DATA_DIR') ?? './data', refuse)
  const jwt_secret = text('ARCADIA_JWT_SECRET')
  if (database.kind === 'postgres' && jwt_secret === null) {
    refuse('ARCADIA_JWT_SECRET', 'required with DATABASE_URL, so that every process checks tokens with the same secret')
  }
  const log_level = text('ARCADIA_LOG_LEVEL') ?? 'info'
  if (!LOG_LEVELS.includes(log_level)) refuse('ARCADIA_LOG_LEVEL', `one of ${LOG_LEVELS.join(', ')}`)

  const config: Config = {
    port: portOf(text('PORT') ?? '4000', refuse),
    log_level,
    database,
    data_dir: text('ARCADIA_DATA_DIR') ?? './data',
    jwt_secret,
    metrics_open: flagOf('ARCADIA_METRICS_OPEN', text('ARCADIA_METRICS_OPEN') ?? 'false', refuse),
    digitalocean: {
      token: text('DIGITALOCEAN_TOKEN'),
      api_url: urlOf('DIGITALOCEAN_API_URL', text('DIGITALOCEAN_API_URL') ?? 'https://api.digitalocean.com', refuse),
    },
    finance: {
      url: urlOf('SKYAI_FINANCE_URL', text('SKYAI_FINANCE_URL') ?? 'http://localhost:4010', refuse),
      jwt_secret: text('SKYAI_FINANCE_JWT_SECRET'),
    },
    seller: {
      legal_name: text('ARCADIA_SELLER_LEGAL_NAME') ?? 'Seller not configured (set ARCADIA_SELLER_LEGAL_NAME)',
      abn: abnOf(text('ARCADIA_SELLER_ABN'), refuse),
      address: text('ARCADIA_SELLER_ADDRESS'),
    },
    now: instantOf(text('ARCADIA_NOW'), refuse),
  }
  if (faults.length > 0) throw invalidInput('The environment is not valid.', faults)
  for (const part of Object.values(config)) Object.freeze(part)
  return Object.freeze(config)
}

/** A copy of the process's environment, for callers that override parts of it before loading. */
export function environment(): Record<string, string | undefined> {
  return { ...process.env }
}

type Refuse = (path: string, message: string) => void

const MEMORY_URL = 'memory://'

function databaseOf(url: string | null, data_dir: string, refuse: Refuse): Config['database'] {
  if ((url ?? data_dir) === MEMORY_URL) return { kind: 'memory' }
  if (url === null) return { kind: 'embedded', data_dir }
  if (!/^postgres(ql)?:\/\//.test(url))
    refuse('DATABASE_URL', 'postgres://… or memory://, or unset for the embedded database')
  return { kind: 'postgres', url }
}

function portOf(text: string, refuse: Refuse): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port >= 0 && port <= 65_535)) refuse('PORT', 'a port number from 0 to 65535')
  return port
}

function flagOf(name: string, text: string, refuse: Refuse): boolean {
  if (text !== 'true' && text !== 'false') refuse(name, 'true or false')
  return text === 'true'
}

function urlOf(name: string, text: string, refuse: Refuse): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) refuse(name, 'an http or https URL')
  return text.replace(/\/+$/, '')
}

/** It stands on every tax invoice. */
function abnOf(text: string | null, refuse: Refuse): string | null {
  const fault = text === null ? null : abnFault(text)
  if (fault !== null) refuse('ARCADIA_SELLER_ABN', fault)
  return text
}

function instantOf(text: string | null, refuse: Refuse): Temporal.Instant | null {
  if (text === null) return null
  try {
    return Temporal.Instant.from(text)
  } catch {
    refuse('ARCADIA_NOW', 'an RFC 3339 time such as 2026-05-01T03:00:00Z')
    return null
  }
}
