import { describe, test } from 'node:test'

/** A test file as a suite of a process that it shares. One that cannot be read is a test that fails, and is counted. */
export function together(file: string, read: () => Promise<unknown>): void {
  void describe(file, async () => {
    try {
      await read()
    } catch (error) {
      void test('is a program', () => {
        throw error
      })
    }
  })
}
