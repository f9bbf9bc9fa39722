import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const catalogInvariants: Invariant[] = [
  {
    name: 'catalog.published-tiers-have-no-end',
    promise:
      'In a published version, the last tier has no bound and the others have one, so every quantity has a price.',
    violations: sql`
      select format('%s/%s', v.plan_code, v.version) as subject, format('tiers of %s: %s', c.meter, c.tiers) as detail
      from catalog.charge c join catalog.plan_version v on v.id = c.plan_version_id
      where v.status <> 'draft' and c.tiers is not null and (
        jsonb_array_length(c.tiers) = 0
        or c.tiers -> -1 ->> 'up_to' is not null
        or exists (
          select from jsonb_array_elements(c.tiers) with ordinality t (tier, place)
          where t.place < jsonb_array_length(c.tiers) and t.tier ->> 'up_to' is null
        )
      )`,
  },
  {
    name: 'catalog.built-in-meters-are-sums',
    promise: 'The meters that the program feeds itself add up what it feeds them.',
    violations: sql`
      select code as subject, aggregation as detail
      from catalog.meter
      where code in ('droplet_hours', 'volume_gb_hours') and aggregation <> 'sum'`,
  },
]
