import type { Check } from '../../platform/doctor.ts'
import { listListings } from './queries.ts'
import { RESOURCE_KINDS } from './resource.ts'

/** A kind that the token may not list is a choice. */
export const inventoryChecks: readonly Check[] = [
  {
    name: 'inventory',
    read: async (reader) => {
      const listings = await listListings(reader, { limit: RESOURCE_KINDS.length, after: undefined })
      if (listings.length === 0) return { ok: true, detail: 'not read yet' }
      const missing = listings.filter(({ last_error }) => last_error !== null)
      const unread = listings.flatMap(({ kind, ...listing }) => listing.unread.map((object) => ({ kind, ...object })))
      const details = [
        missing.length === 0
          ? 'every kind of resource can be listed'
          : `not listed: ${missing.map(({ kind, scope }) => `${kind} (needs ${scope})`).join(', ')}`,
        ...unread.map(
          ({ kind, external_id, reason }) => `unread: ${kind} ${external_id ?? 'without an id'}, ${reason}`,
        ),
      ]
      return { ok: true, detail: details.join('; ') }
    },
  },
]
