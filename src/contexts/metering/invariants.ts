import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'
import { DERIVED_METERS } from './event.ts'

export const invariants: Invariant[] = [
  {
    name: 'metering.derived-meters-are-not-sent',
    promise: 'No event is stored for a meter that is read from resources.',
    violations: sql`
      select e.source || ' ' || e.event_id as subject, e.meter as detail
      from metering.usage_event e where e.meter in (${sql.join(Object.keys(DERIVED_METERS))})`,
  },
  {
    name: 'metering.only-levels-fall',
    promise: 'Only the change of a level is negative.',
    violations: sql`
      select e.source || ' ' || e.event_id as subject, e.quantity || ' of ' || e.meter as detail
      from metering.usage_event e join catalog.meter m on m.code = e.meter
      where e.quantity < 0 and m.aggregation <> 'time_weighted_sum'`,
  },
  {
    name: 'metering.unique-counts-have-their-property',
    promise: 'Every event of a meter that counts distinct values carries the value.',
    violations: sql`
      select e.source || ' ' || e.event_id as subject, 'properties have no ' || m.unique_property as detail
      from metering.usage_event e join catalog.meter m on m.code = e.meter
      where m.unique_property is not null and e.properties ->> m.unique_property is null`,
  },
]
