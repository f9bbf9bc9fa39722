import ky, { type KyInstance, isHTTPError, isNetworkError, isTimeoutError } from 'ky'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { present } from '../kernel/invariant.ts'
import { stringifyJson } from './json.ts'

const TIMEOUT_MS = 30_000
const MAX_RETRIES = 4
const BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000
const MAX_RETRY_AFTER_MS = 60_000
/** Of an answer, unpacked: more than the longest bill in one piece. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

const TOO_MANY_REQUESTS = 429
const SERVICE_UNAVAILABLE = 503
const SERVER_ERRORS = Array.from({ length: 100 }, (_, index) => 500 + index)

export type OutboundOptions = {
  /** Scheme, host and perhaps a path that every request path is put behind. */
  base_url: string
  /** Sent with every call; a function is asked once per call, so that it can mint a token. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)
  /** For one attempt, up to the last byte of the body. */
  timeout_ms?: number
  max_retries?: number
  /** The first pause; it doubles with every retry and is then shortened at random. */
  backoff_ms?: number
  /** A longer `retry-after` is cut to this. */
  max_retry_after_ms?: number
  /** Of an answer, unpacked. No more of it is read. */
  max_answer_bytes?: number
  fetch?: typeof fetch
}

export type OutboundResponse<T> = { status: number; headers: Headers; body: T }

export type Query = Record<string, string | number>

/**
 * A client of one outside system. Paths are relative to its base URL and cannot leave it; redirects are failures.
 * Network errors, time-outs, 429, 5xx and answers that do not match `schema` are tried again, within bounds.
 * Everything that fails does so as an OutboundError.
 */
export type Outbound = {
  getJson<Schema extends TSchema>(
    path: string,
    schema: Schema,
    call?: { query?: Query },
  ): Promise<OutboundResponse<Static<Schema>>>
  getText(path: string, call?: { query?: Query }): Promise<OutboundResponse<string>>
  /** Sends a bigint as a JSON integer. Tried again only when the caller says that doing it twice is harmless. */
  postJson<Schema extends TSchema>(
    path: string,
    body: unknown,
    schema: Schema,
    call?: { idempotent?: boolean },
  ): Promise<OutboundResponse<Static<Schema>>>
}

export function createOutbound(options: OutboundOptions): Outbound {
  const transport: Transport = {
    client: createClient(options),
    headers: options.headers ?? {},
    fetch: options.fetch ?? fetch,
    max_retries: options.max_retries ?? MAX_RETRIES,
    max_answer_bytes: options.max_answer_bytes ?? MAX_ANSWER_BYTES,
  }
  return {
    getJson: (path, schema, { query = {} } = {}) =>
      send(transport, { method: 'GET', path, query, retried: true, read: (text) => readJson(text, schema) }),
    getText: (path, { query = {} } = {}) =>
      send(transport, { method: 'GET', path, query, retried: true, read: (text) => text }),
    postJson: (path, body, schema, { idempotent = false } = {}) =>
      send(transport, {
        method: 'POST',
        path,
        query: {},
        json: body,
        retried: idempotent,
        read: (text) => readJson(text, schema),
      }),
  }
}

export type OutboundFailure = {
  /**
   * `http`: a status other than 2xx. `invalid_response`: a 2xx whose body is cut short or of another shape. `too_large`:
   * a body beyond `max_answer_bytes`, which is not asked for again.
   */
  reason: 'timeout' | 'network' | 'http' | 'invalid_response' | 'too_large'
  status: number | null
  /** The other side's `x-request-id`, to quote in a support request. */
  request_id: string | null
  method: string
  /** Without the query, which may hold a secret. */
  path: string
  attempts: number
}

/**
 * A call that failed for good. It carries no token, header, query or body, and no `cause` (which would carry the
 * request), so that it may be logged and shown whole.
 */
export class OutboundError extends Error implements OutboundFailure {
  override name = 'OutboundError'
  readonly reason: OutboundFailure['reason']
  readonly status: number | null
  readonly request_id: string | null
  readonly method: string
  readonly path: string
  readonly attempts: number

  constructor(failure: OutboundFailure, detail: string) {
    super(`${failure.method} ${failure.path}: ${detail} (attempts: ${failure.attempts})`)
    this.reason = failure.reason
    this.status = failure.status
    this.request_id = failure.request_id
    this.method = failure.method
    this.path = failure.path
    this.attempts = failure.attempts
  }
}

type Transport = {
  client: KyInstance
  headers: NonNullable<OutboundOptions['headers']>
  fetch: typeof fetch
  max_retries: number
  max_answer_bytes: number
}

type Call<T> = {
  method: 'GET' | 'POST'
  path: string
  query: Query
  json?: unknown
  retried: boolean
  /** Throws UnusableBody. */
  read: (text: string) => T
}

type Progress<T> = { attempts: number; answer: OutboundResponse<T> | null }

