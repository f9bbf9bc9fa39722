import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { mock, test } from 'node:test'
import { endQuietlyOnClosedPipe, progress, table } from './output.ts'

test('a reader that leaves early is no failure; any other error of the stream is one', () => {
  const stream = new PassThrough()
  endQuietlyOnClosedPipe(stream)
  stream.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  assert.throws(() => stream.emit('error', new Error('the disk is full')), /the disk is full/)
})

test('a bar that is interrupted gives the terminal its cursor and line wrap back, and the signal still ends the process', () => {
  const terminal = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, cursorTo: () => {} })
  const kill = mock.method(process, 'kill', () => true)
  const listening = process.listenerCount('SIGINT')
  try {
    progress('Invoicing', terminal).update(1, 2)
    const hidden: string = terminal.read()
    assert.ok(hidden.includes('\u001b[?25l') && hidden.includes('\u001b[?7l'))
    process.listeners('SIGINT').at(-1)?.('SIGINT')
    const restored: string = terminal.read()
    assert.ok(restored.includes('\u001b[?25h') && restored.includes('\u001b[?7h'))
    assert.deepEqual(kill.mock.calls[0]?.arguments, [process.pid, 'SIGINT'])
    assert.equal(process.listenerCount('SIGINT'), listening)
  } finally {
    kill.mock.restore()
  }
})

test('a table fits 80 columns: text wraps in its own column, and no number is broken', () => {
  const columns = [
    { title: 'invariant', value: (row: string[]) => row[0] ?? '' },
    { title: 'promise', value: (row: string[]) => row[1] ?? '' },
    { title: 'amount', align: 'right' as const, value: (row: string[]) => row[2] ?? '' },
  ]
  const promise = 'the lines of every bill add up to its amount, whatever they are matched to and whoever reads them'
  const text = table(columns, [['costs.bills-conserve-money', promise, '1234567.89']], 80)
  const lines = text.split('\n').slice(1)
  assert.ok(lines.every((line) => line.length <= 80))
  assert.ok(lines.length > 1)
  assert.ok(lines[0]?.includes('costs.bills-conserve-money') && lines[0].endsWith('1234567.89'))
  assert.equal(lines.map((line) => line.slice(28, 68).trim()).join(' '), promise)
})
