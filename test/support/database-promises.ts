import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { problem } from '../../src/kernel/problem.ts'
import {
  type Database,
  insertRows,
  jsonb,
  type OpenOptions,
  rehearse,
  rowset,
  type Tx,
  within,
} from '../../src/platform/db.ts'

const sampleExists = problem({
  code: 'test/sample-exists',
  status: 409,
  title: 'The sample exists',
  constraints: ['sample_pkey'],
})

const MANY_ROWS = 10_000
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

type Sample = {
  id: string
  big: bigint | null
  amount: string | null
  day: Temporal.PlainDate | null
  at: Temporal.Instant | null
  facts: unknown
  tags: string[] | null
}

const FULL: Sample = {
  id: 'full',
  big: 9_007_199_254_740_993n,
  amount: '12345678901234567890.123456789012',
  day: Temporal.PlainDate.from('2028-02-29'),
  at: Temporal.Instant.from('2026-05-02T06:00:00.123456Z'),
  facts: { nested: [1, 'two', null], text: 'it’s "quoted"' },
  tags: ['plain', 'with, comma', 'with "quotes" and {braces}', ''],
}
const EMPTY: Sample = { id: 'empty', big: null, amount: null, day: null, at: null, facts: null, tags: null }

/** What a Database promises, whichever engine is underneath: the same test body runs on both. */
export function testDatabasePromises(open: (options: OpenOptions) => Promise<Database>): void {
  let db: Database
  const sent: string[] = []
  before(async () => {
    db = await open({ on_query: (text) => sent.push(text) })
    await db.script(`
      create table platform.sample (
        id text primary key, big bigint, amount numeric, day date, at timestamptz, facts jsonb, tags text[]
      );
      create table platform.sample_copy (id text references platform.sample (id))`)
  })
  after(() => db.close())

  test('what is rehearsed has an outcome and leaves no trace, and a failure of it is not hidden', async () => {
    const seen = await rehearse(db, async (tx) => {
      await sql`insert into platform.sample (id) values ('rehearsed')`.execute(tx)
      return sql`select id from platform.sample where id = 'rehearsed'`.execute(tx)
    })
    assert.equal(seen.rows.length, 1)
    const { rows } = await sql`select id from platform.sample where id = 'rehearsed'`.execute(db.read)
    assert.deepEqual(rows, [])
    await assert.rejects(
      rehearse(db, async () => {
        throw new Error('on its own account')
      }),
      /on its own account/,
    )
  })

  test('what is taken back in a rehearsal is not seen after that, and all of it is of one state', async () => {
    const count = async (tx: Tx) => {
      const { rows } = await sql<{ rows: bigint; isolation: string }>`
        select count(*) as rows, current_setting('transaction_isolation') as isolation
        from platform.sample where id = 'taken back'`.execute(tx)
      return rows
    }
    const seen = await rehearse(db, async (tx, takeBack) => {
      await sql`insert into platform.sample (id) values ('taken back')`.execute(tx)
      const after = await count(tx)
      await takeBack()
      return [...after, ...(await count(tx))]
    })
    const isolation = 'repeatable read'
    assert.deepEqual(seen, [
      { rows: 1n, isolation },
      { rows: 0n, isolation },
    ])
  })

  for (const sample of [FULL, EMPTY]) {
    test(`values go in and come out exactly: ${sample.id}`, async () => {
      await db.transaction((tx) =>
        sql`insert into platform.sample values (${sample.id}, ${sample.big}, ${sample.amount}, ${sample.day}, ${sample.at},
          ${sample.facts === null ? null : jsonb(sample.facts)}, ${sample.tags})`.execute(tx),
      )
      assert.deepEqual(await readSample(db, sample.id), spelled(sample))
    })
  }

  test('rows of a set keep their values too', async () => {
    const sample = { ...FULL, id: 'set' }
    await db.transaction((tx) =>
      sql`insert into platform.sample select * from ${rowset('platform.sample', [sample])}`.execute(tx),
    )
    assert.deepEqual(await readSample(db, 'set'), spelled(sample))
  })

  test('values in a filter mean what they mean in a row', async () => {
    const { rows } = await sql<{ same: boolean }>`
      select ${FULL.big}::bigint = 9007199254740993 and ${FULL.day}::date = '2028-02-29'
        and ${FULL.at}::timestamptz = '2026-05-02 06:00:00.123456+00'
        and ${FULL.amount}::numeric = 12345678901234567890.123456789012
        and 'with, comma' = any(${FULL.tags}::text[]) as same`.execute(db.read)
    assert.equal(rows[0]?.same, true)
  })

  test('counts are bigints', async () => {
    const { n } = await db.read
      .selectFrom('platform.run')
      .select((row) => row.fn.countAll<bigint>().as('n'))
      .executeTakeFirstOrThrow()
    assert.equal(typeof n, 'bigint')
  })

  test('one row or ten thousand go in with the same statement text', async () => {
    sent.length = 0
    await db.transaction((tx) => insertRows(within<'platform'>(tx), 'platform.idempotency_key', keys('one', 1)))
    const inserted = await db.transaction((tx) =>
      insertRows(within<'platform'>(tx), 'platform.idempotency_key', keys('many', MANY_ROWS)),
    )
    assert.equal(inserted, MANY_ROWS)
    const inserts = sent.filter((text) => /insert into/.test(text))
    assert.equal(inserts.length, 2)
    assert.equal(inserts[0], inserts[1])
  })

  test('rows that are there already can be passed over, and are not counted', async () => {
    assert.equal(await insertNewKeys(db, keys('twice', 2)), 2)
    assert.equal(await insertNewKeys(db, keys('twice', 3)), 1)
    assert.equal(await insertNewKeys(db, []), 0)
  })

  test('a violated constraint comes out as the problem that claimed it', async () => {
    await insertSample(db, 'taken')
    await assert.rejects(() => insertSample(db, 'taken'), { code: sampleExists.kind.code, status: 409 })
  })

  test('a violated constraint that nobody claimed stays a bug', async () => {
    await assert.rejects(
      () => db.transaction((tx) => sql`insert into platform.sample_copy values ('nowhere')`.execute(tx)),
      { name: /error/i, code: '23503' },
    )
  })

  test('a transaction that throws leaves nothing, and the next one works', async () => {
    await assert.rejects(
      () =>
        db.transaction(async (tx) => {
          await sql`insert into platform.sample (id) values ('undone')`.execute(tx)
          throw new Error('changed my mind')
        }),
      /changed my mind/,
    )
    assert.equal(await readSample(db, 'undone'), undefined)
    await insertSample(db, 'undone')
    assert.notEqual(await readSample(db, 'undone'), undefined)
  })

  test('a script is all or nothing', async () => {
    await assert.rejects(() => db.script("insert into platform.sample (id) values ('script'); select 1 / 0"))
    assert.equal(await readSample(db, 'script'), undefined)
  })
}

function insertNewKeys(db: Database, rows: object[]): Promise<number> {
  return db.transaction((tx) =>
    insertRows(within<'platform'>(tx), 'platform.idempotency_key', rows, { on_conflict: 'do nothing' }),
  )
}

async function insertSample(db: Database, id: string): Promise<void> {
  await db.transaction((tx) => sql`insert into platform.sample (id) values (${id})`.execute(tx))
}

async function readSample(db: Database, id: string): Promise<Sample | undefined> {
  const { rows } = await sql<Sample>`select * from platform.sample where id = ${id}`.execute(db.read)
  return rows[0] && spelled(rows[0])
}

/** Temporal values have no own properties, so that deepEqual would find any two of them equal. */
function spelled(sample: Sample): Sample {
  const { day, at } = sample
  assert.ok(day === null || day instanceof Temporal.PlainDate)
  assert.ok(at === null || at instanceof Temporal.Instant)
  return { ...sample, facts: [sample.facts, day?.toString(), at?.toString()] }
}

function keys(subject: string, count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    subject,
    key: `key-${index}`,
    request_hash: 'hash',
    created_at: NOW,
  }))
}
