import { Body } from '../../platform/wire.ts'
import type { Edge } from '../../platform/edge.ts'
import type { Job, JobOutcome } from '../../platform/jobs.ts'
import { OutboundError } from '../../platform/outbound.ts'
import type { FinanceClient, ImportResult } from '../../providers/finance/index.ts'
import { isUnreachable } from './attempt.ts'
import { type Claim, claimPush, recordFailure, recordPushed, shelvePushes } from './commands.ts'

const PUSHES_PER_RUN_MAX = 200

/** `client` is null when no secret of the finance service is configured. */
export type FinanceDeps = { client: FinanceClient | null }

/** `waiting` documents are tried again later; `failed` ones only when asked for. */
export type PushSummary = { configured: boolean; pushed: number; waiting: number; failed: number }

const Nothing = Body({})

export const pushDueJob = (edge: Edge, deps: FinanceDeps): Job<typeof Nothing> => ({
  name: 'finance.push-due',
  payload: Nothing,
  schedule: '*/5 * * * *',
  handle: async () => outcomeOf(await pushDue(edge, deps)),
})

export const financeJobs = (edge: Edge, deps: FinanceDeps): Job[] => [pushDueJob(edge, deps)]

/**
 * Sends what is due, one document at a time: claimed, sent and recorded each for itself, so that any number of runs may
 * go on at once. Stops early when the service cannot be reached.
 */
export async function pushDue(edge: Pick<Edge, 'db' | 'clock'>, { client }: FinanceDeps): Promise<PushSummary> {
  const summary = { configured: client !== null, pushed: 0, waiting: 0, failed: 0 }
  if (client === null) {
    const waiting = await edge.db.transaction((tx) => shelvePushes(tx, { now: edge.clock.now() }))
    return { ...summary, waiting }
  }
  for (let pushes = 0; pushes < PUSHES_PER_RUN_MAX; pushes += 1) {
    const claim = await edge.db.transaction((tx) => claimPush(tx, { now: edge.clock.now() }))
    if (claim === undefined) break
    const answer = await send(client, claim)
    const now = edge.clock.now()
    if (answer instanceof OutboundError) {
      const status = await edge.db.transaction((tx) => recordFailure(tx, claim, { error: answer, now }))
      summary[status === 'failed' ? 'failed' : 'waiting'] += 1
      if (isUnreachable(answer)) break
    } else {
      await edge.db.transaction((tx) => recordPushed(tx, claim, { answer, now }))
      summary.pushed += 1
    }
  }
  return summary
}

async function send(client: FinanceClient, claim: Claim): Promise<ImportResult | OutboundError> {
  try {
    return claim.document === 'provider_invoice'
      ? await client.importBill(claim.payload)
      : await client.importTenantInvoice(claim.payload)
  } catch (error) {
    if (error instanceof OutboundError) return error
    throw error
  }
}

function outcomeOf({ configured, pushed, waiting, failed }: PushSummary): JobOutcome {
  return configured
    ? { outcome: 'done', detail: `${pushed} pushed, ${waiting} to be tried again, ${failed} failed` }
    : { outcome: 'skipped', detail: `FINANCE_JWT_SECRET is not set; documents waiting: ${waiting}` }
}
