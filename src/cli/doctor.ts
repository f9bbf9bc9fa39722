import type { Application } from '../app.ts'
import { listDifferingBills } from '../contexts/costs/index.ts'
import { listUnbilled, unbilledNote } from '../contexts/invoicing/index.ts'
import { listListings, RESOURCE_KINDS } from '../contexts/inventory/index.ts'
import { readMigrations, schemaState } from '../platform/migrate.ts'
import { heading, mark, print, printJson, table } from './output.ts'
import { unclassifiedNote } from './unclassified.ts'
import { withApp } from './with-app.ts'

/** What HS256 asks of a secret (RFC 7518, 3.2). */
const STRONG_SECRET_CHARS = 32

type Check = { name: string; ok: boolean; detail: string }

export async function runDoctor(options: { json?: true }): Promise<void> {
  const report = await withApp(async (app) => ({
    checks: await readChecks(app),
    queues: await app.jobs.counts(),
    runs: await readLastRuns(app),
  }))
  const failing =
    report.checks.filter((check) => !check.ok).length + report.runs.filter((run) => run.outcome === 'failed').length
  if (options.json) printJson({ ok: failing === 0, ...report })
  else {
    print(heading('Configuration and schema'))
    print(
      table(
        [
          { title: 'check', value: (check) => check.name },
          { title: '', value: (check) => mark(check.ok) },
          { title: 'detail', value: (check) => check.detail },
        ],
        report.checks,
      ),
    )
    print(heading('Queues'))
    print(
      table(
        [
          { title: 'job', value: (queue) => queue.name },
          { title: 'waiting', align: 'right', value: (queue) => String(queue.queued) },
          { title: 'running', align: 'right', value: (queue) => String(queue.active) },
          { title: 'failed', align: 'right', value: (queue) => String(queue.failed) },
        ],
        report.queues,
      ),
    )
    print(heading('Last runs'))
    print(
      report.runs.length === 0
        ? 'No job has run yet.'
        : table(
            [
              { title: 'job', value: (run) => run.name },
              { title: 'started', value: (run) => run.started_at.toString({ smallestUnit: 'second' }) },
              { title: 'outcome', value: (run) => run.outcome },
              { title: 'detail', value: (run) => run.detail ?? '' },
            ],
            report.runs,
          ),
    )
  }
  if (failing > 0) process.exitCode = 1
}

async function readChecks(app: Application): Promise<Check[]> {
  const { config, edge, jwt_secret } = app
  const schema = await schemaState(edge.db, await readMigrations())
  const database =
    config.database.kind === 'embedded' ? `embedded in ${config.database.data_dir}` : config.database.kind
  return [
    { name: 'database', ok: true, detail: database },
    { name: 'schema', ok: schema.state === 'current' || schema.state === 'newer', detail: schema.state },
    {
      name: 'token secret',
      ok: true,
      detail:
        jwt_secret.length < STRONG_SECRET_CHARS ? `weak: make it at least ${STRONG_SECRET_CHARS} characters` : 'strong',
    },
    // Not configured is a choice, so it is shown and is no failure.
    {
      name: 'provider',
      ok: true,
      detail:
        config.digitalocean.token === null ? 'not configured: set DIGITALOCEAN_TOKEN' : config.digitalocean.api_url,
    },
    { name: 'inventory', ok: true, detail: await listingsNote(app) },
    {
      name: 'finance',
      ok: true,
      detail: config.finance.jwt_secret === null ? 'not configured: set FINANCE_JWT_SECRET' : config.finance.url,
    },
    { name: 'bills', ...(await differencesNote(app)) },
    { name: 'products', ok: true, detail: (await unclassifiedNote(app)) ?? 'every line of every bill is classified' },
    { name: 'unbilled', ok: true, detail: await unbilledDetail(app) },
    { name: 'seller', ok: true, detail: config.seller.legal_name },
    { name: 'clock', ok: true, detail: config.now ? `frozen at ${config.now}` : 'system' },
  ]
}

/** A kind that the token may not list is a choice, too. */
async function listingsNote({ edge }: Application): Promise<string> {
  const listings = await listListings(edge.db.read, { limit: RESOURCE_KINDS.length, after: undefined })
  if (listings.length === 0) return 'not read yet'
  const missing = listings.filter(({ last_error }) => last_error !== null)
  const unread = listings.flatMap(({ kind, ...listing }) => listing.unread.map((object) => ({ kind, ...object })))
  return [
    missing.length === 0
      ? 'every kind of resource can be listed'
      : `not listed: ${missing.map(({ kind, scope }) => `${kind} (needs ${scope})`).join(', ')}`,
    ...unread.map(({ kind, external_id, reason }) => `unread: ${kind} ${external_id ?? 'without an id'}, ${reason}`),
  ].join('; ')
}

/** What was used and billed to nobody is for somebody to look at, and no failure. */
async function unbilledDetail({ edge }: Application): Promise<string> {
  const note = unbilledNote(await listUnbilled(edge.db.read, { now: edge.clock.now() }))
  return note === null ? 'all usage of the last month is billed' : `${note}: GET /invoices/unbilled lists them`
}

async function differencesNote({ edge }: Application): Promise<Pick<Check, 'ok' | 'detail'>> {
  const bills = await listDifferingBills(edge.db.read)
  if (bills.length === 0) return { ok: true, detail: 'as the providers send them' }
  const names = bills.map(({ provider, external_id }) => `${external_id} of ${provider}`)
  return {
    ok: false,
    detail: `the provider sends another version of ${names.join(', ')}: GET /billing/provider-invoices/:id/difference shows both, POST …/difference/settle with a reason ends the alarm`,
  }
}

async function readLastRuns({ edge }: Application) {
  return edge.db.read
    .selectFrom('platform.run')
    .distinctOn('name')
    .select(['name', 'started_at', 'finished_at', 'outcome', 'detail'])
    .orderBy('name')
    .orderBy('started_at', 'desc')
    .execute()
}
