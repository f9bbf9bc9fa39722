import { join } from 'node:path'
import { openApp } from '../src/app.ts'
import { print, printJson } from '../src/cli/output.ts'
import { migrateBooks } from '../src/cli/migrate.ts'
import { listen, stopGracefully } from '../src/cli/serve.ts'
import { type Client, createClient } from '../src/cli/client.ts'
import { sync } from '../src/cli/sync.ts'
import { environment, loadConfig } from '../src/config.ts'
import { pushDue } from '../src/contexts/finance/index.ts'
import { problem } from '../src/kernel/problem.ts'
import { mintToken } from '../src/platform/auth.ts'
import { announceServer, makeDataDir } from '../src/platform/data-dir.ts'
import { randomIds } from '../src/platform/ids.ts'
import { createLog } from '../src/platform/log.ts'
import { enterBooks, sendLlmUsage } from './books.ts'
import { PERIOD, SELLER, TENANTS } from './company.ts'
import { demoAccount, DEMO_NOW, startDigitalOceanStandIn } from './digitalocean/index.ts'
import { startFinanceStandIn } from './finance/index.ts'
import { printReport, readReport } from './report.ts'

const othersBooks = problem({ code: 'demo/not-the-demos-books', status: 409, title: 'The database holds other books' })

const PROVIDER_TOKEN = 'dop_v1_demo'
const TOKEN_TTL = Temporal.Duration.from({ hours: 24 })
const SHOWN_LINES = 3

/**
 * A month of a made-up operator, through the public commands and over real HTTP: the bill comes in, is matched and
 * pushed; usage arrives; invoices go out; margin is shown. Run again on the same database it changes nothing.
 */
