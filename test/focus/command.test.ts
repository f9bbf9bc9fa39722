import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const { PATH, NODE_COMPILE_CACHE } = process.env
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'arcadia-export-'))
after(() => rmSync(dir, { recursive: true }))

test('the command writes the file whole to where it is told', () => {
  const output = join(dir, 'april.csv')
  const { status, stdout, stderr } = arcadia('export', 'focus', '--period', '2026-04', '--output', output)
  assert.deepEqual([status, stdout], [0, ''], stderr)
  assert.match(readFileSync(output, 'utf8'), /^AvailabilityZone,BilledCost,.*,Tags\n$/)
  assert.deepEqual(readdirSync(dir), ['april.csv'])
})

test('another format, and a preview of a tenant’s invoices, are refused in words', () => {
  const parquet = arcadia('export', 'parquet', '--period', '2026-04')
  assert.equal(parquet.status, 1)
  assert.match(parquet.stderr, /Allowed choices are focus/)
  const preview = arcadia('export', 'focus', '--period', '2026-04', '--tenant', 'boab', '--preview')
  assert.equal(preview.status, 1)
  assert.match(preview.stderr, /--preview is for the cost of the operator/)
})

function arcadia(...args: string[]) {
  const env = { PATH, NODE_COMPILE_CACHE, DATABASE_URL: 'memory://' }
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env })
}
