import { appendFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { cpuSeconds } from './cpu.ts'

const unfinished = new Set<string>()
// A file that ends the process takes the others with it: that is no success.
process.on('exit', () => {
  if (unfinished.size === 0) return
  console.error(`The process ended before these files did: ${[...unfinished].join(', ')}`)
  process.exitCode = 1
})

/** A test file as a suite of a process that it shares. One that cannot be read is a test that fails, and is counted. */
export function together(file: string, read: () => Promise<unknown>): void {
  unfinished.add(file)
  describe(file, async () => {
    after(() => unfinished.delete(file))
    let started_s = 0
    before(() => {
      started_s = cpuSeconds()
    })
    try {
      await read()
    } catch (error) {
      test('can be read', () => {
        throw error
      })
    }
    // After the file's own, which closes what it opened.
    after(() => told(file, cpuSeconds() - started_s))
  })
}

/** For `npm test -- --times`. */
function told(file: string, cpu_s: number): void {
  const path = process.env['TEST_TIMES_FILE']
  if (path !== undefined) appendFileSync(path, `${JSON.stringify({ file, cpu_s })}\n`)
}
