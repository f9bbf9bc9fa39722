import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'

export type Meter = Selectable<DB['catalog.meter']>
export type NewMeter = Pick<Meter, 'code' | 'name' | 'unit' | 'aggregation'> & { unique_property?: string | null }

/** Meters that the program feeds itself, from the life spans of rented resources. */
export const BUILT_IN_METERS: readonly NewMeter[] = [
  { code: 'droplet_hours', name: 'Droplet hours', unit: 'hour', aggregation: 'sum' },
  { code: 'volume_gb_hours', name: 'Volume gigabyte hours', unit: 'GB·h', aggregation: 'sum' },
]

/** Whether two definitions make the same quantity of the same events; name and unit are labels. */
export function countsAlike(a: NewMeter, b: NewMeter): boolean {
  return a.aggregation === b.aggregation && (a.unique_property ?? null) === (b.unique_property ?? null)
}
