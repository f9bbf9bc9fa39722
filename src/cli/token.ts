import { type Config, loadConfig } from '../config.ts'
import { invalidInput, notFound, Problem } from '../kernel/problem.ts'
import { isRole, mintToken, ROLES } from '../platform/auth.ts'
import { clockOf } from '../platform/clock.ts'
import { secretOf, withApi } from './connect.ts'
import { print } from './output.ts'

const TTL = /^(\d{1,6})([smhd])$/
const UNITS = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' } as const

export async function runToken(options: {
  role: string
  tenant?: string
  ttl: string
  subject: string
}): Promise<void> {
  const config = loadConfig()
  requireRole(options)
  if (options.tenant !== undefined) await requireTenant(config, options.tenant)
  print(
    await mintToken(
      { sub: options.subject, role: options.role, tenant_id: options.tenant ?? null },
      { secret: await secretOf(config), now: clockOf(config).now(), ttl: readTtl(options.ttl) },
    ),
  )
}

export function requireRole({ role, tenant }: { role: string; tenant?: string }): void {
  if (!isRole(role)) throw invalidInput(`There is no role ${role}. It must be one of: ${ROLES.join(', ')}.`)
  if (role === 'tenant' && tenant === undefined)
    throw invalidInput('The role tenant belongs to a tenant: name it with --tenant.')
}

async function requireTenant({ database, remote }: Config, id: string): Promise<void> {
  // Every process has a database in memory of its own.
  if (database.kind === 'memory' && remote === null) return
  try {
    await withApi((api) => api.get(`/tenants/${encodeURIComponent(id)}`))
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== notFound.kind.code) throw error
    throw invalidInput(`There is no tenant ${id}. GET /tenants lists them.`)
  }
}

function readTtl(text: string): Temporal.Duration {
  const [, amount, unit] = TTL.exec(text) ?? []
  if (amount === undefined || unit === undefined)
    throw invalidInput('--ttl must be a number with a unit: 90s, 30m, 1h or 7d.')
  const name = UNITS[unit as keyof typeof UNITS]
  // An instant knows no days, so a day is 24 hours here.
  return name === 'days'
    ? Temporal.Duration.from({ hours: Number(amount) * 24 })
    : Temporal.Duration.from({ [name]: Number(amount) })
}
