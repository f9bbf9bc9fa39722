import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const inventoryInvariants: Invariant[] = [
  {
    name: 'inventory.spans-within-life',
    promise: 'A span lies within the life of its resource',
    violations: sql`
      select s.id::text as subject, r.kind || ' ' || r.name || ': the span reaches beyond its life' as detail
      from inventory.span s join inventory.resource r on r.id = s.resource_id
      where s.starts_at < r.born_at or (r.gone_at is not null and (s.ends_at is null or s.ends_at > r.gone_at))`,
  },
  {
    name: 'inventory.living-have-one-open-span',
    promise: 'A resource has one open span while it is alive, and none when it is gone',
    violations: sql`
      select r.id::text as subject, r.kind || ' ' || r.name || ': ' || count(s.id) || ' open spans' as detail
      from inventory.resource r left join inventory.span s on s.resource_id = r.id and s.ends_at is null
      group by r.id, r.kind, r.name, r.gone_at
      having count(s.id) <> case when r.gone_at is null then 1 else 0 end`,
  },
  {
    name: 'inventory.assignment-by-hand-holds',
    promise: 'The open span of a resource that was assigned by hand belongs to that deployment',
    violations: sql`
      select r.id::text as subject, r.kind || ' ' || r.name || ': another deployment' as detail
      from inventory.resource r join inventory.span s on s.resource_id = r.id and s.ends_at is null
      where r.assigned_deployment_id is not null and s.deployment_id is distinct from r.assigned_deployment_id`,
  },
]
