import { type TSchema, Type } from 'typebox'
import { notFound } from '../kernel/problem.ts'
import { type Caller, scopeOf } from './auth.ts'
import type { Reader } from './db.ts'
import type { App } from './http.ts'
import { ID_PATTERN } from './wire.ts'

/** Objects may be named by words of their own wherever a path or a filter takes their id. */

/** The id of what has these words for a name, if `scope` (the only tenant that may be seen; null: all) has it. */
export type FindByName = (reader: Reader, words: string, scope: string | null) => Promise<string | undefined>

type Names = {
  /** As a refusal calls it. */
  what: string
  /** Of the words, without its ends. */
  pattern: string
  expected: string
  description: string
  example: string
  find: FindByName
}

const NAMES = Symbol('names')
type Named = { readonly [NAMES]?: Names }

/** An id, or the words that `find` finds it by: what a handler gets is always the id. */
export const IdOrName = (names: Names) =>
  Type.Unsafe<string>({
    type: 'string',
    pattern: `(?:${ID_PATTERN})|^(?:${names.pattern})$`,
    expected: names.expected,
    description: names.description,
    examples: [names.example],
    [NAMES]: names,
  })

const ID = new RegExp(ID_PATTERN)

/** Puts the id in the place of the words, after the schemas have been seen to and before the handler. */
export function resolveNames(app: App, { read }: { read: Reader }): void {
  app.addHook('preHandler', async (request) => {
    const { params, querystring } = request.routeOptions.schema ?? {}
    for (const [schema, given] of [
      [params, request.params],
      [querystring, request.query],
    ]) {
      const fields = given as Record<string, string>
      for (const [field, names] of namesIn(schema)) {
        const words = fields[field]
        if (words !== undefined) fields[field] = await idOf(words, { names, read, caller: request.caller })
      }
    }
  })
}

function namesIn(schema: unknown): [string, Names][] {
  const { properties = {} } = (schema ?? {}) as { properties?: Record<string, TSchema & Named> }
  return Object.entries(properties).flatMap(([field, part]): [string, Names][] =>
    part[NAMES] === undefined ? [] : [[field, part[NAMES]]],
  )
}

/** The same answer for what does not exist and for what is not the caller's. */
async function idOf(
  words: string,
  { names: { what, find }, read, caller }: { names: Names; read: Reader; caller: Caller | null },
): Promise<string> {
  if (ID.test(words)) return words.toLowerCase()
  const id = await find(read, words, caller === null ? null : scopeOf(caller))
  if (id === undefined) throw notFound(`No such ${what}: ${words}.`)
  return id
}
