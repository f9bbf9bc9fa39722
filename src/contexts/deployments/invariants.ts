import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'
import { toJson } from '../../platform/db.ts'
import { TRANSITIONS } from './deployment.ts'

export const deploymentsInvariants: Invariant[] = [
  {
    name: 'deployments.transitions-follow-the-lifecycle',
    promise: 'Every recorded transition is one that the lifecycle knows.',
    violations: sql`
      select deployment_id::text as subject, format('%s to %s', from_state, to_state) as detail
      from deployments.event
      where kind = 'transition' and not (${toJson(TRANSITIONS)}::jsonb -> from_state) ? to_state`,
  },
  {
    name: 'deployments.states-are-recorded',
    promise: 'Every deployment came to its state by a recorded event.',
    violations: sql`
      select d.id::text as subject, d.state as detail
      from deployments.deployment d
      where not exists (
        select from deployments.event e
        where e.tenant_id = d.tenant_id and e.deployment_id = d.id and e.to_state = d.state
      )`,
  },
]
