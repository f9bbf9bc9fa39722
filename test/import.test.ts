import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { openDatabase } from '../src/platform/db.ts'
import { PATIENCE_MS } from './support/patience.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const FIXTURES = fileURLToPath(new URL('../src/providers/digitalocean/fixtures/', import.meta.url))

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'arcadia-import-'))
})
after(() => rm(dir, { recursive: true, force: true }))

test('the real files come in by the command line with their sums, packed, in parts and over a pipe', async () => {
  const [whole, packed] = [join(dir, 'DigitalOcean Invoice 2025 Mar (6173678-500).csv'), join(dir, 'bill.csv.gz')]
  await writeFile(whole, await readFile(`${FIXTURES}2025-03-nine-columns.csv`))
  await writeFile(packed, gzipSync(await readFile(`${FIXTURES}hard-cases.csv`)))
  const { part, rest } = await inParts(`${FIXTURES}2019-01-eight-columns.csv`)
  const first_import = await arcadia(['import', whole])
  assert.match(first_import.stderr, /making a new database/)
  const [titles, bill] = first_import.stdout.split('\n')
  assert.match(titles ?? '', /^bill +month +status +amount +lines +matched +allocated +unmatched +check +id$/)
  assert.match(bill ?? '', /^500 +2025-03 +issued +85\.41 USD +9 +0 +0 +8 +balanced +[-0-9a-f]{36}$/)
  await arcadia(['import', packed, '--period', '2026-04', '--invoice-number', '512'])
  const { stdout, stderr } = await arcadia(['import', part, '-', '--period', '2019-01', '--json'], rest)
  assert.equal(stderr, '')
  const { bills, ...first } = JSON.parse(stdout)
  assert.deepEqual(bills, [first])
  assert.deepEqual([first.month, first.status, first.amount, first.gap], ['2019-01', 'issued', '122.11', '0'])
  assert.deepEqual(await storedBills(), [
    ['2019-01', '122.11'],
    ['500', '85.41'],
    ['512', '1625.57'],
  ])
})

test('a file that cannot be read is told in words, with its path once, and nothing is started', async () => {
  const refusalOf = async (path: string) => {
    const { stderr } = await arcadia(['import', path]).then(
      () => assert.fail('it was read'),
      (error: { stderr: string }) => error,
    )
    assert.equal(stderr.split(path).length, 2, stderr)
    return stderr
  }
  const locked = join(dir, 'locked.csv')
  await writeFile(locked, 'a', { mode: 0o000 })
  assert.match(
    await refusalOf(join(dir, 'nothing.csv')),
    /nothing\.csv cannot be read: there is no such file or folder\./,
  )
  assert.match(await refusalOf(dir), /is a directory\. Name the files in it/)
  // Whoever may read everything is refused nothing.
  if (process.getuid?.() !== 0) {
    assert.match(await refusalOf(locked), /locked\.csv cannot be read: there is no permission for it\./)
  }
})

test('what a file does not say may be said beside it, with what it comes to', async () => {
  const list = join(dir, 'list.csv')
  await writeFile(list, 'BilledCost\tResourceName\tServiceName\n1.5\tweb\tInstances\n22.5\tdb\tDatabase\n')
  const said = [
    '--provider',
    'Example Cloud',
    '--currency',
    'AUD',
    '--service-category',
    'compute',
    '--period',
    '2025-01',
  ]
  await assert.rejects(arcadia(['import', list, ...said, '--amount', '48']), /24 AUD: 24 too little/)
  const { stdout } = await arcadia(['import', list, ...said, '--amount', '24.00', '--json'])
  const { external_id, amount, currency } = JSON.parse(stdout)
  assert.deepEqual([external_id, amount, currency], ['2025-01', '24', 'AUD'])
})

/** Its first line as a file, and the others as they come over a pipe. */
async function inParts(file: string): Promise<{ part: string; rest: string }> {
  const [header, first, ...others] = (await readFile(file, 'utf8')).trim().split('\n')
  const part = join(dir, 'a.csv')
  await writeFile(part, `${header}\n${first}\n`)
  return { part, rest: [header, ...others].join('\n') }
}

async function arcadia(args: readonly string[], input?: string) {
  const env = { ...process.env, ARCADIA_DATA_DIR: join(dir, 'data'), NO_COLOR: '1', DATABASE_URL: '' }
  const running = promisify(execFile)(process.execPath, [MAIN, ...args], { env, timeout: PATIENCE_MS })
  running.child.stdin?.end(input)
  return running
}

async function storedBills(): Promise<string[][]> {
  const db = await openDatabase({ database: { kind: 'embedded', data_dir: join(dir, 'data') } })
  const bills = await db.read
    .selectFrom('costs.provider_invoice')
    .select(['external_id', 'amount'])
    .orderBy('external_id')
    .execute()
  await db.close()
  return bills.map(({ external_id, amount }) => [external_id, amount])
}
