import { type Config, loadConfig } from '../config.ts'
import { invalidInput, Problem } from '../kernel/problem.ts'
import { isRole, mintToken, readSecret, ROLES } from '../platform/auth.ts'
import { frozenClock, systemClock } from '../platform/clock.ts'
import { dataDirInUse, requireBooks } from '../platform/data-dir.ts'
import { openDatabase, type Reader } from '../platform/db.ts'
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
  if (options.tenant !== undefined) await requireTenantOf(config, options.tenant)
  const clock = config.now ? frozenClock(config.now) : systemClock
  print(
    await mintToken(
      { sub: options.subject, role: options.role, tenant_id: options.tenant ?? null },
      { secret: await secretOf(config), now: clock.now(), ttl: readTtl(options.ttl) },
    ),
  )
}

export function requireRole({ role, tenant }: { role: string; tenant?: string }): void {
  if (!isRole(role)) throw invalidInput(`There is no role ${role}. It must be one of: ${ROLES.join(', ')}.`)
  if (role === 'tenant' && tenant === undefined)
    throw invalidInput('The role tenant belongs to a tenant: name it with --tenant.')
}

export async function requireTenant(reader: Reader, id: string): Promise<void> {
  const tenant = await reader.selectFrom('tenants.tenant').select('id').where('id', '=', id).executeTakeFirst()
  if (tenant === undefined) throw invalidInput(`There is no tenant ${id}. GET /tenants lists them.`)
}

/** Books that a running server holds cannot be looked at here: the token is made, and it is said. */
async function requireTenantOf(config: Config, id: string): Promise<void> {
  // Every process has a database in memory of its own.
  if (config.database.kind === 'memory') return
  if (config.database.kind === 'embedded') await requireBooks(config.database.data_dir)
  try {
    const db = await openDatabase(config)
    try {
      await requireTenant(db.read, id)
    } finally {
      await db.close()
    }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== dataDirInUse.kind.code) throw error
    process.stderr.write(`Not checked that there is a tenant ${id}: ${error.message}\n`)
  }
}

/** Only read: one that was made here would be another than that of the server. */
async function secretOf({ database, jwt_secret }: Config): Promise<string> {
  if (jwt_secret !== null) return jwt_secret
  if (database.kind !== 'embedded') {
    throw invalidInput('A database in memory makes a new secret at each start. Set ARCADIA_JWT_SECRET to share one.')
  }
  await requireBooks(database.data_dir)
  return readSecret(database.data_dir)
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
