import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'
import { toJson } from '../../platform/db.ts'
import { TRANSITIONS } from './deployment.ts'

export const deploymentsInvariants: Invariant[] = [
  {
    name: 'deployments.transitions-follow-the-lifecycle',
    promise: 'Every recorded transition is one that the lifecycle knows.',
    violations: sql`
      select deployment_id::text as subject, format('%s to %s', from_status, to_status) as detail
      from deployments.event
      where kind = 'transition' and not (${toJson(TRANSITIONS)}::jsonb -> from_status) ? to_status`,
  },
  {
    name: 'deployments.statuses-are-recorded',
    promise: 'Every deployment came to its status by a recorded event.',
    violations: sql`
      select d.id::text as subject, d.status as detail
      from deployments.deployment d
      where not exists (
        select from deployments.event e
        where e.tenant_id = d.tenant_id and e.deployment_id = d.id and e.to_status = d.status
      )`,
  },
]
