import { pino } from 'pino'
import { type Account, demoAccount, startDigitalOceanStandIn } from '../../demo/digitalocean/index.ts'
import { startFinanceStandIn } from '../../demo/finance/index.ts'
import { type Application, openApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { syncNow } from '../../src/contexts/costs/index.ts'
import { pushDue } from '../../src/contexts/finance/index.ts'
import { present } from '../../src/kernel/invariant.ts'
import { runAudit } from '../../src/platform/audit.ts'
import { frozenClock } from '../../src/platform/clock.ts'
import type { Database } from '../../src/platform/db.ts'
import { type Answer, type As, type Call, callerOn } from '../support/http.ts'

const SECRET = 'a-secret-for-scenarios-only-0123456789ab'
const PROVIDER_TOKEN = 'dop_v1_scenarios'

/** The whole program on some database, with a frozen clock and stand-ins for the outside: what a story is told with. */
export type Books = {
  app: Application
  call: Call
  clock: ReturnType<typeof frozenClock>
  finance: Awaited<ReturnType<typeof startFinanceStandIn>>
  /** The `data` of a successful answer; fails the story on any other. */
  ok<T = any>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, as?: As): Promise<T>
  sync(): ReturnType<typeof syncNow>
  push(): Promise<void>
  /** Names of the invariants that do not hold. */
  broken(): Promise<string[]>
  close(): Promise<void>
}

/** Of the bills of years that the demo's account has, the newest is enough for the month that is told of. */
const BILLS = 1

export async function openBooks(
  db: Database,
  now: string,
  account: Account = { ...demoAccount(), invoices: demoAccount().invoices.slice(0, BILLS) },
): Promise<Books> {
  const clock = frozenClock(now)
  const provider = await startDigitalOceanStandIn({ token: PROVIDER_TOKEN, account })
  const finance = await startFinanceStandIn({ jwt_secret: SECRET, now: () => clock.now() })
  const config = loadConfig({
    DATABASE_URL: 'memory://',
    ARCADIA_JWT_SECRET: SECRET,
    DIGITALOCEAN_TOKEN: PROVIDER_TOKEN,
    DIGITALOCEAN_API_URL: provider.url,
    FINANCE_URL: finance.url,
    FINANCE_JWT_SECRET: SECRET,
    ARCADIA_SELLER_LEGAL_NAME: 'Seller Pty Ltd',
  })
  const app = await openApp(config, pino({ level: 'silent' }), { db, clock })
  const call = callerOn(await app.http(), clock, SECRET)
  return {
    app,
    call,
    clock,
    finance,
    ok: async (method, path, body, as) => {
      const answer: Answer = await call(method, path, { ...(body !== undefined && { body }), ...(as && { as }) })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.body.data
    },
    sync: () =>
      syncNow({
        edge: app.edge,
        provider: present(app.costs.provider, 'stories have a provider'),
        onBillIssued: app.costs.onBillIssued,
      }),
    push: async () => {
      await pushDue(app.edge, { client: app.finance })
    },
    broken: async () =>
      (await runAudit(app.edge.db.read, app.invariants))
        .filter((finding) => !finding.ok)
        .map((finding) => finding.name),
    close: async () => {
      await app.close()
      await provider.close()
      await finance.close()
    },
  }
}
