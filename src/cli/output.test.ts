import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { endQuietlyOnClosedPipe } from './output.ts'

test('a reader that leaves early is no failure; any other error of the stream is one', () => {
  const stream = new PassThrough()
  endQuietlyOnClosedPipe(stream)
  stream.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  assert.throws(() => stream.emit('error', new Error('the disk is full')), /the disk is full/)
})
