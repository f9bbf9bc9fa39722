import fastifyHelmet from '@fastify/helmet'
import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import {
  type ConnectionError,
  fastify,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import { maxHeaderSize, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { quoted } from '../kernel/nearest.ts'
import { type Fault, invalidInput, notFound, Problem, problem } from '../kernel/problem.ts'
import { authenticate, type Caller, forbidden, type Role } from './auth.ts'
import type { Clock } from './clock.ts'
import type { Database } from './db.ts'
import { diskFull, isDiskFull } from './disk.ts'
import { faultsOf } from './faults.ts'
import { CENTS_KEYWORD, FORMATS } from './formats.ts'
import { createIdempotency } from './idempotency.ts'
import type { Ids } from './ids.ts'
import type { Metrics } from './metrics.ts'
import { resolveNames } from './naming.ts'
import { createRouteMap } from './route-map.ts'
import { createValidator } from './validate.ts'
import { serveProgress } from './progress.ts'
import { Query } from './wire.ts'

/** What contexts register their routes on. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export type { FastifyRequest as Request } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. A route without it is refused at start; `[]` needs no token. */
    access?: readonly Role[]
  }
  interface FastifyRequest {
    caller: Caller | null
  }
}

const malformed = problem({ code: 'request/malformed', status: 400, title: 'The request cannot be read' })
const tooLarge = problem({ code: 'request/too-large', status: 413, title: 'The request is too large' })
const headersTooLarge = problem({
  code: 'request/headers-too-large',
  status: 431,
  title: 'The headers of the request are too large',
})
const timedOut = problem({
  code: 'request/timed-out',
  status: 408,
  title: 'The request did not come to its end in time',
})
const unsupportedMediaType = problem({
  code: 'request/unsupported-media-type',
  status: 415,
  title: 'This kind of body is not understood here',
})
const methodNotAllowed = problem({
  code: 'request/method-not-allowed',
  status: 405,
  title: 'The path does not take this method',
})
const internal = problem({ code: 'internal', status: 500, title: 'Something went wrong on our side' })

const BODY_LIMIT_BYTES = 8 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 120_000
const API_VERSION = '1'
const FAULTS_MAX = 100
/** What proxies add to the calls that they pass on. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip']

export type HttpOptions = {
  db: Database
  clock: Clock
  ids: Ids
  log: Logger
  metrics: Metrics
  jwt_secret: string
  metrics_open: boolean
  /** Throws a Problem that says why the program cannot do its work. */
  ready: () => Promise<void>
  routes: readonly ((app: App) => void)[]
}

export async function createHttp(options: HttpOptions): Promise<App> {
  const logger: FastifyBaseLogger = options.log
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Schemas of requests come back in answers.
    serializerOpts: { ajv: { formats: FORMATS } },
    // What the router refuses before there is a route: a path that cannot be decoded, or is too long.
    frameworkErrors: (error, request, reply) => sendProblem(reply, problemOf(error, request)),
    clientErrorHandler: refuseUnreadable,
    // A caller's own id is kept, so that both sides find the same call in their logs.
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : options.ids.uuid()
    },
  }).withTypeProvider<TypeBoxTypeProvider>() as App

  app.decorateRequest('caller', null)
  app.removeContentTypeParser('text/plain')
  takeNoBody(app)
  await app.register(fastifyHelmet, { global: true, ...SECURITY_HEADERS })
  await app.register(fastifySwagger, {
    openapi: OPENAPI,
    transform: ({ schema, url }) => ({ schema: withIntegers(schema) as typeof schema, url }),
  })
  await app.register(fastifySwaggerUi, { routePrefix: '/docs', indexPrefix: '', staticCSP: DOCS_POLICY })
  validateStrictly(app)
  refuseUnknownQueries(app)
  writePlainly(app)
  answerProblems(app)
  // Before the guard, so that a refused call has a request id too.
  observe(app, options)
  guard(app, options)
  letGo(app)
  serveProgress(app)
  serveOperations(app, options)
  await app.register(
    async (api) => {
      for (const register of options.routes) register(api)
    },
    { prefix: '/api/v1' },
  )
  await app.ready()
  return app
}

const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'arcadia-cloud',
    version: API_VERSION,
    description:
      'Provider bills, tenant invoices and the margin between them. The examples of the bodies belong to one company. ' +
      'In them `{boab~shop}` stands for the `id` of the deployment `shop` of the tenant `boab`, as GET /deployments tells it.',
  },
  components: {
    securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer', bearerFormat: 'JWT' } },
  },
  security: [{ bearer: [] }],
}

