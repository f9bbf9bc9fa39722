import { abnFault } from './kernel/abn.ts'
import { nearest } from './kernel/nearest.ts'
import { YEAR_PATTERN, YEARS_TAKEN } from './kernel/period.ts'
import { invalidInput, type Fault } from './kernel/problem.ts'

export type Config = {
  /** Where the API listens: an address of this machine, or all of them. */
  readonly host: string
  readonly port: number
  readonly log_level: string
  /** The server whose books commands work on, where these are not the program's own. */
  readonly remote: { readonly url: string; readonly token: string } | null
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

/** HS256 asks for as many bytes (RFC 7518, 3.2). */
export const SECRET_MIN_CHARS = 32
const WEAK_SECRET = `too short: at least ${SECRET_MIN_CHARS} characters, or tokens can be forged. Make one: openssl rand -hex 32`
const THIS_MACHINE = '127.0.0.1'
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Environment → one frozen object. Every mistake is named at once; nothing else reads the environment. */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: Fault[] = []
  const refuse = (path: string, message: string): void => void faults.push({ path, message })
  const known = new Set<string>()
  const text = (name: string): string | null => {
    known.add(name)
    return env[name]?.trim() || null
  }
  /** A name and the one that it had before, which is still read: what is set, under the name it was found by. */
  const either = <T>(name: string, before: string, otherwise: T): [string, string | T] => {
    const [now, then] = [text(name), text(before)]
    return now === null && then !== null ? [before, then] : [name, now ?? otherwise]
  }

  const database = databaseOf(text('DATABASE_URL'), text('ARCADIA_DATA_DIR') ?? './data', refuse)
  const jwt_secret = secretOf('ARCADIA_JWT_SECRET', text('ARCADIA_JWT_SECRET'), refuse)
  if (database.kind === 'postgres' && jwt_secret === null) {
    refuse('ARCADIA_JWT_SECRET', 'required with DATABASE_URL, so that every process checks tokens with the same secret')
  }
  if (jwt_secret !== null && jwt_secret.length < SECRET_MIN_CHARS) refuse('ARCADIA_JWT_SECRET', WEAK_SECRET)
  const log_level = text('ARCADIA_LOG_LEVEL') ?? 'info'
  if (!LOG_LEVELS.includes(log_level)) refuse('ARCADIA_LOG_LEVEL', `one of ${LOG_LEVELS.join(', ')}`)

  const config: Config = {
    host: text('HOST') ?? THIS_MACHINE,
    port: portOf(text('PORT') ?? '4000', refuse),
    log_level,
    remote: remoteOf(text('ARCADIA_URL'), text('ARCADIA_TOKEN'), refuse),
    database,
    data_dir: text('ARCADIA_DATA_DIR') ?? './data',
    jwt_secret,
    metrics_open: flagOf('ARCADIA_METRICS_OPEN', text('ARCADIA_METRICS_OPEN') ?? 'false', refuse),
    digitalocean: {
      token: tokenOf('DIGITALOCEAN_TOKEN', text('DIGITALOCEAN_TOKEN'), refuse),
      api_url: urlOf('DIGITALOCEAN_API_URL', text('DIGITALOCEAN_API_URL') ?? 'https://api.digitalocean.com', refuse),
    },
    finance: {
      url: urlOf(...either('FINANCE_URL', 'SKYAI_FINANCE_URL', 'http://localhost:4010'), refuse),
      jwt_secret: secretOf(...either('FINANCE_JWT_SECRET', 'SKYAI_FINANCE_JWT_SECRET', null), refuse),
    },
    seller: {
      legal_name: text('ARCADIA_SELLER_LEGAL_NAME') ?? 'Seller not configured (set ARCADIA_SELLER_LEGAL_NAME)',
      abn: abnOf(text('ARCADIA_SELLER_ABN'), refuse),
      address: text('ARCADIA_SELLER_ADDRESS'),
    },
    now: instantOf(text('ARCADIA_NOW'), refuse),
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith(PREFIX) && env[name]?.trim() && !known.has(name)) refuse(name, unknownName(name, known))
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

const PREFIX = 'ARCADIA_'
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

/** What a header carries. The value is never shown. */
function tokenOf(name: string, text: string | null, refuse: Refuse): string | null {
  if (text !== null && isPlaceholder(text)) refuse(name, NOT_FILLED_IN)
  else if (text !== null && /[^\x21-\x7e]/.test(text)) {
    refuse(name, 'not a token: it has a blank, or a character that is not ASCII. Copy it again')
  }
  return text
}

function remoteOf(url: string | null, token: string | null, refuse: Refuse): Config['remote'] {
  if (url === null) return null
  if (token === null)
    refuse('ARCADIA_TOKEN', 'required with ARCADIA_URL: `arcadia token --role platform_admin` makes one there')
  if (/\/api\/v1\/*$/.test(url))
    refuse('ARCADIA_URL', "the server's address, without /api/v1, such as http://127.0.0.1:4000")
  return { url: urlOf('ARCADIA_URL', url, refuse), token: tokenOf('ARCADIA_TOKEN', token, refuse) ?? '' }
}

function secretOf(name: string, text: string | null, refuse: Refuse): string | null {
  if (text !== null && isPlaceholder(text)) refuse(name, NOT_FILLED_IN)
  return text
}

const NOT_FILLED_IN = 'not a token: the dots of the example stand for your own'

function isPlaceholder(text: string): boolean {
  return /…|\.\.\.|^<.*>$/.test(text)
}

function unknownName(name: string, known: ReadonlySet<string>): string {
  const bare = name.slice(PREFIX.length)
  if (known.has(bare)) return `no such variable. Did you mean ${bare}?`
  const { candidate, edits } = nearest(name, [...known])
  return `no such variable${edits > MISTYPED_MAX_EDITS ? ': see docs/configuration.md' : `. Did you mean ${candidate}?`}`
}

/** What differs in more is no mistyping. */
const MISTYPED_MAX_EDITS = 5

const IN_OUR_YEARS = new RegExp(`^${YEAR_PATTERN}-`)

function instantOf(text: string | null, refuse: Refuse): Temporal.Instant | null {
  if (text === null) return null
  try {
    if (IN_OUR_YEARS.test(text)) return Temporal.Instant.from(text)
  } catch {
    // Falls through to the refusal.
  }
  refuse('ARCADIA_NOW', `an RFC 3339 time such as 2026-05-01T03:00:00Z, ${YEARS_TAKEN}`)
  return null
}
