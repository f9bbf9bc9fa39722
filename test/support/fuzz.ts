import { createValidator } from '../../src/platform/validate.ts'
import { examplesOf } from './examples.ts'
import type { As } from './http.ts'

/**
 * Calls that people never make, from the API document: mostly what a schema lets in, and here and there what it must not.
 * The same seed makes the same calls.
 */
export type FuzzedCall = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As the document has it, and as it is called. */
  template: string
  path: string
  as: As
  body?: unknown
  headers: Record<string, string>
}

/** `words`: values that the books know, by the name of the field; with none, every call would end at "not found". */
export type FuzzOptions = { document: any; seed: number; words: Words; tenants: readonly string[] }
export type Words = ReadonlyMap<string, readonly string[]>

export function createFuzz({ document, seed, words, tenants }: FuzzOptions): {
  routes: readonly string[]
  next: () => FuzzedCall
} {
  const { below, pick, chance } = createDice(seed)
  const fitting = createFitting()
  /** How much of the present call is hostile; in a part of them nothing is, so that they get far. */
  let hostile = 0

  const text = (schema: any, name: string): string => {
    if (chance(hostile)) return pick(HOSTILE)
    const known = fitting(schema, name, words.get(name) ?? [])
    if (known.length > 0 && chance(0.9)) return pick(known)
    const any = fitting(schema, '', SOME)
    return any.length > 0 ? pick(any) : pick(HOSTILE)
  }
  const integer = ({ minimum = -1e15, maximum = 1e15 }: any): unknown =>
    chance(hostile)
      ? pick<unknown>([minimum - 1, maximum + 1, 0.5, '1', null, 1e308, -1])
      : pick([minimum, maximum, 1, 1, 2, 100].filter((value) => value >= minimum && value <= maximum))
  const object = ({ properties = {}, required = [], ...schema }: any, depth: number): unknown => {
    const made: Record<string, unknown> = {}
    for (const [name, part] of Object.entries(properties)) {
      if (required.includes(name) ? !chance(hostile / 4) : chance(0.3)) made[name] = value(part, name, depth + 1)
    }
    const open = Object.values<any>(schema.patternProperties ?? {})[0]
    if (open !== undefined && chance(0.7)) made[text({}, 'meter')] = value(open, '', depth + 1)
    if (chance(hostile / 4)) made[pick(HOSTILE)] = pick(HOSTILE)
    return made
  }
  const value = (schema: any, name: string, depth = 0): unknown => {
    if (chance(hostile / 4)) return pick<unknown>([null, [], {}, true, 1, ...HOSTILE])
    if (schema.const !== undefined) return schema.const
    if (schema.enum !== undefined) return pick(schema.enum)
    const branches = schema.oneOf ?? schema.anyOf
    if (branches?.[0]?.type !== undefined) return value(pick(branches), name, depth)
    switch ([schema.type].flat()[0]) {
      case 'string':
        return text(schema, name)
      case 'integer':
        return integer(schema)
      case 'boolean':
        return chance(0.5)
      case 'array':
        return Array.from({ length: depth > 6 ? 0 : (schema.minItems ?? 0) + below(3) }, () =>
          value(schema.items, name, depth + 1),
        )
      case 'object':
        return object(schema, depth)
      default:
        return pick<unknown>([null, 1, 'x', {}, [], { a: [{}] }, ...HOSTILE])
    }
  }
  /** An example with what the books know in the place of what they do not, and parts that are wrong. */
  const mutated = (example: unknown, name: string): unknown => {
    if (chance(hostile / 2)) return pick<unknown>([null, -1, {}, ...HOSTILE])
    if (Array.isArray(example)) return example.map((part) => mutated(part, name))
    if (typeof example === 'string') {
      const known = example.startsWith('{') ? 'deployment_id' : name
      return words.has(known) ? text({}, known) : example
    }
    if (example === null || typeof example !== 'object') return example
    return Object.fromEntries(Object.entries(example).map(([name, part]) => [name, mutated(part, name)]))
  }
  const bodyOf = (content: Record<string, any>): Pick<FuzzedCall, 'body' | 'headers'> => {
    const type = pick(Object.keys(content))
    if (chance(hostile)) return { headers: { 'content-type': pick(TYPES) }, body: pick(RAW) }
    if (!type.includes('json')) return { headers: { 'content-type': type }, body: pick(RAW) }
    const examples = examplesOf(content[type])
    const body = examples.length > 0 && chance(0.5) ? mutated(pick(examples), '') : value(content[type].schema, '')
    return { headers: { 'content-type': type }, body: JSON.stringify(body) }
  }
  const encoded = (given: unknown): string => {
    const plain = given !== null && typeof given === 'object' ? JSON.stringify(given) : String(given)
    return plain.isWellFormed() ? encodeURIComponent(plain) : pick(['%ED%A0%80', '%ud800', '%', '\ud800'])
  }

  const operations = Object.entries<any>(document.paths).flatMap(([template, methods]) =>
    Object.entries<any>(methods).map(([method, operation]) => ({
      template,
      method: method.toUpperCase() as FuzzedCall['method'],
      operation,
    })),
  )
  return {
    routes: operations.map(({ method, template }) => `${method} ${template}`),
    next: () => {
      hostile = chance(0.4) ? 0 : 0.1
      const { template, method, operation } = pick(operations)
      const parameters: any[] = operation.parameters ?? []
      const path = template.replaceAll(/([a-z-]+)\/\{(\w+)\}/g, (_whole, list: string, name: string) => {
        const { schema } = parameters.find((one) => one.in === 'path' && one.name === name)
        return `${list}/${encoded(value(schema, words.has(name) && name !== 'id' ? name : `${list} ${name}`))}`
      })
      const query = parameters
        .filter((one) => one.in === 'query' && (one.required || chance(0.3)))
        .map((one) => `${one.name}=${encoded(value(one.schema, one.name))}`)
      if (chance(hostile / 2)) query.push(pick(['x=1', '%', '__proto__=1', 'limit=1&limit=2', 'a[b]=c']))
      const { headers = {}, ...rest } = operation.requestBody ? bodyOf(operation.requestBody.content) : {}
      if (method === 'POST' && chance(hostile / 2)) headers['idempotency-key'] = pick(['k', 'é', 'x'.repeat(300), ''])
      return {
        method,
        template,
        path: query.length > 0 ? `${path}?${query.join('&')}` : path,
        as: chance(0.8)
          ? 'operator'
          : pick<As>(['nobody', 'gateway', 'meter', ...tenants.map((tenant) => ({ tenant }))]),
        headers,
        ...rest,
      }
    },
  }
}

