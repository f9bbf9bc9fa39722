import { type Config, loadConfig } from '../config.ts'
import { invalidInput } from '../kernel/problem.ts'
import { mintToken, readSecret } from '../platform/auth.ts'
import { frozenClock, systemClock } from '../platform/clock.ts'
import { requireBooks } from '../platform/data-dir.ts'
import { print } from './output.ts'

const TTL = /^(\d{1,6})([smhd])$/
const UNITS = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' } as const
const OPERATOR_ROLES = new Set(['platform_admin', 'gateway', 'meter'])

export async function runToken(options: {
  role: string
  tenant?: string
  ttl: string
  subject: string
}): Promise<void> {
  const config = loadConfig()
  if (!OPERATOR_ROLES.has(options.role) && options.tenant === undefined) {
    throw invalidInput(`The role ${options.role} belongs to a tenant: name it with --tenant.`)
  }
  const clock = config.now ? frozenClock(config.now) : systemClock
  print(
    await mintToken(
      { sub: options.subject, role: options.role, tenant_id: options.tenant ?? null },
      { secret: await secretOf(config), now: clock.now(), ttl: readTtl(options.ttl) },
    ),
  )
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
