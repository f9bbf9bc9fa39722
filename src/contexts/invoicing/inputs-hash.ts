import { createHash } from 'node:crypto'
import type { QuoteFacts } from '../pricing/index.ts'

/** SHA-256 in hexadecimal of the facts as canonical JSON: the same facts give the same hash, whatever the order of keys. */
export function inputsHash(facts: QuoteFacts): string {
  return createHash('sha256')
    .update(JSON.stringify(canonical(facts)))
    .digest('hex')
}

function canonical(value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof Temporal.PlainDate) return value.toString()
  if (Array.isArray(value)) return value.map(canonical)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, item]) => [name, canonical(item)]))
}
