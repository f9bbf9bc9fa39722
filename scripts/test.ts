import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuSeconds } from '../test/support/cpu.ts'

/**
 * `npm test`: every test file, or those that are named. Starting a process, reading the program and compiling the
 * database take longer than most files do, so that files share a few processes; each is a suite of its own there, and
 * is opened and closed by its own hooks. Which files they share is what their order says, so that a run can be repeated.
 */
const PROCESSES_AT_ONCE = 2
const SHARED_PROCESSES = 4
/** Those that start programs and wait for them. They come last: short ones fill the two places to the end. */
const ALONE = new Set([
  'test/gates.test.ts',
  'test/getting-started.test.ts',
  'test/import.test.ts',
  'test/serve.test.ts',
  'test/focus/command.test.ts',
])

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const CACHE = `${ROOT}.cache/`

const { values: asked, positionals: named } = parseArgs({
  allowPositionals: true,
  options: { times: { type: 'boolean', default: false } },
})
const files = named.length > 0 ? named : globSync('{src,demo,test}/**/*.test.ts', { cwd: ROOT }).toSorted()
const [races, others] = split(files, (file) => file.startsWith('test/races/'))
const [alone, shared] = split(others, (file) => ALONE.has(file))
const groups = [
  races,
  ...Array.from({ length: SHARED_PROCESSES }, (_, group) =>
    shared.filter((_, index) => index % SHARED_PROCESSES === group),
  ),
  ...alone.map((file) => [file]),
]

// What was stripped of its types and compiled once is not so again.
process.env['NODE_COMPILE_CACHE'] ??= `${CACHE}compiled`
const times = `${CACHE}tests/times.jsonl`
if (asked.times) process.env['TEST_TIMES_FILE'] = times
const tests = run({
  files: writeGroups(groups),
  concurrency: PROCESSES_AT_ONCE,
})
// Until the end says otherwise: a run that breaks off has failed.
process.exitCode = 1
tests.on('test:summary', ({ file, counts, success }) => {
  if (file !== undefined) return
  if (success) process.exitCode = 0
  const failed = counts.tests - counts.passed - counts.skipped - counts.todo
  process.on('exit', () => {
    if (asked.times) printTimes()
    console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped + counts.todo} skipped`)
  })
})
tests.compose(new spec()).pipe(process.stdout)

/** What each file used of the processor, without what it takes to read it, the most expensive first. */
function printTimes(): void {
  const files = readFileSync(times, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; cpu_s: number })
    .toSorted((a, b) => b.cpu_s - a.cpu_s)
  for (const { file, cpu_s } of files) console.log(`${cpu_s.toFixed(1).padStart(7)} s  ${file}`)
  console.log(`${cpuSeconds().toFixed(1).padStart(7)} s  in all, with starting processes and reading the program`)
}

/** A program for each group that tells its files one after the other. */
function writeGroups(groups: readonly (readonly string[])[]): string[] {
  const dir = `${CACHE}tests/`
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  return groups.flatMap((group, index) => {
    if (group.length === 0) return []
    const path = `${dir}${index}.test.ts`
    const suites = group.map(
      (file) => `together(${JSON.stringify(file)}, () => import(${JSON.stringify(`${ROOT}${file}`)}))\n`,
    )
    writeFileSync(path, `import { together } from '../../test/support/together.ts'\n${suites.join('')}`)
    return [path]
  })
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}
