import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { pino } from 'pino'
import { Type } from 'typebox'
import { memoryDatabase } from '../../test/support/database.ts'
import { frozenClock } from './clock.ts'
import type { Database, Tx } from './db.ts'
import { randomIds } from './ids.ts'
import { createJobs, type Job, type JobRun, type Jobs } from './jobs.ts'
import { createMetrics } from './metrics.ts'
import { PATIENCE_MS } from '../../test/support/patience.ts'

const NOW = '2026-05-02T06:00:00Z'
const NOTHING = Type.Object({})
const Note = Type.Object({ note: Type.String() })

const notes: string[] = []
const attempts = new Map<string, number>()
const slow = { started: Promise.withResolvers<void>(), may_finish: Promise.withResolvers<void>() }

const takesNotes: Job<typeof Note> = {
  name: 'test.take-note',
  payload: Note,
  handle: async ({ note }, run) => {
    await run.finish(async () => void notes.push(note))
    return { outcome: 'done', detail: note }
  },
}
const failsInside = job('test.fail-inside', (run, attempt) =>
  run.finish(async (tx) => {
    await leaveEffect(tx, 'inside')
    if (attempt === 1) throw new Error('failed inside its transaction')
  }),
)
const failsAfterwards = job('test.fail-afterwards', async (run) => {
  await run.finish((tx) => leaveEffect(tx, 'afterwards'))
  throw new Error('failed after its transaction')
})
const runsSlowly = job('test.run-slowly', async (run) => {
  slow.started.resolve()
  await slow.may_finish.promise
  await run.finish((tx) => leaveEffect(tx, 'slow'))
})
const needsNote: Job<typeof Note> = { ...takesNotes, name: 'test.need-note', retry_limit: 0 }
const comesDaily: Job = { ...job('test.come-daily', async () => {}), schedule: '23 2 * * *' }
const comesAtStart: Job = { ...job('test.come-at-start', async () => {}), schedule: '23 2 * * *', at_start: true }

let db: Database
let jobs: Jobs
before(async () => {
  db = await memoryDatabase()
  await db.script('create table platform.effect (name text not null)')
  await leaveBehind()
  jobs = newJobs()
  await jobs.open([takesNotes, failsInside, failsAfterwards, runsSlowly, comesDaily, comesAtStart, needsNote])
  await jobs.work()
})
after(() => db.close())

// The queue is asked every two seconds: the tests wait side by side.
describe('jobs', { concurrency: true, timeout: PATIENCE_MS }, () => {
  test('a job runs once if its transaction commits, and not at all if it does not', async () => {
    await assert.rejects(() =>
      db.transaction(async (tx) => {
        await jobs.later(tx, takesNotes, { note: 'rolled back' })
        throw new Error('changed my mind')
      }),
    )
    await db.transaction((tx) => jobs.later(tx, takesNotes, { note: 'committed' }, { note: 'with it' }))
    await jobs.drain(PATIENCE_MS)
    assert.deepEqual(notes.toSorted(), ['committed', 'with it'])
    assert.equal((await runsOf(takesNotes)).length, 2)
  })

  test('a job that says so comes once when work starts, others wait for their schedule', async () => {
    await jobs.drain(PATIENCE_MS)
    assert.deepEqual(await runsOf(comesAtStart), [{ outcome: 'done', detail: 'attempt 1' }])
    assert.deepEqual(await runsOf(comesDaily), [])
  })

  test('a job that fails in its transaction leaves no effect, and is tried again', async () => {
    await db.transaction((tx) => jobs.later(tx, failsInside, {}))
    await jobs.drain(PATIENCE_MS)
    assert.equal(await countEffects('inside'), 1)
    assert.deepEqual(await runsOf(failsInside), [
      { outcome: 'done', detail: 'attempt 2' },
      { outcome: 'failed', detail: 'failed inside its transaction' },
    ])
  })

  test('a payload of an older program that does not fit any more is recorded as a failed run', async () => {
    const takesNothing = { ...takesNotes, name: needsNote.name, payload: NOTHING } as Job
    await db.transaction((tx) => jobs.later(tx, takesNothing, {}))
    await jobs.drain(PATIENCE_MS)
    const [run, ...others] = await runsOf(needsNote)
    assert.deepEqual([run?.outcome, others], ['failed', []])
  })

  test('a job is complete when its transaction is: a later failure does not repeat the effect', async () => {
    await db.transaction((tx) => jobs.later(tx, failsAfterwards, {}))
    await jobs.drain(PATIENCE_MS)
    assert.equal(await countEffects('afterwards'), 1)
    assert.deepEqual(await runsOf(failsAfterwards), [{ outcome: 'failed', detail: 'failed after its transaction' }])
  })
})

