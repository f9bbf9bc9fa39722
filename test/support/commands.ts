/**
 * Run by itself: the commands that its argument names (JSON), one after the other, each on a program read anew, for a
 * terminal of 80 columns.
 */
process.stdout.columns = 80
const commands = JSON.parse(process.argv[2] ?? '[]') as string[][]
const main = new URL('../../src/main.ts', import.meta.url)
for (const [index, args] of commands.entries()) {
  process.argv = [process.execPath, main.pathname, ...args]
  await import(`${main.href}?${index}`)
}
