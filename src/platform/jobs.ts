import { fromKysely, fromPglite, type Job as QueuedJob, PgBoss } from 'pg-boss'
import { sql } from 'kysely'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { invariant, messageOf } from '../kernel/invariant.ts'
import type { Clock } from './clock.ts'
import { anyOf, type Database, type Reader, type Tx } from './db.ts'
import type { Ids } from './ids.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { isOutage } from './outage.ts'

/**
 * A job says "look again"; the tables say what is due. So a tick that is missed, late or doubled does no harm, and
 * every job is safe to run again.
 */
export type Job<P extends TSchema = TSchema> = {
  readonly name: string
  readonly payload: P
  /** Cron in UTC, for jobs that come by themselves (with an empty payload). */
  readonly schedule?: string
  /** One with a schedule that also comes once whenever a process starts to work: what came due while none did is late. */
  readonly at_start?: true
  readonly retry_limit?: number
  /** Seconds until the first retry; each further one waits twice as long. */
  readonly retry_delay_s?: number
  readonly expire_in_s?: number
  handle(payload: Static<P>, run: JobRun): Promise<JobOutcome>
}

/** What a run has to say for the operator: shown by `arcadia doctor`. */
export type JobOutcome = { outcome: 'done' | 'skipped'; detail: string }

export type JobRun = {
  /** The transaction of the job's effect. The job completes in it, so that a crash repeats all or nothing. */
  finish<T>(effect: (tx: Tx) => Promise<T>): Promise<T>
}

/**
 * Puts a job into the queue once for each payload, all in one statement of the caller's transaction: they run if and
 * only if that commits.
 */
export type Later = <P extends TSchema>(tx: Reader, job: Job<P>, ...payloads: readonly Static<P>[]) => Promise<void>

export type Jobs = {
  readonly later: Later
  /** Makes the queues of all jobs, so that `later` works. */
  open(jobs: readonly Job[]): Promise<void>
  /** Starts working on the queues and on the schedules. */
  work(): Promise<void>
  /** Runs a job now, in this process, and records the run. */
  runNow<P extends TSchema>(job: Job<P>, payload: Static<P>): Promise<JobOutcome>
  /** Waits until no job of ours is waiting or running. False when it took longer than `timeout_ms`. */
  drain(timeout_ms: number): Promise<boolean>
  counts(): Promise<{ name: string; queued: number; active: number; failed: number }[]>
  /** Lets running jobs finish. */
  close(): Promise<void>
}

const SCHEMA = 'pgboss'
const POLLING_INTERVAL_S = 2
const STOP_TIMEOUT_MS = 30_000
const RETRY_LIMIT = 5
const RETRY_DELAY_S = 30
const EXPIRE_IN_S = 15 * 60
const DRAIN_POLL_MS = 100
const RUN_RETENTION = Temporal.Duration.from({ hours: 24 * 30 })

