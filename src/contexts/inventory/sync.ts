import type { Clock } from '../../platform/clock.ts'
import type { Tx } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { ListedInventory, NotListed, Unread } from '../../providers/listed-resource.ts'
import { type InventoryCounts, recordInventory, recordNotListed } from './commands.ts'
import { askProvider } from './provider-failure.ts'
import { wholeSeconds } from './resource.ts'
import type { InventoryHooks } from './routes.ts'

export type InventoryProvider = {
  /** Each kind whole, but for what is named as unread, or not at all. */
  inventory(): Promise<ListedInventory>
}

export type SyncInventoryDeps = InventoryHooks & {
  readonly provider: InventoryProvider
  readonly clock: Clock
  readonly ids: Ids
  /** Opens the transaction that records the listing. */
  readonly transact: <T>(effect: (tx: Tx) => Promise<T>) => Promise<T>
}

export type SyncedInventory = InventoryCounts & {
  /** Kinds that stay as they were, because the token may not list them. */
  readonly not_listed: readonly NotListed[]
  /** Objects that could not be read: what is known of them stays as it was. */
  readonly unread: readonly Unread[]
}

const PROVIDER = 'digitalocean'

/**
 * Reads every list whole, then records them together: a list that fails half-way records nothing, so that what it did
 * not reach is never taken for destroyed. Throws the Problems of `askProvider`.
 */
export async function syncInventory(deps: SyncInventoryDeps): Promise<SyncedInventory> {
  const { provider, clock, ids, transact, onInventoryChanged } = deps
  // Taken before the first page: what is destroyed while the pages are read is billed too short, never too long.
  const seen_at = wholeSeconds(clock.now())
  const { kinds, not_listed, unread = [] } = await askProvider(() => provider.inventory())
  return transact(async (tx) => {
    const inventory = { provider: PROVIDER, kinds, unread, seen_at }
    const { counts, changed_resource_ids } = await recordInventory(tx, inventory, { now: clock.now(), ids })
    await recordNotListed(tx, { provider: PROVIDER, not_listed, tried_at: seen_at })
    await onInventoryChanged(tx, { resource_ids: changed_resource_ids })
    return { ...counts, not_listed, unread }
  })
}