/** Amounts have no type for the serializer; for readers of the document they have. */
function withIntegers(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withIntegers)
  if (schema === null || typeof schema !== 'object') return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, withIntegers(part)]))
  if (inside[CENTS_KEYWORD] !== true) return inside
  const { [CENTS_KEYWORD]: _marked, ...described } = inside
  return { type: 'integer', ...described }
}

const NOTHING = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}
/**
 * An answer of the API is data: nothing of it is run, framed or guessed at. Encryption ends before this program, so what
 * a browser must remember of it is said there.
 */
const SECURITY_HEADERS = {
  contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' as const },
}
/** The pages of the documentation load what this server serves, and call it. */
const DOCS_POLICY = {
  ...NOTHING,
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
}

/** Query strings arrive as text; only there is `"50"` read as 50. */
function validateStrictly(app: App): void {
  const strict = createValidator({ coerceTypes: false })
  const lenient = createValidator({ coerceTypes: true })
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'querystring' ? lenient : strict)(schema as object))
}

/** A route without a query takes none: ignored, a `?preview=true` would carry out what was to be shown only. */
function refuseUnknownQueries(app: App): void {
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/')) route.schema = { querystring: NO_QUERY, ...route.schema }
  })
}

const NO_QUERY = Query({})

function guard(app: App, { jwt_secret, clock, db, ids }: HttpOptions): void {
  const idempotency = createIdempotency({ db, clock, ids })
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/') && route.config?.access === undefined && route.method !== 'HEAD') {
      throw new Error(`route ${String(route.method)} ${route.url} does not say who may call it`)
    }
  })
  app.addHook('onRequest', async (request) => {
    const access = request.routeOptions.config.access ?? []
    if (access.length === 0) return
    request.caller = await authenticate(request.headers.authorization, jwt_secret, clock)
    if (!access.some((role) => request.caller?.roles.has(role))) {
      throw forbidden(`This call needs one of the roles: ${access.join(', ')}.`)
    }
  })
  resolveNames(app, db)
  app.addHook('preHandler', idempotency.begin)
  app.addHook('onSend', idempotency.end)
}

/** Times leave as text, big integers as JSON integers. */
function writePlainly(app: App): void {
  app.addHook('preSerialization', async (_request, _reply, payload: unknown) => plainValue(payload))
}

function plainValue(value: unknown): unknown {
  if (value instanceof Temporal.Instant || value instanceof Temporal.PlainDate) return value.toString()
  if (typeof value === 'bigint') return plainInteger(value)
  if (Array.isArray(value)) return value.map(plainValue)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plainValue(item)]))
  }
  return value
}

/** A safe integer is just as exact as a number; what is larger is written digit by digit. */
function plainInteger(value: bigint): unknown {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(value.toString())
}

/** Some clients name a type with every call, also with one that has no body. */
function takeNoBody(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '' && request.routeOptions.schema?.body === undefined) done(null)
    else void parse(request, body, done)
  })
}

function answerProblems(app: App): void {
  const map = createRouteMap(app)
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?')
    const methods = map.methodsAt(path)
    if (methods.length > 0) {
      void reply.header('allow', methods.join(', '))
      sendProblem(reply, methodNotAllowed(`${path} takes ${methods.join(', ')}, not ${request.method}.`))
      return
    }
    const near = map.nearestTo(path)
    const hint = near === undefined ? 'See /docs for what there is.' : `Did you mean ${near}?`
    sendProblem(reply, notFound(`There is nothing at ${request.method} ${path}. ${hint}`))
  })
  app.setErrorHandler((error: FastifyError | Problem, request, reply) => {
    const refused = problemOf(error, request)
    const { code, status } = refused
    if (refused === error && status >= 500) request.log.warn({ code }, 'request refused')
    else if (status >= 500) request.log.error({ err: error }, 'request failed')
    sendProblem(reply, refused)
  })
}

function sendProblem(reply: FastifyReply, refused: Problem): void {
  if (refused.status === 401) void reply.header('www-authenticate', 'Bearer')
  const { retry_after_s } = refused.kind
  if (retry_after_s !== undefined) void reply.header('retry-after', retry_after_s)
  void reply
    .code(refused.status)
    .type('application/problem+json')
    .serializer((body) => JSON.stringify(body))
    .send({ ...refused.toJSON() })
}

