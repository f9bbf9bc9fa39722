import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { GATES } from '../scripts/gates.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
// A test runner inside a test runner would report to the outer one and always succeed.
const { NODE_TEST_CONTEXT: _, ...env } = process.env
const dir = mkdtempSync(join(tmpdir(), 'arcadia-gates-'))
after(() => rmSync(dir, { recursive: true, force: true }))

// The gates that run our own program need all of it; the tools find what is planted in a small tree as in the whole.
const whole = copyTree('whole', () => true)
const small = copyTree('small', (file) => !file.includes('/') || file.startsWith('src/kernel/'))

for (const { name, command, planted } of GATES) {
  test(`the gate "${name}" refuses a planted violation`, () => {
    const copy = command[0] === 'node' ? whole : small
    const path = join(copy, planted.path)
    const before = spawnSync('git', ['show', `:${planted.path}`], { cwd: copy, encoding: 'utf8' })
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, planted.text)
    try {
      const [program, ...args] = command
      const { status, stdout, stderr } = spawnSync(program, args, { cwd: copy, encoding: 'utf8', env })
      assert.notEqual(status, 0, 'the gate let it pass')
      assert.match(`${stdout}${stderr}`, /planted|db\/types\.ts/, 'the gate failed over something else')
    } finally {
      if (before.status === 0) writeFileSync(path, before.stdout)
      else rmSync(path)
    }
  })
}

/** The tree, or some of it, as it is in the work tree, as a repository of its own; packages and caches are shared. */
function copyTree(name: string, has: (file: string) => boolean): string {
  const copy = join(dir, name)
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of files.split('\n').filter((line) => line !== '' && has(line) && existsSync(join(ROOT, line)))) {
    cpSync(join(ROOT, file), join(copy, file), { force: true })
  }
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  for (const shared of ['node_modules', '.cache']) symlinkSync(join(ROOT, shared), join(copy, shared))
  const git = (...args: string[]) => execFileSync('git', args, { cwd: copy, stdio: 'ignore' })
  git('init', '--quiet')
  git('add', '--all')
  return copy
}
