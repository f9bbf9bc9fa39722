import { Presets, SingleBar } from 'cli-progress'
import Table from 'cli-table3'
import { stripVTControlCharacters, styleText } from 'node:util'
import { Problem } from '../kernel/problem.ts'
import { stringifyJson } from '../platform/json.ts'

/** What people read: tables that line up, colour only on a terminal, progress on standard error. */

export type Column<R> = { title: string; align?: 'left' | 'right'; value: (row: R) => string }

const NO_BORDERS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((part) => [part, '']),
)

/** Where a terminal does not say how wide it is. */
const WIDTH_CHARS = 80
const GAP_CHARS = 2
/** No column of text gets narrower than this. */
const LEAST_CHARS = 8

/**
 * Text wraps within its own column where the whole would be too wide: between words, and on a terminal within them where
 * that is not enough; no number does. What reads it elsewhere finds its words whole.
 */
export function table<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number | undefined = process.stdout.columns,
): string {
  const cells = rows.map((row) => columns.map((column) => column.value(row)))
  const limits = width === undefined ? { width: WIDTH_CHARS, rounds: [0] } : { width, rounds: [0, 1, 2] }
  const widths = widthsOf(columns, { cells, ...limits })
  const printed = new Table({
    head: columns.map((column) => styleText('bold', column.title)),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: { ...NO_BORDERS, middle: ' '.repeat(GAP_CHARS) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: widths,
    wordWrap: true,
  })
  for (const row of cells) printed.push(row.map((text, index) => breakWords(text, widths[index] ?? Infinity)))
  return printed
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/**
 * The widest column of text gives way first: all of them down to their longest word, then to the longest part of a
 * word, then to the least; null is as wide as it needs.
 */
function widthsOf<R>(
  columns: readonly Column<R>[],
  { cells, width, rounds }: { cells: readonly (readonly string[])[]; width: number; rounds: readonly number[] },
): (number | null)[] {
  const sizes = columns.map((column, index) => {
    const texts = [column.title, ...cells.map((row) => row[index] ?? '')].map((text) => stripVTControlCharacters(text))
    const widest = longest(texts)
    const word = column.align === 'right' ? widest : longest(texts.flatMap((text) => text.split(/\s+/)))
    const part =
      column.align === 'right' ? widest : longest(texts.flatMap((text) => text.split(/\s+/).flatMap(partsOf)))
    return { widest, leasts: [word, part, Math.min(word, LEAST_CHARS)], now: widest }
  })
  const gaps = GAP_CHARS * (columns.length - 1)
  let over = sizes.reduce((total, { now }) => total + now, gaps) - width
  for (const round of rounds) {
    for (; over > 0; over -= 1) {
      const [giving] = sizes.filter(({ now, leasts }) => now > (leasts[round] ?? 0)).toSorted((a, b) => b.now - a.now)
      if (giving === undefined) break
      giving.now -= 1
    }
  }
  return sizes.map(({ now, widest }) => (now < widest ? now : null))
}

/** A word that is wider than its column is broken after a sign that joins parts; a part that is, anywhere. */
function breakWords(text: string, width: number): string {
  return text
    .split(' ')
    .map((word) => (charsOf(stripVTControlCharacters(word)) <= width ? word : piecesOf(word, width).join('\n')))
    .join(' ')
}

function piecesOf(word: string, width: number): string[] {
  const pieces = ['']
  for (const part of partsOf(word)) {
    for (const bit of charsOf(part) <= width ? [part] : part) {
      const joined = `${pieces.at(-1)}${bit}`
      if (charsOf(joined) <= width) pieces[pieces.length - 1] = joined
      else pieces.push(bit)
    }
  }
  return pieces
}

function partsOf(word: string): string[] {
  return word.split(/(?<=[-_/])/)
}

function longest(texts: readonly string[]): number {
  return Math.max(...texts.map(charsOf))
}

/** Scripts whose letters are twice as wide on a terminal count so. */
function charsOf(text: string): number {
  return text.replaceAll(/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/g, 'xx')
    .length
}

export function heading(text: string): string {
  return `\n${styleText(['bold', 'cyan'], text)}`
}

export function mark(ok: boolean): string {
  return ok ? styleText('green', 'ok') : styleText('red', 'BROKEN')
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A sentence for people: on a terminal it wraps between words. */
export function printText(text: string, { columns = Infinity }: { columns?: number } = process.stdout): void {
  const lines = ['']
  for (const word of text.split(' ')) {
    const joined = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (charsOf(joined) <= columns) lines[lines.length - 1] = joined
    else lines.push(word)
  }
  print(lines.join('\n'))
}

export function printJson(value: unknown): void {
  print(stringifyJson(value, { indent: 2 }))
}

export type Progress = { readonly is_shown: boolean; update(done: number, total: number): void; done(): void }

type Terminal = NodeJS.WritableStream & { isTTY?: boolean }

/** A bar on a terminal, nothing elsewhere. */
export function progress(label: string, stream: Terminal = process.stderr): Progress {
  if (!stream.isTTY) return { is_shown: false, update: () => {}, done: () => {} }
  const bar = new SingleBar(
    { format: `${label} {bar} {value}/{total}`, stream, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  )
  let started = false
  const stop = () => {
    for (const signal of ENDING) process.off(signal, leave)
    bar.stop()
  }
  // Ends the process as the signal would have, but with its cursor and line wrap given back to the terminal.
  const leave = (signal: NodeJS.Signals) => {
    stop()
    process.kill(process.pid, signal)
  }
  return {
    is_shown: true,
    update: (done, total) => {
      if (started) bar.setTotal(total)
      else {
        for (const signal of ENDING) process.on(signal, leave)
        bar.start(total, 0)
      }
      started = true
      bar.update(done)
    },
    done: stop,
  }
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * `arcadia doctor | head`: the reader may leave before the end. What is run still runs to its end, unread.
 */
export function endQuietlyOnClosedPipe(stream: NodeJS.WritableStream): void {
  stream.on('error', (error) => {
    if (!isClosedPipe(error)) throw error
  })
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE'
}

/** A refusal says what to do next; anything else is a bug and shows where it came from. */
export function reportFailure(error: unknown, { json = false }: { json?: boolean } = {}): void {
  if (isClosedPipe(error)) return
  if (json && error instanceof Problem) {
    printJson(error)
    return
  }
  if (!(error instanceof Problem)) {
    console.error(error)
    return
  }
  console.error(`${styleText('red', 'error', { stream: process.stderr })} ${error.message} (${error.code})`)
  for (const fault of error.errors) {
    const place = 'path' in fault ? fault.path : `row ${fault.row}, column ${fault.column}`
    console.error(`  ${place}: ${fault.message}`)
  }
}