export async function runDemo(options: { json?: true; serve: boolean }): Promise<void> {
  const say = options.json ? () => {} : print
  const opened = new AsyncDisposableStack()
  try {
    say('Opening the books of the demo: new ones take some seconds …')
    const { app, url, finance } = await openDemo(options, opened)
    const token = (role: string) =>
      mintToken(
        { sub: 'demo', role, tenant_id: null },
        { secret: app.jwt_secret, now: app.edge.clock.now(), ttl: TOKEN_TTL },
      )
    const operator = createClient({ url, token: await token('platform_admin') })
    const gateway = createClient({ url, token: await token('gateway') })

    await refuseOthersBooks(operator)
    say('Entering tenants, plans and deployments …')
    await enterBooks(operator)

    say('Reading inventory, balance and bills from the provider …')
    const synced = await sync(operator)
    say(`  ${synced.resources} resources; ${synced.invoices_new} new bills, ${synced.invoices_unchanged} unchanged`)

    say('Receiving priced LLM usage from the gateway …')
    const usage = await sendLlmUsage(operator, gateway)
    say(`  ${usage.created} priced, ${usage.held} held for review, ${usage.duplicates} known already`)

    say(`Invoicing ${PERIOD} …`)
    await operator.post('/invoices/rollup', { period: PERIOD })
    await issueDrafts(operator)

    say('Pushing bills and invoices to the finance service …')
    await pushDue(app.edge, { client: app.finance })
    await pushAgainOnce(operator, finance, () => pushDue(app.edge, { client: app.finance }))

    const report = await readReport(operator, { app, finance })
    if (options.json) printJson(report)
    else await printReport(operator, report)
    if (report.checks.some((check) => !check.ok)) process.exitCode = 1

    if (!options.serve) return await opened.disposeAsync()
    await app.jobs.work()
    stopGracefully(app.edge.log, () => opened.disposeAsync())
    say(invitation(url, await token('platform_admin')))
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

/** The stand-ins and the program beside them, all to be closed with `opened`, the last one first. */
async function openDemo(options: { serve: boolean }, opened: AsyncDisposableStack) {
  const secret = randomIds.secret()
  const account = { token: PROVIDER_TOKEN, account: demoAccount() }
  const provider = opened.adopt(await startDigitalOceanStandIn(account), closeIt)
  const base = demoEnvironment()
  const books = { jwt_secret: secret, now: () => DEMO_NOW, ...(await ledgerFile(base)) }
  const finance = opened.adopt(await startFinanceStandIn(books), closeIt)
  const config = loadConfig({
    ...base,
    DIGITALOCEAN_TOKEN: PROVIDER_TOKEN,
    DIGITALOCEAN_API_URL: provider.url,
    FINANCE_URL: finance.url,
    FINANCE_JWT_SECRET: secret,
    ...(!options.serve && { PORT: '0' }),
  })
  const log = createLog(config.log_level)
  if (config.database.kind === 'postgres') await migrateBooks(config, log)
  const app = opened.adopt(await openApp(config, log), closeIt)
  const url = await listen(await app.http(), config)
  if (config.database.kind === 'embedded') await announceServer(config.database.data_dir, url)
  return { app, finance, url }
}

const closeIt = (it: { close(): Promise<void> }): Promise<void> => it.close()

/** Real settings are left alone: the demo has a directory, a clock, a seller and outside systems of its own. */
function demoEnvironment(): Record<string, string | undefined> {
  const env = environment()
  return {
    ARCADIA_LOG_LEVEL: 'error',
    ...env,
    ...SELLER,
    ARCADIA_NOW: DEMO_NOW.toString(),
    ARCADIA_DATA_DIR: env['ARCADIA_DATA_DIR'] ?? './data/demo',
    // The demo mints its own tokens, so a secret of its own will do.
    ARCADIA_JWT_SECRET:
      env['ARCADIA_JWT_SECRET'] ?? (env['DATABASE_URL'] === undefined ? undefined : randomIds.secret()),
  }
}

/** With books that last, the finance service's documents last too, or a second run would find them gone. */
async function ledgerFile(env: Record<string, string | undefined>): Promise<{ ledger_file?: string }> {
  const dir = env['ARCADIA_DATA_DIR']
  if (env['DATABASE_URL'] === 'memory://' || dir === undefined) return {}
  return { ledger_file: join(await makeDataDir(dir), 'finance-stand-in.json') }
}

async function refuseOthersBooks(operator: Client): Promise<void> {
  const known = new Set(TENANTS.map((tenant) => tenant.id))
  const others = (await operator.list<{ id: string }>('/tenants')).filter((tenant) => !known.has(tenant.id))
  if (others.length > 0) {
    throw othersBooks(
      `The database has tenants that are not the demo's (${others.length}). Set ARCADIA_DATA_DIR or DATABASE_URL to another one.`,
    )
  }
}

/** In the order of the tenants, so that every run gives the same numbers. */
async function issueDrafts(operator: Client): Promise<void> {
  const drafts = await operator.list<{ id: string; tenant_id: string }>(`/invoices?period=${PERIOD}&status=draft`)
  for (const { id } of drafts.toSorted((a, b) => a.tenant_id.localeCompare(b.tenant_id))) {
    await operator.post(`/invoices/${id}/issue`, {})
  }
}

/** The April bill goes to the finance service a second time, which must answer "updated" and keep one document. */
async function pushAgainOnce(
  operator: Client,
  finance: { documents(): { actions: { updated: number } }[] },
  push: () => Promise<unknown>,
): Promise<void> {
  if (finance.documents().some((document) => document.actions.updated > 0)) return
  const bills = await operator.list<{ id: string; external_id: string }>(`/billing/provider-invoices?period=${PERIOD}`)
  const pushes = await operator.list<{ id: string; external_id: string }>('/finance/pushes')
  const again = pushes.find((row) => row.external_id === bills[0]?.external_id)
  if (again === undefined) return
  await operator.post(`/finance/pushes/${again.id}/retry`, {})
  await push()
}

function invitation(url: string, token: string): string {
  const examples = [
    `/margin?period=${PERIOD}&group_by=deployment`,
    `/invoices?period=${PERIOD}`,
    `/billing/cost-lines?period=${PERIOD}&match_status=unmatched&limit=${SHOWN_LINES}`,
  ]
  return [
    `\nServing ${url}, documentation: ${url}/docs`,
    'Stop with Ctrl-C.',
    `\nexport TOKEN=${token}\n`,
    ...examples.map((path) => `curl -s -H "authorization: Bearer $TOKEN" '${url}/api/v1${path}'`),
  ].join('\n')
}
