import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { guardedCell, MAX_CSV_RECORD_BYTES, NotText, readCsv, unguardedCell } from './csv.ts'

const CELL = fc.oneof(
  fc.constantFrom('', 'a', ' b ', 'é', '1,5', 'say "hi"', 'two\nlines', "it's", '\u{1F600}'),
  fc.string(),
)

test('a file is read as it is written, wherever it is cut on its way, packed or not', async () => {
  const table = fc.array(fc.array(CELL.map(storable), { minLength: 2, maxLength: 4 }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom('\n', '\r\n'), fc.nat(9), fc.boolean(), async (rows, end, step, packed) => {
      const text = rows.map((cells) => cells.map(quoted).join(',') + end).join('')
      const bytes = packed ? gzipSync(text) : Buffer.from(text)
      const expected = rows.map((cells) => cells.map((cell) => cell.trim()))
      assert.deepEqual(await recordsOf(cut(bytes, step + 1)), expected)
    }),
    { numRuns: 200 },
  )
})

test('lines with and without quotes give what a parser of the whole gives, in their order', async () => {
  const line = fc.constantFrom('a,b', '"a",b', '"a, ""b""",c', '', ' x , "y" ', '"two\nlines",1', '"c","d"')
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), async (lines) => {
      const text = `${lines.join('\n')}\n`
      assert.deepEqual(await recordsOf([Buffer.from(text)]), parse(text, { trim: true, relax_column_count: true }))
    }),
  )
})

test('semicolons and tabs between the cells are read as commas are', async () => {
  const rows = [
    ['name', 'cost', 'note'],
    ['a, b', '1.5', ''],
    ['say "hi"', '2', 'two\nlines'],
  ]
  for (const delimiter of [',', ';', '\t']) {
    const text = rows.map((cells) => `${cells.map(quoted).join(delimiter)}\r\n`).join('')
    assert.deepEqual(await recordsOf([Buffer.from(`\uFEFF${text}`)]), rows, JSON.stringify(delimiter))
  }
})

test('a file that is no CSV is told by what it is', async () => {
  for (const [head, is] of [
    ['%PDF-1.7\n', 'is a PDF'],
    ['PK\x03\x04\x14\0\x06\0[Content_Types].xml', 'is an Excel workbook (.xlsx)'],
    ['PK\x03\x04\x14\0bill.csv', 'is a ZIP archive'],
    ['\xd0\xcf\x11\xe0\xa1\xb1', 'is an Excel workbook (.xls)'],
    ['PAR1\x15\0', 'is in Parquet'],
    ['\xff\xfea\0,\0b\0', 'is text in UTF-16'],
    ['a,\xe9\n', 'is text in another encoding than UTF-8, or no text'],
  ] as const) {
    const bytes = Buffer.from(head, 'latin1')
    for (const packed of [bytes, gzipSync(bytes)]) {
      await assert.rejects(recordsOf([packed]), (error) => error instanceof NotText && error.message === is, is)
    }
  }
})

test('a file of many parts keeps every record and its place', async () => {
  const lines = Array.from({ length: 40_000 }, (_, at) => (at % 7 === 0 ? `"a, ${at}",${at}` : `a,${at}`))
  const records: string[][] = []
  let parts = 0
  for await (const part of readCsv(streamOf([Buffer.from(lines.join('\n'))]))) {
    assert.ok('records' in part)
    assert.equal(part.first_row, records.length + 1)
    records.push(...part.records)
    parts += 1
  }
  assert.ok(parts > 1)
  assert.deepEqual(
    records.map(([, place]) => Number(place)),
    [...lines.keys()],
  )
})

test('a quote that is never closed, and a row without an end, are told with their place', async () => {
  const open = `a,b\n1,2\n"x,${'y\n'.repeat(300_000)}`
  assert.equal(await faultRowOf([Buffer.from(open)]), 3)
  assert.equal(await faultRowOf([Buffer.from(`a,b\n${'x'.repeat(MAX_CSV_RECORD_BYTES + 1)}\n`)]), 2)
  assert.equal(await faultRowOf([Buffer.from(`a,b\n${'x'.repeat(1024 * 1024)}`)]), 2)
})

test('a quote that is never closed takes no longer than the text is long', async () => {
  const cpuTimeOf = async (lines: number) => {
    const bytes = Buffer.from(`a,b\n"x,${'y\n'.repeat(lines)}`)
    const before = process.cpuUsage()
    assert.equal(await faultRowOf([bytes]), 2)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  await cpuTimeOf(100_000)
  // Four times the lines took sixteen times as long.
  const quarter = await cpuTimeOf(300_000)
  assert.ok((await cpuTimeOf(1_200_000)) < 10 * quarter)
})

test('a text that a spreadsheet would run is a cell that it does not, and comes back as it was', () => {
  const dangerous = ['=1+1', '+1+1', '-1+1', '@SUM(A1)', '\t=1', '\r=1', "'=1", "''-x", '-', '--5']
  for (const text of dangerous) assert.match(guardedCell(text), /^'/, text)
  for (const text of [...dangerous, 'web-1', "'quoted'", "it's", '', '-5.25', '-0'])
    assert.equal(unguardedCell(guardedCell(text)), text)
  for (const number of ['-5.25', '0', '12.50']) assert.equal(guardedCell(number), number)
})

test('bytes that are no text in UTF-8, or hold NUL, are refused, also when a character is cut at the end', async () => {
  for (const bytes of [Buffer.from([0xff, 0xfe]), Buffer.from('a,é').subarray(0, 3), Buffer.from('a,\0')]) {
    await assert.rejects(recordsOf([bytes]), NotText)
  }
})

test('a packed file that was cut is a fault', async () => {
  const packed = gzipSync('a,b\n'.repeat(1_000))
  assert.equal(await faultRowOf([packed.subarray(0, packed.length - 5)]), 1)
})

/** A mark at the beginning of a file is not its content. */
function storable(cell: string): string {
  return cell.replaceAll('\uFEFF', '').replaceAll('\r', '').toWellFormed()
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

function* cut(bytes: Buffer, step: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}

async function* streamOf(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks
}

async function recordsOf(chunks: Iterable<Uint8Array>): Promise<string[][]> {
  const records: string[][] = []
  for await (const part of readCsv(streamOf(chunks))) {
    assert.ok('records' in part, JSON.stringify(part))
    records.push(...part.records)
  }
  return records
}

async function faultRowOf(chunks: Iterable<Uint8Array>): Promise<number | undefined> {
  let row: number | undefined
  for await (const part of readCsv(streamOf(chunks))) if ('faults' in part) row = part.faults[0]?.row
  return row
}
