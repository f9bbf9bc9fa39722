import { Problem, problem } from '../src/kernel/problem.ts'

export const demoRefused = problem({ code: 'demo/refused', status: 502, title: 'The API refused what the demo sent' })

const LIST_LIMIT = 200

/** The public API as any other program sees it. Numbers in answers are minor units and counts, never prices. */
export type Client = {
  get<T>(path: string): Promise<T>
  /** Every page of a list. */
  list<T>(path: string): Promise<T[]>
  post<T>(path: string, body: unknown): Promise<T>
  /** Like post, but what exists already is fine. Says whether it is new. */
  ensure(path: string, body: unknown): Promise<boolean>
}

export function createClient(url: string, token: string): Client {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (!response.ok) {
      const { code, detail, errors } = answer as { code: string; detail: string; errors?: Problem['errors'] }
      throw demoRefused(`${method} ${path}: ${code}: ${detail}`, errors)
    }
    return answer as T
  }
  const post = async <T>(path: string, body: unknown): Promise<T> => (await call<{ data: T }>('POST', path, body)).data
  return {
    get: async <T>(path: string) => (await call<{ data: T }>('GET', path)).data,
    list: async <T>(path: string) => {
      const all: T[] = []
      let cursor: string | null = null
      do {
        const query: string = `${path.includes('?') ? '&' : '?'}limit=${LIST_LIMIT}${cursor === null ? '' : `&cursor=${cursor}`}`
        const page: { data: T[]; next_cursor: string | null } = await call('GET', `${path}${query}`)
        all.push(...page.data)
        cursor = page.next_cursor
      } while (cursor !== null)
      return all
    },
    post,
    ensure: async (path, body) => {
      try {
        await post(path, body)
        return true
      } catch (error) {
        if (error instanceof Problem && /: [\w-]+\/(\w+-)?exists: /.test(error.message)) return false
        throw error
      }
    },
  }
}