export function createJobs({
  db,
  clock,
  ids,
  log,
  metrics,
}: {
  db: Database
  clock: Clock
  ids: Ids
  log: Log
  metrics: Metrics
}): Jobs {
  let jobs: readonly Job[] = []
  const stopping = new AbortController()
  const boss = createBoss(db, { signal: stopping.signal })
  boss.on('error', (error) => {
    // Every worker would say at every tick what the database has said once.
    if (!isOutage(error)) log.error({ err: error }, 'job queue')
  })

  const record = async (name: string, work: () => Promise<JobOutcome>): Promise<JobOutcome> => {
    const id = ids.uuid()
    await db.transaction(async (tx) => {
      const now = clock.now()
      await tx
        .deleteFrom('platform.run')
        .where('name', '=', name)
        .where('started_at', '<', now.subtract(RUN_RETENTION))
        .execute()
      await tx.insertInto('platform.run').values({ id, name, started_at: now, outcome: 'running' }).execute()
    })
    const close = async (outcome: 'done' | 'skipped' | 'failed', detail: string) => {
      await db.reachable(stopping.signal)
      await db.transaction((tx) =>
        tx
          .updateTable('platform.run')
          .set({ outcome, detail, finished_at: clock.now() })
          .where('id', '=', id)
          .execute(),
      )
    }
    try {
      const result = await work()
      await close(result.outcome, result.detail)
      metrics.jobFinished(name, result.outcome)
      return result
    } catch (error) {
      if (isOutage(error)) log.warn({ job: name, reason: messageOf(error) }, 'job interrupted')
      else log.error({ err: error, job: name }, 'job failed')
      metrics.jobFinished(name, 'failed')
      await close('failed', messageOf(error))
      throw error
    }
  }

  return {
    later: async (tx, job, ...payloads) => {
      const fits = payloads.every((payload) => Value.Check(job.payload, payload))
      invariant(fits, `job ${job.name} got a payload that does not fit its schema`)
      const queued = payloads.map((payload) => ({ data: payload as object }))
      if (queued.length > 0) await boss.insert(job.name, queued, { db: fromKysely(tx as Tx) })
    },
    open: async (all) => {
      jobs = all
      await boss.start()
      for (const job of jobs) {
        const settings = {
          retryLimit: job.retry_limit ?? RETRY_LIMIT,
          retryDelay: job.retry_delay_s ?? RETRY_DELAY_S,
          retryBackoff: true,
          expireInSeconds: expiryOf(job),
        }
        await boss.createQueue(job.name, settings)
        // A queue that is there already stays as an older program made it.
        await boss.updateQueue(job.name, settings)
        // On the embedded database, the first look at a queue from inside a transaction would wait for that very
        // transaction. This look fills the cache.
        await boss.findJobs(job.name, { id: ids.uuid() })
      }
    },
    work: async () => {
      await closeAbandonedRuns(db, jobs, clock.now())
      for (const schedule of await boss.getSchedules()) {
        const known = jobs.some((job) => job.name === schedule.name && job.schedule !== undefined)
        if (!known) await boss.unschedule(schedule.name, schedule.key)
      }
      for (const job of jobs) {
        if (job.schedule !== undefined) await boss.schedule(job.name, job.schedule, {}, { tz: 'UTC' })
        await boss.work(job.name, { pollingIntervalSeconds: POLLING_INTERVAL_S }, async ([queued]: QueuedJob[]) => {
          if (queued === undefined) return
          await record(job.name, async () =>
            job.handle(Value.Parse(job.payload, queued.data), {
              finish: (effect) =>
                db.transaction(async (tx) => {
                  const result = await effect(tx)
                  await boss.complete(job.name, queued.id, {}, { db: fromKysely(tx) })
                  return result
                }),
            }),
          )
        })
        if (job.at_start) await boss.insert(job.name, [{ data: {} }])
      }
    },
    runNow: (job, payload) =>
      record(job.name, () => job.handle(payload, { finish: (effect) => db.transaction(effect) })),
    drain: async (timeout_ms) => {
      const deadline = monotonicMs() + timeout_ms
      while (monotonicMs() < deadline) {
        const counts = await countJobs(db, jobs)
        if (counts.every((count) => count.queued + count.active === 0)) return true
        await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
      }
      return false
    },
    counts: () => countJobs(db, jobs),
    close: async () => {
      stopping.abort()
      await boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS })
    },
  }
}

/** Makes the queue's own tables, without starting anything. */
export async function migrateQueue(db: Database): Promise<void> {
  const boss = createBoss(db, { supervise: false, schedule: false })
  await boss.start()
  await boss.stop({ graceful: false })
}

type BossOptions = { supervise?: boolean; schedule?: boolean; signal?: AbortSignal }

/** Its connections are ours: while the database is away, the queue waits at its next statement until it is back. */
function createBoss(db: Database, { signal = new AbortController().signal, ...options }: BossOptions = {}): PgBoss {
  const { queue } = db
  return new PgBoss({
    schema: SCHEMA,
    ...options,
    ...(queue.kind === 'pglite'
      ? { db: fromPglite(queue.pglite), backend: 'pglite' as const }
      : {
          db: {
            executeSql: async (text: string, values?: unknown[]) => {
              await db.reachable(signal)
              return queue.executeSql(text, values)
            },
          },
        }),
  })
}

function expiryOf(job: Job | undefined): number {
  return job?.expire_in_s ?? EXPIRE_IN_S
}

/** A run that is older than its job may take was left behind by a process that died; the queue has given it up too. */
async function closeAbandonedRuns(db: Database, jobs: readonly Job[], now: Temporal.Instant): Promise<void> {
  await db.transaction(async (tx) => {
    const running = await tx
      .selectFrom('platform.run')
      .select(['id', 'name', 'started_at'])
      .where('outcome', '=', 'running')
      .execute()
    const abandoned = running.filter(({ name, started_at }) => {
      const expires_at = started_at.add({ seconds: expiryOf(jobs.find((job) => job.name === name)) })
      return Temporal.Instant.compare(expires_at, now) <= 0
    })
    await tx
      .updateTable('platform.run')
      .set({ outcome: 'failed', detail: 'the process ended', finished_at: now })
      .where('outcome', '=', 'running')
      .where('id', '=', anyOf(abandoned.map(({ id }) => id)))
      .execute()
  })
}

/** Monotonic milliseconds: for waiting only, never for data. */
function monotonicMs(): number {
  return performance.now()
}

async function countJobs(db: Database, jobs: readonly Job[]): Promise<Awaited<ReturnType<Jobs['counts']>>> {
  const { rows } = await sql<{ name: string; queued: number; active: number; failed: number }>`
    select name,
      (count(*) filter (where state in ('created', 'retry')))::int as queued,
      (count(*) filter (where state = 'active'))::int as active,
      (count(*) filter (where state = 'failed'))::int as failed
    from ${sql.table(`${SCHEMA}.job`)} group by name`.execute(db.read)
  const byName = new Map(rows.map((row) => [row.name, row]))
  return jobs.map((job) => byName.get(job.name) ?? { name: job.name, queued: 0, active: 0, failed: 0 })
}
