import { after, describe, test } from 'node:test'

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
    try {
      await read()
    } catch (error) {
      test('can be read', () => {
        throw error
      })
    }
  })
}
