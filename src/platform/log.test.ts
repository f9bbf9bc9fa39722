import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { createLog } from './log.ts'

test('on a terminal a line is for people: time, level, message and values, and the stack of an error', async () => {
  const terminal = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true })
  const log = createLog('info', terminal)
  log.info({ url: 'http://127.0.0.1:4000', jobs: true }, 'arcadia is ready')
  log.error({ err: new Error('lost'), job: 'sync', token: 'dop_v1_x' }, 'job failed')
  log.debug('not at this level')
  const [ready, failed, ...stack] = stripVTControlCharacters(await text(terminal.end()))
    .trimEnd()
    .split('\n')
  assert.match(ready ?? '', /^\d\d:\d\d:\d\dZ info {2}arcadia is ready url=http:\/\/127\.0\.0\.1:4000 jobs=true$/)
  assert.match(failed ?? '', /^\d\d:\d\d:\d\dZ error job failed job=sync token=\[redacted\]$/)
  assert.match(stack.join('\n'), /^Error: lost\n +at /)
})
