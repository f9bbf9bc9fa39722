import { Type } from 'typebox'
import type { Config } from '../config.ts'
import type { Clock } from './clock.ts'
import type { Database, Reader } from './db.ts'
import { inMib, LOW_DISK_BYTES } from './disk.ts'
import type { App } from './http.ts'
import type { Jobs } from './jobs.ts'
import { type Migration, schemaState } from './migrate.ts'
import { Data, InstantOut, Nullable } from './wire.ts'

/** Something that an operator wants to know to be well. Its query is cheap: it is asked beside the work of the day. */
export type Check = {
  readonly name: string
  /** `ok: false` needs attention; what is not configured is a choice, and ok. */
  read(reader: Reader, now: Temporal.Instant): Promise<CheckResult>
}
export type CheckResult = { readonly ok: boolean; readonly detail: string }

export type DoctorDeps = {
  readonly config: Config
  readonly db: Database
  readonly clock: Clock
  readonly jobs: Pick<Jobs, 'counts'>
  readonly migrations: readonly Migration[]
  /** What the contexts look at. */
  readonly checks: readonly Check[]
}

/** `GET /doctor`: what `arcadia doctor` says. */
export const doctorRoutes =
  (deps: DoctorDeps) =>
  (app: App): void => {
    app.get(
      '/doctor',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['operations'],
          summary: 'Configuration, schema, queues and last runs; not ok when something needs attention',
          response: { 200: Data(DoctorOut) },
        },
      },
      async () => ({ data: await examine(deps) }),
    )
  }

async function examine({ config, db, clock, jobs, migrations, checks }: DoctorDeps) {
  const found = []
  // One after the other: the doctor takes one connection, not all of them.
  for (const { name, read } of [...settingsOf(config), schemaCheck(db, migrations), ...diskChecks(db), ...checks]) {
    found.push({ name, ...(await read(db.read, clock.now())) })
  }
  const queues = await jobs.counts()
  const runs = await readLastRuns(db.read)
  const ok = found.every((check) => check.ok) && runs.every(({ outcome }) => outcome !== 'failed')
  return { ok, checks: found, queues, runs }
}

function schemaCheck(db: Database, migrations: readonly Migration[]): Check {
  const read = async () => {
    const { state } = await schemaState(db, migrations)
    return { ok: state === 'current' || state === 'newer', detail: state }
  }
  return { name: 'schema', read }
}

function settingsOf(config: Config): Check[] {
  const { database, jwt_secret, digitalocean, finance, seller, now } = config
  const settings: [name: string, detail: string][] = [
    ['database', database.kind === 'embedded' ? `embedded in ${database.data_dir}` : database.kind],
    ['token secret', jwt_secret === null ? 'made at the first start' : 'set in ARCADIA_JWT_SECRET'],
    ['provider', digitalocean.token === null ? 'not configured: set DIGITALOCEAN_TOKEN' : digitalocean.api_url],
    ['finance', finance.jwt_secret === null ? 'not configured: set FINANCE_JWT_SECRET' : finance.url],
    ['seller', seller.legal_name],
    ['clock', now === null ? 'system' : `frozen at ${now}`],
  ]
  return settings.map(([name, detail]) => ({ name, read: async () => ({ ok: true, detail }) }))
}

function diskChecks({ disk }: Database): Check[] {
  if (disk === null) return []
  const read = async () => {
    const free_bytes = disk()
    return { ok: free_bytes >= LOW_DISK_BYTES, detail: `${inMib(free_bytes)} free` }
  }
  return [{ name: 'disk', read }]
}

/** By the index on name and time, one row for each. */
async function readLastRuns(reader: Reader) {
  return reader
    .selectFrom('platform.run')
    .distinctOn('name')
    .select(['name', 'started_at', 'finished_at', 'outcome', 'detail'])
    .orderBy('name')
    .orderBy('started_at', 'desc')
    .execute()
}

const DoctorOut = Type.Object({
  ok: Type.Boolean(),
  checks: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() })),
  queues: Type.Array(
    Type.Object({ name: Type.String(), queued: Type.Integer(), active: Type.Integer(), failed: Type.Integer() }),
  ),
  runs: Type.Array(
    Type.Object({
      name: Type.String(),
      started_at: InstantOut,
      finished_at: Nullable(InstantOut),
      outcome: Type.String(),
      detail: Nullable(Type.String()),
    }),
  ),
})
