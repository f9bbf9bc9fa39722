import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { catalogChecks, catalogInvariants, catalogRoutes } from './contexts/catalog/index.ts'
import {
  type CostsDeps,
  costsChecks,
  costsInvariants,
  costsJobs,
  costsRoutes,
  matchLines,
  previewMatches,
} from './contexts/costs/index.ts'
import { deploymentsInvariants, deploymentsRoutes, type TransitionHook } from './contexts/deployments/index.ts'
import { eventsRoutes } from './contexts/events/index.ts'
import { forecastRoutes } from './contexts/forecast/index.ts'
import {
  type FinanceDeps,
  financeInvariants,
  financeJobs,
  financeRoutes,
  queueBill,
  queueInvoice,
} from './contexts/finance/index.ts'
import { focusRoutes } from './contexts/focus/index.ts'
import {
  inventoryChecks,
  type InventoryDeps,
  inventoryInvariants,
  inventoryJobs,
  inventoryRoutes,
} from './contexts/inventory/index.ts'
import {
  invoicingChecks,
  type InvoicingDeps,
  invoicingInvariants,
  invoicingJobs,
  countUnbilled,
  invoicingRoutes,
  listUnbilled,
  previewInvoices,
} from './contexts/invoicing/index.ts'
import { llmUsageInvariants, llmUsageRoutes } from './contexts/llm-usage/index.ts'
import { marginRoutes } from './contexts/margin/index.ts'
import { meteringInvariants, meteringRoutes } from './contexts/metering/index.ts'
import {
  followDeployment,
  type SubscriptionsDeps,
  subscriptionsInvariants,
  subscriptionsJobs,
  subscriptionsRoutes,
  transitionPreview,
} from './contexts/subscriptions/index.ts'
import { tenantsInvariants, tenantsRoutes } from './contexts/tenants/index.ts'
import { auditJob, auditRoutes, type Invariant } from './platform/audit.ts'
import { jwtSecret } from './platform/auth.ts'
import { type Clock, clockOf } from './platform/clock.ts'
import { type Database, openDatabase } from './platform/db.ts'
import { inMib } from './platform/disk.ts'
import { doctorRoutes } from './platform/doctor.ts'
import type { Edge } from './platform/edge.ts'
import { type App, createHttp } from './platform/http.ts'
import { randomIds } from './platform/ids.ts'
import { createJobs, type Jobs } from './platform/jobs.ts'
import { createMetrics, type Metrics } from './platform/metrics.ts'
import { migrate, readMigrations, requireSchema, schemaState } from './platform/migrate.ts'
import { findTemplate } from './platform/template.ts'
import { createDigitalOcean, type DigitalOcean } from './providers/digitalocean/index.ts'
import { createFinanceClient, type FinanceClient } from './providers/finance/index.ts'

/** The program, wired: config → database → jobs → contexts → HTTP. Nothing listens and no job runs yet. */
export type Application = {
  readonly config: Config
  readonly edge: Edge
  readonly jobs: Jobs
  /** The HTTP server, made when it is first asked for: commands do without. */
  http(): Promise<App>
  /** What reading bills takes: the provider, and what happens when one is issued. */
  readonly costs: CostsDeps
  readonly finance: FinanceClient | null
  readonly invariants: readonly Invariant[]
  readonly jwt_secret: string
  close(): Promise<void>
}

