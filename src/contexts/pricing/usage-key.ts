import type { Charge } from './facts.ts'

/**
 * What the usage of a charge is called: its meter, or for a filtered charge meter and filter,
 * `requests[region=syd1|syd2,tier=a]`, with properties and values in order.
 */
export function usageKey({ meter, filter }: Pick<Charge, 'meter' | 'filter'>): string {
  if (filter === undefined || filter === null) return meter
  const properties = Object.keys(filter).toSorted()
  const conditions = properties.map((name) => `${name}=${(filter[name] ?? []).toSorted().join('|')}`)
  return `${meter}[${conditions.join(',')}]`
}

/** What may not be in a filter's properties and values, since it has a meaning in the usage key. */
export const USAGE_KEY_SIGNS = /[[\]=|,]/
