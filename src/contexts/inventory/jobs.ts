import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { Job } from '../../platform/jobs.ts'
import type { NotListed, Unread } from '../../providers/listed-resource.ts'
import type { InventoryHooks } from './routes.ts'
import { type InventoryProvider, syncInventory } from './sync.ts'

export type InventoryDeps = InventoryHooks & {
  /** Null when no token is configured. */
  readonly provider: InventoryProvider | null
}

export const inventoryJobs = (edge: Edge, deps: InventoryDeps): Job[] => [
  {
    name: 'inventory.sync',
    schedule: '37 * * * *',
    payload: Type.Object({}),
    handle: async (_payload, run) => {
      const { provider, onInventoryChanged } = deps
      if (provider === null) return { outcome: 'skipped', detail: 'DIGITALOCEAN_TOKEN is not set' }
      const { clock, ids } = edge
      const synced = await syncInventory({ provider, clock, ids, transact: run.finish, onInventoryChanged })
      const { listed, born, gone, changed, not_listed, unread } = synced
      const detail = `${listed} resources listed: ${born} new, ${changed} changed, ${gone} gone`
      return { outcome: 'done', detail: [detail, ...not_listed.map(missing), ...unreadNote(unread)].join('; ') }
    },
  },
]

function missing({ kind, scope }: NotListed): string {
  return `${kind} not listed, needs ${scope}`
}

const NAMED_MAX_OBJECTS = 10

function unreadNote(unread: readonly Unread[]): string[] {
  if (unread.length === 0) return []
  const named = unread.slice(0, NAMED_MAX_OBJECTS).map(unreadText)
  return [`${unread.length} unread: ${[...named, ...(unread.length > named.length ? ['…'] : [])].join(', ')}`]
}

function unreadText({ kind, external_id, reason }: Unread): string {
  return `${kind} ${external_id ?? 'without an id'} (${reason})`
}
