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
    name: 'catalog.published-charges-are-sound',
    promise: 'In a published version, every charge is on a meter that exists, and no price or limit is negative.',
    violations: sql`
      select format('%s/%s', v.plan_code, v.version) as subject, format('charge %s on %s', c.position, c.meter) as detail
      from catalog.charge c join catalog.plan_version v on v.id = c.plan_version_id
      where v.status <> 'draft' and (
        not exists (select from catalog.meter m where m.code = c.meter)
        or least(
          c.unit_price, c.package_price, c.rate, c.included_quantity, c.min_amount, c.max_amount,
          c.fixed_per_event, c.min_per_event, c.max_per_event
        ) < 0
        or c.package_size <= 0
      )`,
  },
  {
    name: 'catalog.published-usage-has-one-price',
    promise: 'In a published version, a meter has at most one charge for each filter, and one without.',
    violations: sql`
      select format('%s/%s', v.plan_code, v.version) as subject, format('%s %s', c.meter, catalog.filter_in_order(c.filter)) as detail
      from catalog.charge c join catalog.plan_version v on v.id = c.plan_version_id
      where v.status <> 'draft'
      group by v.plan_code, v.version, c.meter, catalog.filter_in_order(c.filter)
      having count(*) > 1`,
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