test('a payload that does not fit its schema is a bug of the caller', async () => {
  await assert.rejects(
    () => db.transaction((tx) => jobs.later(tx, takesNotes as Job, { note: 7 })),
    /test\.take-note got a payload that does not fit/,
  )
})

test('a schedule stands in the queue, in UTC', async () => {
  const { rows } = await sql`select name, cron, timezone from pgboss.schedule order by name desc`.execute(db.read)
  const terms = { cron: '23 2 * * *', timezone: 'UTC' }
  assert.deepEqual(rows, [
    { name: comesDaily.name, ...terms },
    { name: comesAtStart.name, ...terms },
  ])
})

test('a job can be run at once, and the run is recorded with its times', async () => {
  assert.deepEqual(await jobs.runNow(comesDaily, {}), { outcome: 'done', detail: 'attempt 1' })
  const [run] = await db.read.selectFrom('platform.run').selectAll().where('name', '=', comesDaily.name).execute()
  assert.equal(run?.started_at.toString(), NOW)
  assert.equal(run?.finished_at?.toString(), NOW)
})

test('a queue that an older program made gets the settings of this one', async () => {
  const { rows } =
    await sql`select retry_limit, expire_seconds from pgboss.queue where name = ${takesNotes.name}`.execute(db.read)
  assert.deepEqual(rows, [{ retry_limit: 5, expire_seconds: 900 }])
})

test('a run that a dead process left behind is closed once its job would have expired, and not before', async () => {
  assert.deepEqual(await runsOf({ name: 'test.died' }), [
    { outcome: 'failed', detail: 'the process ended' },
    { outcome: 'running', detail: null },
  ])
})

test('every queue is counted, also an empty one', async () => {
  const counts = await jobs.counts()
  assert.deepEqual(
    counts.find((count) => count.name === comesDaily.name),
    { name: comesDaily.name, queued: 0, active: 0, failed: 0 },
  )
  assert.equal(counts.length, 7)
})

test('closing waits for the job that is running', { timeout: PATIENCE_MS }, async () => {
  await db.transaction((tx) => jobs.later(tx, runsSlowly, {}))
  await slow.started.promise
  const closed = jobs.close()
  slow.may_finish.resolve()
  await closed
  assert.equal(await countEffects('slow'), 1)
  assert.deepEqual(await runsOf(runsSlowly), [{ outcome: 'done', detail: 'attempt 1' }])
})

function newJobs(): Jobs {
  return createJobs({
    db,
    clock: frozenClock(NOW),
    ids: randomIds,
    log: pino({ level: 'silent' }),
    metrics: createMetrics(),
  })
}

/** What an older program leaves: a queue with other settings, a schedule that is gone, and runs that it died in. */
async function leaveBehind(): Promise<void> {
  const older = newJobs()
  await older.open([
    { ...takesNotes, retry_limit: 9, expire_in_s: 60 },
    { ...comesDaily, name: 'test.came-daily' },
  ])
  await older.work()
  await older.close()
  const now = Temporal.Instant.from(NOW)
  const run = { name: 'test.died', outcome: 'running' } as const
  await db.transaction((tx) =>
    tx
      .insertInto('platform.run')
      .values([
        { ...run, id: randomIds.uuid(), started_at: now.subtract({ minutes: 15 }) },
        { ...run, id: randomIds.uuid(), started_at: now.subtract({ minutes: 14 }) },
      ])
      .execute(),
  )
}

function job(name: string, work: (run: JobRun, attempt: number) => Promise<void>): Job<typeof NOTHING> {
  return {
    name,
    payload: NOTHING,
    retry_delay_s: 0,
    handle: async (_payload, run) => {
      const attempt = (attempts.get(name) ?? 0) + 1
      attempts.set(name, attempt)
      await work(run, attempt)
      return { outcome: 'done', detail: `attempt ${attempt}` }
    },
  }
}

async function leaveEffect(tx: Tx, name: string): Promise<void> {
  await sql`insert into platform.effect values (${name})`.execute(tx)
}

async function countEffects(name: string): Promise<number> {
  const { rows } = await sql`select from platform.effect where name = ${name}`.execute(db.read)
  return rows.length
}

function runsOf({ name }: { name: string }) {
  return db.read
    .selectFrom('platform.run')
    .select(['outcome', 'detail'])
    .where('name', '=', name)
    .orderBy('outcome')
    .execute()
}