export async function openApp(
  config: Config,
  log: Logger,
  given: { db?: Database; clock?: Clock } = {},
): Promise<Application> {
  const clock = given.clock ?? clockOf(config)
  const ids = randomIds
  const migrations = await readMigrations()
  const metrics = createMetrics()
  const db = given.db ?? (await openBooks(config, log, metrics))
  try {
    // Embedded, the program is the only one on its database and brings it up to date; a server's schema is moved on
    // purpose, by `arcadia migrate`.
    if (db.kind === 'pglite') {
      const found = await schemaState(db, migrations)
      if (found.state === 'pending') log.info({ steps: found.pending.length }, 'bringing the schema up to date')
      await migrate(db, migrations, clock.now())
    } else await requireSchema(db, migrations)

    const provider = connectProvider(config, log)
    const finance = connectFinance(config, clock)
    if (db.disk !== null) metrics.watchDisk(db.disk)
    const jobs = createJobs({ db, clock, ids, log, metrics })
    const edge: Edge = { db, clock, ids, log, later: jobs.later }
    metrics.gauge(
      { name: 'arcadia_unbilled', help: 'What is used and on no invoice, by kind', label: 'kind' },
      async () => countUnbilled(await listUnbilled(db.read, { now: clock.now() })),
    )
    const { costs, routes, work, invariants, checks } = wireContexts(edge, { config, provider, finance })
    const jwt_secret = await jwtSecret(config, ids)
    let http: Promise<App> | undefined
    const openHttp = () =>
      (http ??= createHttp({
        db,
        clock,
        ids,
        log,
        metrics,
        jwt_secret,
        metrics_open: config.metrics_open,
        ready: () => requireSchema(db, migrations),
        routes: [
          ...routes,
          auditRoutes(edge, invariants),
          doctorRoutes({ config, db, clock, jobs, migrations, checks }),
        ],
      }))
    log.info('preparing the job queue')
    await jobs.open([...work, auditJob(edge, invariants)])
    return {
      config,
      edge,
      jobs,
      http: openHttp,
      costs,
      finance,
      invariants,
      jwt_secret,
      close: async () => {
        await (await http)?.close()
        await jobs.close()
        await db.close()
      },
    }
  } catch (error) {
    await db.close()
    throw error
  }
}

/**
 * What each context brings, in order. A context reaches those below it only through the hooks that it is handed here;
 * they run in its own transaction.
 */
function wireContexts(edge: Edge, { config, provider, finance }: Connections & { config: Config }) {
  const made = () => ({ now: edge.clock.now(), id: edge.ids.uuid() })
  const onTransition: TransitionHook = (tx, change) => followDeployment(tx, change, edge)
  const inventory: InventoryDeps = { provider, onInventoryChanged: matchLines }
  const subscriptions: SubscriptionsDeps = { previewInvoices }
  const costs: CostsDeps = { provider, onBillIssued: (tx, bill) => queueBill(tx, bill, made()) }
  const invoicing: InvoicingDeps = {
    seller: config.seller,
    onInvoiceChanged: (tx, invoice) => queueInvoice(tx, invoice, made()),
  }
  const books: FinanceDeps = { client: finance }
  return {
    costs,
    routes: [
      eventsRoutes(edge),
      tenantsRoutes(edge),
      catalogRoutes(edge),
      deploymentsRoutes(edge, { onTransition, preview: transitionPreview(edge, subscriptions) }),
      inventoryRoutes(edge, { ...inventory, previewMatches }),
      subscriptionsRoutes(edge, subscriptions),
      meteringRoutes(edge),
      llmUsageRoutes(edge),
      costsRoutes(edge, costs),
      forecastRoutes(edge),
      invoicingRoutes(edge, invoicing),
      financeRoutes(edge, books),
      marginRoutes(edge),
      focusRoutes(edge),
    ],
    work: [
      ...inventoryJobs(edge, inventory),
      ...subscriptionsJobs(edge, { onTransition }),
      ...costsJobs(edge, costs),
      ...invoicingJobs(edge, invoicing),
      ...financeJobs(edge, books),
    ],
    checks: [...catalogChecks, ...inventoryChecks, ...costsChecks, ...invoicingChecks],
    invariants: [
      ...tenantsInvariants,
      ...catalogInvariants,
      ...deploymentsInvariants,
      ...inventoryInvariants,
      ...subscriptionsInvariants,
      ...meteringInvariants,
      ...llmUsageInvariants,
      ...costsInvariants,
      ...invoicingInvariants,
      ...financeInvariants,
    ],
  }
}

function openBooks(config: Config, log: Logger, metrics: Metrics): Promise<Database> {
  const on_low_disk = warnOfLowDisk(log)
  return openDatabase(config, { template: findTemplate, log, on_retry: metrics.transactionRetried, on_low_disk })
}

function warnOfLowDisk(log: Logger): (free_bytes: number) => void {
  return (free_bytes) =>
    log.warn({ free_bytes }, `the disk of the database is almost full: ${inMib(free_bytes)} are free`)
}

type Connections = { provider: DigitalOcean | null; finance: FinanceClient | null }

function connectProvider({ digitalocean }: Config, log: Logger): DigitalOcean | null {
  return digitalocean.token === null
    ? null
    : createDigitalOcean({ token: digitalocean.token, api_url: digitalocean.api_url, log })
}

function connectFinance({ finance }: Config, clock: Clock): FinanceClient | null {
  return finance.jwt_secret === null
    ? null
    : createFinanceClient({ base_url: finance.url, jwt_secret: finance.jwt_secret, clock })
}
