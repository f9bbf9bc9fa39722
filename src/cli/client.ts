import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { messageOf } from '../kernel/invariant.ts'
import { Problem, problem } from '../kernel/problem.ts'
import { parseJson } from '../platform/json.ts'

export const unreachable = problem({
  code: 'cli/server-unreachable',
  status: 503,
  title: 'The server does not answer',
})

const LIST_LIMIT = 200
/** What a refusal may be read of, should it be none of ours. */
const SHOWN_MAX_CHARACTERS = 200

type Headers = Readonly<Record<string, string>>
export type Answer<T> = { readonly data: T; readonly next_cursor?: string | null }

/** The public API as any other program sees it; paths are below /api/v1. A refusal is thrown as the Problem that it is. */
export type Client = {
  get<T>(path: string, headers?: Headers): Promise<T>
  /** Every page of a list. */
  list<T>(path: string): Promise<T[]>
  post<T>(path: string, body: unknown, headers?: Headers): Promise<T>
  /** Like post, but what exists already is fine. Says whether it is new. */
  ensure(path: string, body: unknown): Promise<boolean>
  /** The whole answer to a form with files. */
  send<T>(path: string, form: FormData, headers?: Headers): Promise<T>
  /** The body as it comes in; breaks off with an error where the answer does. */
  download(path: string): Promise<Readable>
}

/** Answers may take as long as they take: a month of many tenants is one call. */
export function createClient({ url, token }: { url: string; token: string }): Client {
  const call = async (method: string, path: string, body: Body = {}): Promise<IncomingMessage> => {
    const response = await exchange(`${url}/api/v1${path}`, { method, token, ...body })
    if ((response.statusCode ?? 0) >= 400) throw refusalOf(await text(response), response)
    return response
  }
  const read = async <T>(...args: Parameters<typeof call>): Promise<T> =>
    parseJson(await text(await call(...args))) as T
  const post = async <T>(path: string, body: unknown, headers: Headers = {}): Promise<T> => {
    const sent = { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
    return (await read<Answer<T>>('POST', path, sent)).data
  }
  const list = async <T>(path: string): Promise<T[]> => {
    const all: T[] = []
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page: Answer<T[]> = await read('GET', withQuery(path, { limit: String(LIST_LIMIT), cursor }))
      all.push(...page.data)
      cursor = page.next_cursor ?? null
    }
    return all
  }
  return {
    get: async <T>(path: string, headers: Headers = {}) => (await read<Answer<T>>('GET', path, { headers })).data,
    list,
    post,
    ensure: async (path, body) => {
      try {
        await post(path, body)
        return true
      } catch (error) {
        if (error instanceof Problem && /\/(\w+-)?exists$/.test(error.code)) return false
        throw error
      }
    },
    send: (path, form, headers = {}) => {
      const encoded = new Response(form)
      const content_type = encoded.headers.get('content-type') ?? ''
      return read('POST', path, { body: encoded.body, headers: { 'content-type': content_type, ...headers } })
    },
    download: (path) => call('GET', path),
  }
}

/** A path with the parameters that have a value. */
export function withQuery(path: string, query: Readonly<Record<string, string | null | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  if (given.length === 0) return path
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(given).toString()}`
}

type Body = { readonly body?: string | Response['body']; readonly headers?: Headers }

async function exchange(
  url: string,
  { method, token, body, headers = {} }: Body & { method: string; token: string },
): Promise<IncomingMessage> {
  const request = url.startsWith('https:') ? overHttps : overHttp
  const sending = request(url, { method, headers: { authorization: `Bearer ${token}`, ...headers } })
  const answered = once(sending, 'response') as Promise<[IncomingMessage]>
  try {
    // A server that refuses early may close before it has read all; then its answer counts.
    const sent = sendBody(sending, body).catch(() => {})
    const [response] = await answered
    void sent
    return response
  } catch (error) {
    throw unreachable(`${new URL(url).origin} does not answer: ${messageOf(error)}. Is it the server's address?`)
  }
}

async function sendBody(sending: ClientRequest, body: Body['body']): Promise<void> {
  if (body === undefined || body === null || typeof body === 'string') sending.end(body ?? undefined)
  else await pipeline(Readable.fromWeb(body), sending)
}

function refusalOf(answer: string, { statusCode: status = 0 }: IncomingMessage): Problem {
  try {
    const { code, title, detail, errors } = JSON.parse(answer) as ReturnType<Problem['toJSON']>
    if (typeof code === 'string') return new Problem({ code, status, title }, detail, errors)
  } catch {
    // Falls through: it is no answer of ours.
  }
  return unreachable(
    `The address answers ${status}, and not as an arcadia server: ${answer.slice(0, SHOWN_MAX_CHARACTERS)}`,
  )
}