function createClient(options: OutboundOptions): KyInstance {
  const { backoff_ms = BACKOFF_MS } = options
  return ky.create({
    // Unlike `baseUrl`, `prefix` cannot be overruled by an absolute path, which would send the token elsewhere.
    prefix: options.base_url,
    redirect: 'manual',
    timeout: options.timeout_ms ?? TIMEOUT_MS,
    stringifyJson: (body) => stringifyJson(body),
    retry: {
      methods: ['get', 'post'],
      statusCodes: [TOO_MANY_REQUESTS, ...SERVER_ERRORS],
      afterStatusCodes: [TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE],
      maxRetryAfter: options.max_retry_after_ms ?? MAX_RETRY_AFTER_MS,
      delay: (retry) => backoff_ms * 2 ** (retry - 1),
      backoffLimit: MAX_BACKOFF_MS,
      jitter: true,
      retryOnTimeout: true,
      shouldRetry: ({ error }) => (error instanceof OutboundError ? error.reason !== 'too_large' : undefined),
    },
  })
}

async function send<T>(transport: Transport, call: Call<T>): Promise<OutboundResponse<T>> {
  const { headers } = transport
  const progress: Progress<T> = { attempts: 0, answer: null }
  const request = {
    method: call.method,
    headers: typeof headers === 'function' ? await headers() : headers,
    searchParams: call.query,
    json: call.json,
    retry: { limit: call.retried ? transport.max_retries : 0 },
    fetch: (...request: Parameters<typeof fetch>) => attempt(transport, transport.fetch(...request), call, progress),
  }
  try {
    await transport.client(call.path, request)
  } catch (error) {
    throw outboundError(error, call, progress)
  }
  return present(progress.answer, 'a call that did not fail has an answer')
}

/**
 * The body is read and checked here, inside what the client takes for `fetch`, so that a body that stalls or stops
 * half-way falls under the same time-out and the same retries as a request that got no answer.
 */
async function attempt<T>(
  { max_answer_bytes }: Transport,
  pending: Promise<Response>,
  call: Call<T>,
  progress: Progress<T>,
): Promise<Response> {
  progress.attempts += 1
  const response = await pending
  const text = await readText(response, max_answer_bytes)
  if (text === null) {
    const detail = `the answer is longer than ${max_answer_bytes} bytes`
    throw new OutboundError(failure('too_large', response, call, progress), detail)
  }
  const { status, headers } = response
  if (response.ok) progress.answer = { status, headers, body: readBody(text, response, call, progress) }
  return new Response(null, { status, headers })
}

/** The body, unpacked; null as soon as it is too long, however little of it came over the network. */
async function readText({ body }: Response, max_bytes: number): Promise<string | null> {
  if (body === null) return ''
  const decoder = new TextDecoder()
  const parts: string[] = []
  let size_bytes = 0
  for await (const chunk of body) {
    size_bytes += chunk.length
    if (size_bytes > max_bytes) return null
    parts.push(decoder.decode(chunk, { stream: true }))
  }
  return parts.join('') + decoder.decode()
}

function readBody<T>(text: string, response: Response, call: Call<T>, progress: Progress<T>): T {
  try {
    return call.read(text)
  } catch (error) {
    if (!(error instanceof UnusableBody)) throw error
    throw new OutboundError(failure('invalid_response', response, call, progress), error.message)
  }
}

class UnusableBody extends Error {
  override name = 'UnusableBody'
}

function readJson<Schema extends TSchema>(text: string, schema: Schema): Static<Schema> {
  const body = parseJson(text)
  if (Value.Check(schema, body)) return body
  const [first] = Value.Errors(schema, body)
  throw new UnusableBody(`the answer is wrong at ${first?.instancePath || '/'}: ${first?.keyword ?? 'shape'}`)
}

function parseJson(text: string): unknown {
  try {
    return UNSTORABLE.test(text) ? JSON.parse(text, storable) : JSON.parse(text)
  } catch {
    throw new UnusableBody('the answer is not JSON')
  }
}

/** NUL and halves of surrogate pairs, as JSON spells them: no database keeps them as text. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/i
const REPLACEMENT = '\uFFFD'

/** What cannot be stored is replaced, so that one odd text does not cost all that came with it. */
function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', REPLACEMENT) : value
}

/** What the client threw, as an OutboundError; a bug stays what it is. */
function outboundError<T>(error: unknown, call: Call<T>, progress: Progress<T>): unknown {
  if (isHTTPError(error)) {
    const { response } = error
    return new OutboundError(failure('http', response, call, progress), `status ${response.status}`)
  }
  if (isTimeoutError(error)) return new OutboundError(failure('timeout', null, call, progress), 'timed out')
  if (isNetworkError(error)) {
    return new OutboundError(failure('network', null, call, progress), `no connection${systemCode(error)}`)
  }
  return error
}

function failure<T>(
  reason: OutboundFailure['reason'],
  response: Response | null,
  call: Call<T>,
  progress: Progress<T>,
): OutboundFailure {
  return {
    reason,
    status: response?.status ?? null,
    request_id: response?.headers.get('x-request-id') ?? null,
    method: call.method,
    path: call.path.replace(/[?#].*$/s, ''),
    attempts: progress.attempts,
  }
}

/** ` ECONNREFUSED` and the like, which the runtime keeps in the cause of `fetch failed`. */
function systemCode(error: Error): string {
  const reason = error.cause instanceof Error ? error.cause.cause : undefined
  return reason instanceof Error && 'code' in reason ? `, ${String(reason.code)}` : ''
}
