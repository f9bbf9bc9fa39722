import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { mock, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { endQuietlyOnClosedPipe, progress, table, wrapText } from './output.ts'

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

test('a table whose words are too long for its width still fits: they are broken where their parts join, or anywhere', () => {
  const columns = ['kind', 'description', 'deployment', 'match', 'why'].map((title, index) => ({
    title,
    value: (row: readonly string[]) => row[index] ?? '',
  }))
  const row = [
    'load_balancer',
    'catalogue-app-1-1774000800456 (syd1)',
    'fjordlys/newsroom',
    'kind_and_name',
    'resource id 3297b5b2-085f-8593-8142-799cc909252f',
  ]
  for (const width of [120, 80, 60, 50]) {
    const lines = table(columns, [row], width).split('\n')
    assert.ok(
      lines.every((line) => line.length <= width),
      lines.join('\n'),
    )
  }
  // Nothing is lost, and nothing is broken that need not be.
  const column = (text: string, title: string, next: string) => {
    const [head = '', ...lines] = text.split('\n').map((line) => stripVTControlCharacters(line))
    const [start, end] = [head.indexOf(title), next === '' ? undefined : head.indexOf(next)]
    return lines.map((line) => line.slice(start, end).trim()).filter((line) => line !== '')
  }
  const text = table(columns, [row], 80)
  assert.equal(column(text, 'why', '').join('').replaceAll(' ', ''), row[4]?.replaceAll(' ', ''))
  assert.equal(column(text, 'deployment', 'match').join(''), 'fjordlys/newsroom')
  assert.deepEqual(column(table(columns, [row], 130), 'why', ''), [
    'resource id',
    '3297b5b2-085f-8593-8142-799cc909252f',
  ])
  const long = 'x'.repeat(300)
  assert.equal(column(table(columns, [['kind', long]], 80), 'description', 'deployment').join(''), long)
})

test('a table that does not fit however it is broken stacks the columns of each row, and loses none', () => {
  const columns = ['revenue now', 'then', 'cost'].map((title, index) => ({
    title,
    align: 'right' as const,
    value: (row: readonly string[]) => row[index] ?? '',
  }))
  const rows = [
    ['1234567.89', '1234567.90', '5.00'],
    ['1.00', '2.00', '3.00'],
  ]
  const lines = (width: number) => stripVTControlCharacters(table(columns, rows, width)).split('\n')
  // The title of a number gives way before it does.
  assert.deepEqual(lines(28), [
    '   revenue        then  cost',
    '       now',
    '1234567.89  1234567.90  5.00',
    '      1.00        2.00  3.00',
  ])
  assert.deepEqual(lines(27), [
    'revenue now  1234567.89',
    'then         1234567.90',
    'cost         5.00',
    '',
    'revenue now  1.00',
    'then         2.00',
    'cost         3.00',
  ])
})

test('a sentence wraps between its words, and keeps its indentation', () => {
  assert.equal(wrapText('no price is known', 10), 'no price\nis known')
  assert.equal(wrapText('  bill 512: too little', 12), '  bill 512:\n  too little')
  assert.equal(wrapText('https://example.com/long is kept', 10), 'https://example.com/long\nis kept')
})
