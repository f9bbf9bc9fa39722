import { createHash } from 'node:crypto'

/** JSON text in which a bigint is an integer, whatever its size. */
export function stringifyJson(value: unknown, options: { indent?: number } = {}): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === 'bigint' ? JSON.rawJSON(item.toString()) : item),
    options.indent,
  )
}

/** JSON text in which an integer that a number cannot hold comes out as a bigint. */
export function parseJson(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown, { source = '' }: { source?: string } = {}) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value,
  )
}

// ECMAScript 2026, in the runtime but not yet in TypeScript's library.
declare global {
  interface JSON {
    rawJSON(text: string): unknown
  }
}

/** SHA-256 in hex over JSON in which the order of an object's fields does not count. Big integers and times count as text. */
export function contentHash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content, canonical)).digest('hex')
}

function canonical(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Whether no list or object in `value` lies deeper than `levels`: what goes deeper, a recursion could not walk. */
export function isShallow(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return true
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1))
}
