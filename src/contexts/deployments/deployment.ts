import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { billingActionSuspended, invalidTransition } from './problems.ts'

export type Deployment = Selectable<DB['deployments.deployment']>
export type DeploymentEvent = Selectable<DB['deployments.event']>
export type DeploymentState = Deployment['state']

/** The lifecycle. */
export const TRANSITIONS: Readonly<Record<DeploymentState, readonly DeploymentState[]>> = {
  trial: ['active', 'suspended', 'cancelled'],
  active: ['past_due', 'paused', 'suspended', 'cancelled'],
  past_due: ['active', 'suspended', 'cancelled'],
  paused: ['active', 'cancelled'],
  suspended: ['active', 'cancelled'],
  cancelled: ['archived'],
  archived: [],
}

export const DEPLOYMENT_STATES: DeploymentState[] = [
  'trial',
  'active',
  'past_due',
  'paused',
  'suspended',
  'cancelled',
  'archived',
]

const AUTOMATIC_ACTOR = /^system:/
const BILLING_ACTIONS = new Set<DeploymentState>(['past_due', 'suspended'])

/**
 * Refuses what the lifecycle does not know (`deployments/invalid-transition`), and an automatic billing action that
 * the operator has switched off (`deployments/billing-action-suspended`).
 */
export function checkTransition(
  deployment: Pick<Deployment, 'state' | 'billing_action_suspended'>,
  { to, actor }: { to: DeploymentState; actor: string },
): void {
  const targets = TRANSITIONS[deployment.state]
  if (!targets.includes(to)) {
    const possible = targets.length === 0 ? 'It stays as it is.' : `It can become: ${targets.join(', ')}.`
    throw invalidTransition(`The deployment is ${deployment.state}. ${possible}`, [
      { path: 'to', message: targets.length === 0 ? 'nothing is possible' : `must be one of: ${targets.join(', ')}` },
    ])
  }
  if (deployment.billing_action_suspended && AUTOMATIC_ACTOR.test(actor) && BILLING_ACTIONS.has(to)) {
    throw billingActionSuspended('The operator has switched automatic billing actions off for this deployment.')
  }
}

const CHANGEABLE = [
  'display_name',
  'region',
  'template_code',
  'template_version',
  'llm_mode',
  'billing_action_suspended',
] as const

export type DeploymentChanges = Partial<Pick<Deployment, (typeof CHANGEABLE)[number]>>

/** What of the changes is news, in the order of the fields: an empty object when nothing is. */
export function newsIn(deployment: Deployment, changes: DeploymentChanges): DeploymentChanges {
  const news = CHANGEABLE.filter((field) => changes[field] !== undefined && changes[field] !== deployment[field])
  return Object.fromEntries(news.map((field) => [field, changes[field]]))
}
