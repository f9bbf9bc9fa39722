import { dateIn, isBefore, laterDate } from '../../kernel/period.ts'
import type { ContextTx } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { DeploymentTransition } from '../deployments/index.ts'
import { touched } from './commands.ts'
import { activate, pause, type Phase } from './phase.ts'
import type { Touched } from './preview.ts'
import { type LockedSubscription, lockSubscriptions } from './queries.ts'
import { storeEnd, storePhases, storeTrialEnd } from './store.ts'

const FOLLOWED: ReadonlySet<string> = new Set(['paused', 'active', 'cancelled'])

/**
 * What a transition of a deployment means for its subscription, from that day on in the tenant's zone: paused stops
 * the base price, active resumes it or ends the trial, cancelled ends the subscription. Others leave it as it is, and
 * null says so.
 */
export async function followDeployment(
  tx: ContextTx<'subscriptions'>,
  change: DeploymentTransition,
  { ids }: { ids: Ids },
): Promise<Touched | null> {
  const { from, to } = change
  if (!FOLLOWED.has(to)) return null
  const locked = await lockSubscriptions(tx, { deployment_id: change.deployment_id })
  const open = locked.filter((subscription) => runsAfter(subscription, change.at))
  const [first] = open
  if (first === undefined) return null
  const date = dateIn(change.at, first.timezone)
  const made = { now: change.at, ids }
  const followed = touched(first, laterDate(date, first.starts_on))
  if (to === 'cancelled') {
    await storeEnd(tx, open, { ...made, date })
    return followed
  }
  const phasesOf = ({ phases, trial_ends_on }: LockedSubscription): Phase[] =>
    to === 'paused' ? pause(phases, date) : activate(phases, { date, from, trial_ends_on })
  const changed = open.map((subscription) => ({ subscription, phases: phasesOf(subscription) }))
  await storePhases(tx, changed, made)
  if (from === 'trial') await storeTrialEnd(tx, open, date)
  return followed
}

function runsAfter({ ends_on, timezone }: LockedSubscription, at: Temporal.Instant): boolean {
  return ends_on === null || isBefore(dateIn(at, timezone), ends_on)
}
