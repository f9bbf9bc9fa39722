import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DOCUMENT_RULES } from './documents.ts'
import { RULES, type SourceFile } from './tidy.ts'

const ROOT = new URL('../', import.meta.url)
const files = readTree()

for (const rule of [...RULES, ...DOCUMENT_RULES]) {
  test(rule.name, () => {
    assert.deepEqual(rule.check(files), [])
  })

  for (const planted of alone(rule.planted)) {
    test(`${rule.name}: ${planted.map((file) => file.path).join(', ')} would be found`, () => {
      assert.notEqual(rule.check(planted).length, 0)
    })
  }
}

/** Each planted file must be found by itself, unless the rule looks at several beside each other. */
function alone(planted: readonly SourceFile[]): SourceFile[][] {
  return planted.some((file) => file.path.endsWith('.md')) ? [[...planted]] : planted.map((file) => [file])
}

function readTree(): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return listed
    .split('\n')
    .filter((path) => path !== '')
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(new URL(path, ROOT), 'utf8') }]
      } catch {
        // Deleted but not yet committed.
        return []
      }
    })
}
