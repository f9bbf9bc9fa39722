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
const copy = mkdtempSync(join(tmpdir(), 'arcadia-gates-'))
copyTree()
after(() => rmSync(copy, { recursive: true, force: true }))

for (const { name, command, planted } of GATES) {
  test(`the gate "${name}" refuses a planted violation`, () => {
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

/** The tree as it is in the work tree, as a repository of its own; the packages are shared. */
function copyTree(): void {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of files.split('\n').filter((line) => line !== '' && existsSync(join(ROOT, line)))) {
    cpSync(join(ROOT, file), join(copy, file), { force: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  const git = (...args: string[]) => execFileSync('git', args, { cwd: copy, stdio: 'ignore' })
  git('init', '--quiet')
  git('add', '--all')
}
