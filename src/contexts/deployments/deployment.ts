import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { billingActionSuspended, invalidTransition } from './problems.ts'

export type Deployment = Selectable<DB['deployments.deployment']>
export type DeploymentEvent = Selectable<DB['deployments.event']>
export type DeploymentStatus = Deployment['status']

/** The lifecycle. */
export const TRANSITIONS: Readonly<Record<DeploymentStatus, readonly DeploymentStatus[]>> = {
  trial: ['active', 'suspended', 'cancelled'],
  active: ['past_due', 'paused', 'suspended', 'cancelled'],
  past_due: ['active', 'suspended', 'cancelled'],
  paused: ['active', 'cancelled'],
  suspended: ['active', 'cancelled'],
  cancelled: ['archived'],
  archived: [],
}

export const DEPLOYMENT_STATUSES: DeploymentStatus[] = [
  'trial',
  'active',
  'past_due',
  'paused',
  'suspended',
  'cancelled',
  'archived',
]

const AUTOMATIC_ACTOR = /^system:/
const BILLING_ACTIONS = new Set<DeploymentStatus>(['past_due', 'suspended'])

/**
 * Refuses what the lifecycle does not know (`deployments/invalid-transition`), and an automatic billing action that
 * the operator has switched off (`deployments/billing-action-suspended`).
 */
export function checkTransition(
  deployment: Pick<Deployment, 'status' | 'billing_action_suspended'>,
  { to, actor }: { to: DeploymentStatus; actor: string },
): void {
  const targets = TRANSITIONS[deployment.status]
  if (!targets.includes(to)) {
    const possible = targets.length === 0 ? 'It stays as it is.' : `It can become: ${targets.join(', ')}.`
    throw invalidTransition(`The deployment is ${deployment.status}. ${possible}`, [
      { path: 'to', message: targets.length === 0 ? 'nothing is possible' : `must be one of: ${targets.join(', ')}` },
    ])
  }
  if (deployment.billing_action_suspended && AUTOMATIC_ACTOR.test(actor) && BILLING_ACTIONS.has(to)) {
    throw billingActionSuspended('The operator has switched automatic billing actions off for this deployment.')
  }
}

export type DeploymentChanges = Partial<
  Pick<Deployment, 'display_name' | 'template' | 'llm_mode' | 'billing_action_suspended'>
>

/** What of the changes is news, in the order of the fields: an empty object when nothing is. */
export function newsIn(deployment: Deployment, changes: DeploymentChanges): DeploymentChanges {
  const { display_name, template, llm_mode, billing_action_suspended } = changes
  return {
    ...(display_name !== undefined && display_name !== deployment.display_name && { display_name }),
    ...(template !== undefined && template !== deployment.template && { template }),
    ...(llm_mode !== undefined && llm_mode !== deployment.llm_mode && { llm_mode }),
    ...(billing_action_suspended !== undefined &&
      billing_action_suspended !== deployment.billing_action_suspended && { billing_action_suspended }),
  }
}
