import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { catalogInvariants, catalogRoutes } from './contexts/catalog/index.ts'
import { costsInvariants, costsJobs, costsRoutes } from './contexts/costs/index.ts'
import { deploymentsInvariants, deploymentsRoutes } from './contexts/deployments/index.ts'
import { financeInvariants, financeJobs, financeRoutes, queueBill, queueInvoice } from './contexts/finance/index.ts'
import { inventoryInvariants, inventoryJobs, inventoryRoutes } from './contexts/inventory/index.ts'
import { invoicingInvariants, invoicingJobs, invoicingRoutes } from './contexts/invoicing/index.ts'
import { llmUsageInvariants, llmUsageRoutes } from './contexts/llm-usage/index.ts'
import { marginRoutes } from './contexts/margin/index.ts'
import { meteringInvariants, meteringRoutes } from './contexts/metering/index.ts'
import { followDeployment, subscriptionsInvariants, subscriptionsRoutes } from './contexts/subscriptions/index.ts'
import { tenantsInvariants, tenantsRoutes } from './contexts/tenants/index.ts'
import { auditJob, type Invariant } from './platform/audit.ts'
import { jwtSecret } from './platform/auth.ts'
import { type Clock, frozenClock, systemClock } from './platform/clock.ts'
import { type Database, openDatabase, type OpenOptions } from './platform/db.ts'
import type { Edge } from './platform/edge.ts'
import { type App, createHttp } from './platform/http.ts'
import { randomIds } from './platform/ids.ts'
import { createJobs, type Jobs } from './platform/jobs.ts'
import { createMetrics } from './platform/metrics.ts'
import { migrate, readMigrations, requireSchema } from './platform/migrate.ts'
import { createDigitalOcean, type DigitalOcean } from './providers/digitalocean/index.ts'
import { createFinanceClient, type FinanceClient } from './providers/finance/index.ts'

/** The program, wired: config → database → jobs → contexts → HTTP. Nothing listens and no job runs yet. */
export type Application = {
  readonly config: Config
  readonly edge: Edge
  readonly jobs: Jobs
  readonly http: App
  readonly provider: DigitalOcean | null
  readonly finance: FinanceClient | null
  readonly invariants: readonly Invariant[]
  readonly jwt_secret: string
  close(): Promise<void>
}

export async function openApp(config: Config, log: Logger, options: OpenOptions = {}): Promise<Application> {
  const clock: Clock = config.now ? frozenClock(config.now) : systemClock
  const ids = randomIds
  const migrations = await readMigrations()
  const db = await openDatabase(config, options)
  try {
    // Embedded, the program is the only one on its database and brings it up to date; a server's schema is moved on
    // purpose, by `arcadia migrate`.
    if (db.kind === 'pglite') await migrate(db, migrations, clock.now())
    else await requireSchema(db, migrations)

    const provider = connectProvider(config, log)
    const finance = connectFinance(config, clock)
    const metrics = createMetrics()
    const jobs = createJobs({ db, clock, ids, log, metrics })
    const edge: Edge = { db, clock, ids, log, later: jobs.later }
    const { routes, work, invariants } = wireContexts(edge, { config, provider, finance })
    await jobs.open([...work, auditJob(edge, invariants)])
    const jwt_secret = await jwtSecret(config, ids)
    const http = await createHttp({
      db,
      clock,
      ids,
      log,
      metrics,
      jwt_secret,
      metrics_open: config.metrics_open,
      ready: () => requireSchema(db, migrations),
      routes,
    })
    return {
      config,
      edge,
      jobs,
      http,
      provider,
      finance,
      invariants,
      jwt_secret,
      close: async () => {
        await http.close()
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
 * What each context brings, in order. A context calls those below it only through the hooks that it is handed here, in
 * its own transaction.
 */
function wireContexts(edge: Edge, { config, provider, finance }: Connections & { config: Config }) {
  const { ids, clock } = edge
  const onTransition: TransitionHook = (tx, change) => followDeployment(within(tx), change, { ids })
  const onBillIssued: BillIssuedHook = (tx, bill) => queueBill(within(tx), bill, { now: clock.now(), id: ids.uuid() })
  const onInvoiceIssued: InvoiceIssuedHook = (tx, invoice) =>
    queueInvoice(within(tx), invoice, { now: clock.now(), id: ids.uuid() })
  const bills = { provider, onBillIssued }
  const invoices = { seller: config.seller, onInvoiceIssued }
  return {
    routes: [
      tenantsRoutes(edge),
      catalogRoutes(edge),
      deploymentsRoutes(edge, { onTransition }),
      inventoryRoutes(edge),
      subscriptionsRoutes(edge),
      meteringRoutes(edge),
      llmUsageRoutes(edge),
      costsRoutes(edge, bills),
      invoicingRoutes(edge, invoices),
      financeRoutes(edge),
      marginRoutes(edge),
    ],
    work: [
      ...inventoryJobs(edge, { provider }),
      ...costsJobs(edge, bills),
      ...invoicingJobs(edge, invoices),
      ...financeJobs(edge, { client: finance }),
    ],
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
