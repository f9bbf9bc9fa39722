import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { Job, JobOutcome, JobRun } from '../../platform/jobs.ts'
import { Id } from '../../platform/wire.ts'
import type { DigitalOcean } from '../../providers/digitalocean/index.ts'
import { shareByUsage } from './match-lines.ts'
import { type BillIssued, ingestInvoice, readBillingHistory, readPreview, type Sync, takeBalance } from './sync.ts'

export type CostsDeps = {
  /** Null when no token is configured. */
  readonly provider: DigitalOcean | null
  /** Runs in the transaction that issues a bill, or withdraws an issued one. Never for a preview. */
  readonly onBillIssued: BillIssued
}

export const costsJobs = (edge: Edge, deps: CostsDeps): Job[] => [
  takeBalanceJob(edge, deps),
  readBillingHistoryJob(edge, deps),
  readPreviewJob(edge, deps),
  ingestInvoiceJob(edge, deps),
  shareByUsageJob(),
]

export const takeBalanceJob = (edge: Edge, deps: CostsDeps) =>
  ({
    name: 'costs.take-balance',
    schedule: '7 * * * *',
    payload: Nothing,
    handle: (_payload, run) =>
      withProvider(edge, deps, run, async (sync) => {
        await takeBalance(sync)
        return 'balance taken'
      }),
  }) satisfies Job<typeof Nothing>

export const readBillingHistoryJob = (edge: Edge, deps: CostsDeps) =>
  ({
    name: 'costs.read-billing-history',
    schedule: '23 2 * * *',
    payload: Nothing,
    handle: (_payload, run) =>
      withProvider(edge, deps, run, async (sync) => {
        const ingest = ingestInvoiceJob(edge, deps)
        const { new_count, unchanged_count, due, new_entries } = await readBillingHistory(
          sync,
          async (tx, invoices) => {
            await edge.later(tx, ingest, ...invoices.map((provider_invoice_id) => ({ provider_invoice_id })))
          },
        )
        return `${new_count} new invoices, ${unchanged_count} unchanged, ${due.length} to read, ${new_entries} new entries`
      }),
  }) satisfies Job<typeof Nothing>

export const readPreviewJob = (edge: Edge, deps: CostsDeps) =>
  ({
    name: 'costs.read-preview',
    schedule: '53 2 * * *',
    payload: Nothing,
    handle: (_payload, run) =>
      withProvider(edge, deps, run, async (sync) => {
        const line_count = await readPreview(sync)
        return line_count === null ? 'the provider has no preview' : `${line_count} lines of the running month`
      }),
  }) satisfies Job<typeof Nothing>

const ingestInvoiceJob = (edge: Edge, deps: CostsDeps) =>
  ({
    name: 'costs.ingest-invoice',
    payload: InvoicePayload,
    handle: ({ provider_invoice_id }, run) =>
      withProvider(edge, deps, run, async (sync) => {
        const stored = await ingestInvoice(sync, { provider_invoice_id, onBillIssued: deps.onBillIssued })
        return stored === null ? 'there is nothing to read' : `${stored.outcome}, ${stored.line_count} lines`
      }),
  }) satisfies Job<typeof InvoicePayload>

const shareByUsageJob = () =>
  ({
    name: 'costs.share-by-usage',
    schedule: '41 3 * * *',
    payload: Nothing,
    handle: async (_payload, run) => {
      const line_count = await run.finish(shareByUsage)
      return { outcome: 'done', detail: `${line_count} lines shared by a meter` }
    },
  }) satisfies Job<typeof Nothing>

const Nothing = Type.Object({})
const InvoicePayload = Type.Object({ provider_invoice_id: Id })

async function withProvider(
  edge: Edge,
  { provider }: CostsDeps,
  run: JobRun,
  work: (sync: Sync) => Promise<string>,
): Promise<JobOutcome> {
  if (provider === null) return { outcome: 'skipped', detail: 'DIGITALOCEAN_TOKEN is not set' }
  return { outcome: 'done', detail: await work({ edge, provider, transact: run.finish }) }
}
