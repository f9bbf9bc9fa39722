import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Table from 'cli-table3'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { importBills } from '../src/contexts/costs/index.ts'
import { type Database, within } from '../src/platform/db.ts'
import { randomIds } from '../src/platform/ids.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { makeInventory } from './inventory.ts'

const LINES = 1_000_000
const FEWER_LINES = 100_000
const COPY_MAX_RATIO = 3
const GROWTH_MAX_RATIO = 1.2
const MEMORY_MAX_MB = 400
const MEMORY_SAMPLE_MS = 20
const READ_CHUNK_BYTES = 64 * 1024
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

type Run = { readonly seconds: number; readonly peak_mb: number }

/**
 * A bill of a million lines is read, classified, matched against the inventory and stored, on a real PostgreSQL, beside a
 * bare COPY of the very rows that it became. Gives whether all ratios hold.
 */
export async function runBillBench(): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'arcadia-bench-'))
  const server = await startPostgres()
  try {
    const [fewer, all, rows] = [join(dir, 'fewer.csv'), join(dir, 'all.csv'), join(dir, 'rows.tsv')]
    await makeBill(FEWER_LINES, fewer)
    await makeBill(LINES, all)
    const { db, url } = await server.database()
    await makeInventory(db)
    const few = await importBill(db, { file: fewer, invoice_number: '1' })
    const many = await importBill(db, { file: all, invoice_number: '2' })
    const { bare_s, keyed_s } = await copyBare(url, rows)
    return report({ few, many, bare_s, keyed_s, shares: await countMatches(db) })
  } finally {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function makeBill(lines: number, to: string): Promise<void> {
  const maker = fileURLToPath(new URL('make-bill.ts', import.meta.url))
  await promisify(execFile)(process.execPath, [maker, String(lines), to])
}

async function importBill(
  db: Database,
  { file, invoice_number }: { file: string; invoice_number: string },
): Promise<Run> {
  let peak_bytes = process.memoryUsage.rss()
  const sampling = setInterval(() => {
    peak_bytes = Math.max(peak_bytes, process.memoryUsage.rss())
  }, MEMORY_SAMPLE_MS)
  const seconds = await timed(() =>
    db.transaction((tx) => {
      const files = [{ open: () => createReadStream(file, { highWaterMark: READ_CHUNK_BYTES }) }]
      const context = { now: NOW, ids: randomIds, actor: 'bench', onBillIssued: async () => {} }
      return importBills(within(tx), { files, period: '2026-04', invoice_number }, context)
    }),
  )
  clearInterval(sampling)
  return { seconds, peak_mb: peak_bytes / 1024 / 1024 }
}

/** The rows of the large bill, prepared as text, into a plain table of the same columns, and into one with its keys. */
async function copyBare(url: string, rows: string): Promise<{ bare_s: number; keyed_s: number }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const source = copyTo(`copy (select * from costs.cost_line l where l.provider_invoice_id =
      (select id from costs.provider_invoice where invoice_number = '2') order by position) to stdout`)
    await pipeline(client.query(source), createWriteStream(rows))
    await client.query('create table bench_bare (like costs.cost_line)')
    await client.query('create table bench_keyed (like costs.cost_line including indexes including constraints)')
    const copy = (table: string) =>
      timed(() =>
        pipeline(
          createReadStream(rows, { highWaterMark: READ_CHUNK_BYTES }),
          client.query(copyFrom(`copy ${table} from stdin`)),
        ),
      )
    return { bare_s: await copy('bench_bare'), keyed_s: await copy('bench_keyed') }
  } finally {
    await client.end()
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

async function countMatches(db: Database): Promise<string> {
  const rows = await db.read
    .selectFrom('costs.cost_line')
    .select((line) => ['match_status', line.fn.countAll<bigint>().as('count')])
    .groupBy('match_status')
    .orderBy('match_status')
    .execute()
  return rows.map(({ match_status, count }) => `${count} ${match_status}`).join(', ')
}

function report(measured: { few: Run; many: Run; bare_s: number; keyed_s: number; shares: string }): boolean {
  const { few, many, bare_s, keyed_s, shares } = measured
  const growth = many.seconds / LINES / (few.seconds / FEWER_LINES)
  const peak_mb = Math.max(few.peak_mb, many.peak_mb)
  const gates = [
    { name: 'time of a bare COPY', value: many.seconds / bare_s, limit: COPY_MAX_RATIO },
    { name: 'time per line, of that at 100,000', value: growth, limit: GROWTH_MAX_RATIO },
    { name: 'peak memory in MB', value: peak_mb, limit: MEMORY_MAX_MB },
  ]
  const table = new Table({ head: ['1,000,000 lines, 50,000 resources', 'measured', 'at most', ''] })
  for (const { name, value, limit } of gates) {
    table.push([name, value.toFixed(2), String(limit), value <= limit ? 'ok' : 'TOO HIGH'])
  }
  table.push(['time of a COPY into a table with the same keys', (many.seconds / keyed_s).toFixed(2), '', ''])
  console.log(table.toString())
  console.log(
    `${many.seconds.toFixed(1)} s, ${few.seconds.toFixed(1)} s for 100,000; bare COPY ${bare_s.toFixed(1)} s, with keys ${keyed_s.toFixed(1)} s. Lines: ${shares}.`,
  )
  return gates.every(({ value, limit }) => value <= limit)
}
