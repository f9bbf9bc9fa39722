import type { Clock } from '../../platform/clock.ts'
import type { Tx } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { DigitalOcean, Droplet, Volume } from '../../providers/digitalocean/index.ts'
import { type InventoryCounts, recordInventory } from './commands.ts'
import { askProvider } from './provider-failure.ts'
import { type Inventory, type ListedResource, wholeSeconds } from './resource.ts'
import type { InventoryHooks } from './routes.ts'

export type InventoryProvider = Pick<DigitalOcean, 'droplets' | 'volumes'>

export type SyncInventoryDeps = InventoryHooks & {
  readonly provider: InventoryProvider
  readonly clock: Clock
  readonly ids: Ids
  /** Opens the transaction that records the listing. */
  readonly transact: <T>(effect: (tx: Tx) => Promise<T>) => Promise<T>
}

/**
 * Reads every list whole, then records them together: a list that fails half-way records nothing, so that what it did
 * not reach is never taken for destroyed. Throws the Problems of `askProvider`.
 */
export async function syncInventory(deps: SyncInventoryDeps): Promise<InventoryCounts> {
  const inventory = await fetchInventory(deps.provider, deps.clock)
  return deps.transact(async (tx) => {
    const { counts, changed_resource_ids } = await recordInventory(tx, inventory, {
      now: deps.clock.now(),
      ids: deps.ids,
    })
    await deps.onInventoryChanged(tx, { resource_ids: changed_resource_ids })
    return counts
  })
}

async function fetchInventory(provider: InventoryProvider, clock: Clock): Promise<Inventory> {
  // Taken before the first page: what is destroyed while the pages are read is billed too short, never too long.
  const seen_at = wholeSeconds(clock.now())
  const [droplets, volumes] = await askProvider(() => Promise.all([provider.droplets(), provider.volumes()]))
  return {
    provider: 'digitalocean',
    seen_at,
    kinds: [
      { kind: 'droplet', resources: droplets.map(dropletResource) },
      { kind: 'volume', resources: volumes.map(volumeResource) },
    ],
  }
}

function dropletResource(droplet: Droplet): ListedResource {
  return { ...common(droplet), size: droplet.size, size_gb: '0' }
}

function volumeResource(volume: Volume): ListedResource {
  return { ...common(volume), size: `${volume.size_gigabytes}GiB`, size_gb: String(volume.size_gigabytes) }
}

function common({ id, name, region, tags, created_at }: Droplet | Volume): Omit<ListedResource, 'size' | 'size_gb'> {
  return { external_id: id, name, region, project: null, tags, born_at: wholeSeconds(created_at) }
}
