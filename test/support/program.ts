import assert from 'node:assert/strict'
import { pino } from 'pino'
import { type Application, openApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { frozenClock } from '../../src/platform/clock.ts'
import { type Call, callerOn } from './http.ts'

const SECRET = 'a-secret-for-races-only-0123456789abcdef'
const NOW = '2026-05-02T06:00:00Z'

/** The whole program on a PostgreSQL server, with a frozen clock and nothing outside. */
export type Program = {
  app: Application
  call: Call
  clock: ReturnType<typeof frozenClock>
  /** Lines of the log. */
  lines: { level: number; msg: string }[]
}

export async function startProgram(url: string): Promise<Program> {
  const clock = frozenClock(NOW)
  const lines: Program['lines'] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const config = loadConfig({
    DATABASE_URL: url,
    ARCADIA_JWT_SECRET: SECRET,
    ARCADIA_SELLER_LEGAL_NAME: 'Seller Pty Ltd',
  })
  const app = await openApp(config, log, { clock })
  return { app, clock, lines, call: callerOn(await app.http(), clock, SECRET) }
}

/** A tenant with a deployment, a meter and an issued invoice over $10,000.00. */
export async function enterBooks(
  call: Call,
): Promise<Record<'invoice_id' | 'deployment_id' | 'subscription_id', string>> {
  const ok = async (path: string, body: object) => {
    const answer = await call('POST', path, { body })
    assert.ok(answer.status < 300, `${path}: ${answer.text}`)
    return answer.body.data
  }
  await ok('/meters', { code: 'calls', name: 'Calls', unit: 'call', aggregation: 'sum' })
  await ok('/plans', { code: 'flat', name: 'Flat' })
  const terms = { currency: 'USD', interval: 'month', base_price_cents: 1_000_000, proration: 'daily', charges: [] }
  await ok('/plans/flat/versions', terms)
  await ok('/plans/flat/versions/1/publish', {})
  const tax = { treatment: 'export' }
  await ok('/tenants', { id: 't_1', legal_name: 'One', country: 'NO', currency: 'USD', timezone: 'UTC', tax })
  const { id } = await ok('/deployments', { tenant_id: 't_1', slug: 'web', display_name: 'Web' })
  const subscription = await ok(`/deployments/${id}/subscribe`, { plan_code: 'flat', start_date: '2026-04-01' })
  await ok('/invoices/rollup', { period: '2026-04' })
  const [invoice] = (await call('GET', '/invoices?period=2026-04')).body.data
  await ok(`/invoices/${invoice.id}/issue`, {})
  return { invoice_id: invoice.id, deployment_id: id, subscription_id: subscription.id }
}
