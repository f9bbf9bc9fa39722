import { Presets, SingleBar } from 'cli-progress'
import Table from 'cli-table3'
import { styleText } from 'node:util'
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

export function table<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const printed = new Table({
    head: columns.map((column) => styleText('bold', column.title)),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: { ...NO_BORDERS, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) printed.push(columns.map((column) => column.value(row)))
  return printed
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
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
export function reportFailure(error: unknown): void {
  if (isClosedPipe(error)) return
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
