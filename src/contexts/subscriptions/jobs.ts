import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { Job } from '../../platform/jobs.ts'
import { transition, type TransitionHook } from '../deployments/index.ts'
import { lockTrials, readEndedTrials } from './queries.ts'

export type TrialsDeps = {
  /** What follows a transition, in its transaction: the same as when an operator asks for it. */
  readonly onTransition: TransitionHook
}

const TRIALS_MAX_PER_TRANSACTION = 200
const ACTOR = 'system:end-trials'
const REASON = 'the trial of the subscription has ended'

export const subscriptionsJobs = (edge: Edge, deps: TrialsDeps): Job[] => [endTrialsJob(edge, deps)]

/** Deployments on trial become active on the day their subscription's trial ends; batch by batch, each committed. */
export const endTrialsJob = (edge: Edge, { onTransition }: TrialsDeps) =>
  ({
    name: 'subscriptions.end-trials',
    schedule: '17 * * * *',
    at_start: true,
    payload: Nothing,
    handle: async () => {
      const due = await readEndedTrials(edge.db.read, edge.clock.now())
      let ended = 0
      for (let first = 0; first < due.length; first += TRIALS_MAX_PER_TRANSACTION) {
        const batch = due.slice(first, first + TRIALS_MAX_PER_TRANSACTION)
        ended += await edge.db.transaction(async (tx) => {
          const by = { now: edge.clock.now(), actor: ACTOR, ids: edge.ids }
          const locked = await lockTrials(tx, batch)
          for (const id of locked) {
            const { change } = await transition(tx, { id, to: 'active', reason: REASON }, by)
            await onTransition(tx, change)
          }
          return locked.length
        })
      }
      if (ended === 0) return { outcome: 'skipped', detail: 'no trial has ended' }
      return { outcome: 'done', detail: `${ended} trials ended` }
    },
  }) satisfies Job<typeof Nothing>

const Nothing = Type.Object({})
