import { present } from '../../kernel/invariant.ts'
import { dateIn, monthOf, type Period } from '../../kernel/period.ts'
import type { Reader } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { type Quote, quote } from '../pricing/index.ts'
import { valueOf } from './attempt.ts'
import { readBillableFacts } from './facts.ts'
import { readDeploymentTenant, type Scope } from './queries.ts'

/**
 * The running month of one deployment, as of now, taxed as its invoice will be. Both quotes have the usage so far;
 * `so_far` has the base price and add-ons of the days that have begun, `to_end_of_period` those of the whole month.
 */
export type Projection = {
  deployment_id: string
  period: Period
  as_of: Temporal.Instant
  so_far: Quote
  to_end_of_period: Quote
}

export async function readProjection(
  reader: Reader,
  scope: Scope,
  { deployment_id, now }: { deployment_id: string; now: Temporal.Instant },
): Promise<Projection> {
  const tenant = found(await readDeploymentTenant(reader, scope, deployment_id), 'deployment')
  const today = dateIn(now, tenant.timezone)
  const period = monthOf(today)
  const project = async (days_until: Temporal.PlainDate): Promise<Quote> => {
    const facts = await readBillableFacts(reader, { period, tenants: [tenant], as_of: now, deployment_id, days_until })
    return quote(valueOf(present(facts.get(tenant.id), 'the tenant has facts')))
  }
  return {
    deployment_id,
    period,
    as_of: now,
    so_far: await project(today.add({ days: 1 })),
    to_end_of_period: await project(period.end),
  }
}
