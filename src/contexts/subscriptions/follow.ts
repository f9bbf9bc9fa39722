import { dateIn, isBefore } from '../../kernel/period.ts'
import type { ContextTx } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { DeploymentTransition } from '../deployments/index.ts'
import { activated, changeFrom, type Phase } from './phase.ts'
import { type LockedSubscription, lockSubscriptions } from './queries.ts'
import { storeEnd, storePhases } from './store.ts'

/**
 * What a transition of a deployment means for its subscription, from that day on in the tenant's zone: paused stops
 * the base price, active resumes it or ends the trial, cancelled ends the subscription. Others leave it as it is.
 */
export async function followDeployment(
  tx: ContextTx<'subscriptions'>,
  change: DeploymentTransition,
  { ids }: { ids: Ids },
): Promise<void> {
  const follow = followingOf(change)
  if (follow === undefined) return
  const locked = await lockSubscriptions(tx, { deployment_id: change.deployment_id })
  const open = locked.filter((subscription) => runsAfter(subscription, change.at))
  const [first] = open
  if (first === undefined) return
  const date = dateIn(change.at, first.timezone)
  const made = { now: change.at, ids }
  if (follow === 'end') return storeEnd(tx, open, { ...made, date })
  const changed = open.map((subscription) => ({ subscription, phases: changeFrom(subscription.phases, date, follow) }))
  await storePhases(tx, changed, made)
}

function followingOf({ from, to }: DeploymentTransition): 'end' | ((phase: Phase) => Phase) | undefined {
  if (to === 'cancelled') return 'end'
  if (to === 'paused') return (phase) => ({ ...phase, mode: 'paused' })
  if (to === 'active') return (phase) => activated(phase, from)
  return undefined
}

function runsAfter({ ends_on, timezone }: LockedSubscription, at: Temporal.Instant): boolean {
  return ends_on === null || isBefore(dateIn(at, timezone), ends_on)
}