const HOSTILE = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udfff',
  '\u202e',
  '💸',
  'é'.repeat(300),
  'x'.repeat(70_000),
  "'; drop table x; --",
  '%',
  '%%00',
  '../..',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  '-0',
  '1e400',
  '9'.repeat(40),
  '0,01',
  '=1+1',
  'urn:uuid:00000000-0000-4000-8000-000000000000',
  '{00000000-0000-4000-8000-000000000000}',
  '00000000000040008000000000000000',
  '9999-12',
  '0000-01',
  '+275760-09',
  '2026-13',
  '2026-02-30',
  '2026-04-01T00:00:00.0000000001Z',
  '2026-04-01T24:00:00Z',
  '2026-04-01T00:00:00+99:99',
  '2016-12-31T23:59:60Z',
  '-271821-04-20T00:00:00Z',
]

const SOME = [
  'a',
  'x-1',
  'some words',
  'ÄÖÜ',
  '0',
  '1',
  '-1',
  '0.1',
  '12.50',
  `${'9'.repeat(15)}.${'9'.repeat(20)}`,
  `-${'9'.repeat(15)}`,
  'USD',
  'AUD',
  'JPY',
  'XXX',
  'AU',
  'UTC',
  'Australia/Sydney',
  '1900-01',
  '2999-12',
  '2026-04',
  '2026-05',
  '1900-01-01',
  '2999-12-31',
  '2026-04-01',
  '2026-05-01',
  '2026-05-02',
  '1900-01-01T00:00:00Z',
  '2999-12-31T23:59:59.999999999-23:59',
  '2026-05-01T00:00:00Z',
  '2026-04-30T23:59:59.999999999+14:00',
  'someone@example.com',
  '00000000-0000-4000-8000-000000000000',
  'ABCDEF00-0000-4000-8000-00000000000F',
]

const TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/csv',
  'x',
]

const HEADER = 'product,group_description,description,hours,start,end,USD,project_name,category'
const RAW = [
  '',
  'null',
  '[]',
  '{',
  '{"__proto__":1}',
  '{"a":"\\ud800"}',
  '\0',
  '['.repeat(50_000),
  'a=1&b=2',
  '--x\r\n',
  `${HEADER}\n`,
  `${HEADER}\nDroplets,,web (s-1vcpu-1gb),720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$6.00,,iaas\n`,
  `${HEADER}\nDroplets,,web,720,9999-12-01 00:00:00 +0000,9999-12-31 00:00:00 +0000,$6.00,,iaas\n`,
  'ProviderName,BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ChargePeriodEnd\nExample,1,USD,0000-01-01,Usage,0000-01-01,+275760-09-13\n',
  'ProviderName,BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ChargePeriodEnd\nExample,999999999999999,USD,2026-04-01,Usage,2026-04-01,2026-04-02\n',
]

/** Those of some words that a schema lets in, by what it says of a text. */
function createFitting(): (schema: any, name: string, words: readonly string[]) => readonly string[] {
  const compile = createValidator({ coerceTypes: false })
  const known = new Map<string, readonly string[]>()
  return ({ format, pattern, minLength, maxLength }, name, words) => {
    const said = JSON.stringify({ format, pattern, minLength, maxLength })
    const found = known.get(name + said)
    if (found !== undefined) return found
    const check = compile({ type: 'string', ...JSON.parse(said) })
    const fitting = words.filter((word) => check(word))
    known.set(name + said, fitting)
    return fitting
  }
}

/** The same throws for the same seed: the generator is Mulberry32. */
function createDice(seed: number) {
  let state = seed
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (end: number): number => Math.floor(random() * end)
  return {
    below,
    pick: <T>(from: readonly T[]): T => from[below(from.length)] as T,
    chance: (share: number): boolean => random() < share,
  }
}
