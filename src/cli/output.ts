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
 * that is not enough; no number does. Where even that does not fit, the columns of a row stand one below the other. What
 * reads it elsewhere finds its words whole.
 */
export function table<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number | undefined = process.stdout.columns,
): string {
  const titles = columns.map(({ title }) => title)
  const cells = rows.map((row) => columns.map((column) => column.value(row)))
  const limits = width === undefined ? { width: WIDTH_CHARS, rounds: [0] } : { width, rounds: [0, 1, 2] }
  const { widths, fits } = widthsOf(columns, { cells, ...limits })
  if (!fits && width !== undefined) return cells.map((row) => stacked(titles, { row, width })).join('\n\n')
  return linedUp(cells, { widths, titles, aligns: columns.map(({ align }) => align ?? 'left') })
}

/** One row as title and value, line by line; what is empty is left out. */
function stacked(titles: readonly string[], { row, width }: { row: readonly string[]; width: number }): string {
  const lines = titles.map((title, index) => [title, row[index] ?? '']).filter(([, value]) => value !== '')
  return linedUp(lines, { widths: [null, width - longest(titles) - GAP_CHARS], titles: [], aligns: [] })
}

type Layout = {
  readonly widths: readonly (number | null)[]
  readonly titles: readonly string[]
  readonly aligns: ('left' | 'right')[]
}

function linedUp(cells: readonly (readonly string[])[], { widths, titles, aligns }: Layout): string {
  const broken = (row: readonly string[]) => row.map((text, index) => breakWords(text, widths[index] ?? Infinity))
  const printed = new Table({
    head: broken(titles).map((title) => styleText('bold', title)),
    colAligns: aligns,
    chars: { ...NO_BORDERS, middle: ' '.repeat(GAP_CHARS) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: [...widths],
    wordWrap: true,
  })
  for (const row of cells) printed.push(broken(row))
  return printed
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/**
 * The widest column of text gives way first: all of them down to their longest word, then to the longest part of a
 * word, then to the least. Of numbers only the title gives way. A width of null is as wide as it needs.
 */
function widthsOf<R>(
  columns: readonly Column<R>[],
  { cells, width, rounds }: { cells: readonly (readonly string[])[]; width: number; rounds: readonly number[] },
): { widths: (number | null)[]; fits: boolean } {
  const sizes = columns.map(({ title, align }, index) => {
    const values = cells.map((row) => stripVTControlCharacters(row[index] ?? ''))
    const widest = longest([title, ...values])
    if (align === 'right') {
      const least = longest([...title.split(' '), ...values])
      return { widest, leasts: [least, least, least], now: widest }
    }
    const words = [title, ...values].flatMap((text) => text.split(/\s+/))
    const word = longest(words)
    return { widest, leasts: [word, longest(words.flatMap(partsOf)), Math.min(word, LEAST_CHARS)], now: widest }
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
  return { widths: sizes.map(({ now, widest }) => (now < widest ? now : null)), fits: over <= 0 }
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
export function printText(text: string): void {
  print(wrapText(text))
}

/** Each line keeps its indentation. */
export function wrapText(text: string, width = process.stdout.columns ?? Infinity): string {
  const indent = /^ */.exec(text)?.[0] ?? ''
  const lines = ['']
  for (const word of text.slice(indent.length).split(' ')) {
    const joined = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (lines.at(-1) === '' || charsOf(indent + joined) <= width) lines[lines.length - 1] = joined
    else lines.push(word)
  }
  return lines.map((line) => indent + line).join('\n')
}

export function printJson(value: unknown): void {
  print(stringifyJson(value, { indent: 2 }))
}

export type Progress = { readonly is_shown: boolean; update(done: number, total: number): void; done(): void }

/** What is counted one by one shows so; bytes show as a share. */
export type Figures = '{value}/{total}' | '{percentage} %'

type Terminal = NodeJS.WritableStream & { isTTY?: boolean }

/** A bar on a terminal, nothing elsewhere. `figures` stand behind it. */
export function progress(
  label: string,
  stream: Terminal = process.stderr,
  figures: Figures = '{value}/{total}',
): Progress {
  if (!stream.isTTY) return { is_shown: false, update: () => {}, done: () => {} }
  const bar = new SingleBar(
    { format: `${label} {bar} ${figures}`, stream, hideCursor: true, clearOnComplete: true },
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
  const width = process.stderr.columns ?? Infinity
  const marked = styleText('red', 'error', { stream: process.stderr })
  console.error(wrapText(`error ${error.message} (${error.code})`, width).replace('error', marked))
  for (const fault of error.errors) {
    const place = 'path' in fault ? fault.path : `row ${fault.row}, column ${fault.column}`
    console.error(wrapText(`  ${place}: ${fault.message}`, width))
  }
}