/** What is no request to the parser of HTTP: there is no route, and no reply but what is written to the connection. */
function refuseUnreadable({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const refused = unreadable(code)
  const body = JSON.stringify(refused)
  const head = [
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function unreadable(code: string): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return headersTooLarge(`All headers together may have ${maxHeaderSize} bytes.`)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return timedOut(`The whole request must be there within ${REQUEST_TIMEOUT_MS / 1_000} seconds.`)
  return malformed('What came is not a request in HTTP/1.1.')
}

/** Text that PostgreSQL cannot hold: NUL, or half of a surrogate pair. */
const UNSTORABLE_TEXT = new Set(['22021', '22P05'])

function problemOf(error: FastifyError | Problem, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error
  if (isDiskFull(error)) return diskFull('The disk that uploads are kept on is full. Nothing was stored. Make room.')
  if (UNSTORABLE_TEXT.has(error.code))
    return invalidInput('A text holds a character that cannot be stored (NUL or a lone surrogate).')
  if (error.validation) {
    const part = error.validationContext ?? 'request'
    const faults = faultsOf(error.validation, part === 'querystring' ? { name: 'parameter' } : {}).slice(0, FAULTS_MAX)
    // A path that cannot name anything names nothing.
    return part === 'params' ? nothingNamed(faults) : invalidInput(`The ${part} is not valid.`, faults)
  }
  switch (error.statusCode ?? 500) {
    case 400:
    // What the files of the documentation are asked for under a condition, or in parts that they do not have.
    case 412:
    case 416:
      return malformed(MALFORMED[error.code] ?? error.message)
    // A path that the documentation does not serve, or that is longer than any of ours.
    case 403:
    case 414:
      return notFound('There is nothing at this path.')
    case 413:
      return tooLarge(error.message)
    // What the multipart reader says of a body that is none.
    case 406:
    case 415:
      return unsupportedMediaType(
        `Found ${quoted(request.headers['content-type'] ?? '')}; understood here: ${mediaTypesOf(request).join(', ')}.`,
      )
    default:
      return internal('The error has been logged under this request id.')
  }
}

const AN_OBJECT = 'Send JSON with Content-Type: application/json, such as {"name": "value"}.'
/** What a body that cannot be parsed is told, by the framework's code. */
const MALFORMED: Readonly<Record<string, string>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: `The body is empty. ${AN_OBJECT}`,
  FST_ERR_CTP_INVALID_JSON_BODY: `The body is not JSON. ${AN_OBJECT}`,
}

function nothingNamed(faults: readonly Fault[]): Problem {
  const places = faults.map((fault) => ('path' in fault ? `${fault.path} ${fault.message}` : fault.message))
  return notFound(`Nothing has this path: ${places.join('; ')}.`)
}

/** The kinds of body that a route says it takes. */
function mediaTypesOf({ routeOptions }: FastifyRequest): string[] {
  const body = routeOptions.schema?.body as { content?: object } | undefined
  return Object.keys(body?.content ?? { 'application/json': body })
}

function observe(app: App, { metrics }: HttpOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    metrics.requestFinished({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1_000)
    if (PROBES.has(route) && reply.statusCode < 400) return
    request.log.info(
      {
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        sub: request.caller?.sub,
        tenant_id: request.caller?.tenant_id,
      },
      'request',
    )
  })
}

/** Asked every few seconds by the machines around the program: a line each would hide the others. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

/** A connection that is kept alive would hold up the end of the program: the last answers say that it closes. */
function letGo(app: App): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) void reply.header('connection', 'close')
  })
}

/** What the machines around the program ask for; none of it needs a token. */
function serveOperations(app: App, { ready, metrics, metrics_open }: HttpOptions): void {
  app.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }))
  app.get('/readyz', { schema: { hide: true } }, async () => {
    await ready()
    return { status: 'ready' }
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (!metrics_open && !isFromHere(request)) throw notFound('Metrics are served to this machine only.')
    const { content_type, body } = await metrics.text()
    return reply.type(content_type).send(body)
  })
}

/** A proxy on this machine calls from here too, but says whom for. */
function isFromHere(request: FastifyRequest): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false
  const address = request.ip.replace(/^::ffff:/, '')
  return address === '::1' || address.startsWith('127.')
}
