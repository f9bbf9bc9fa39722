import { styleText } from 'node:util'
import { type Logger, pino } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

/**
 * On standard error, so that a command's own output stays clean: JSON lines, or on a terminal lines for people.
 * Credentials are cut out wherever they stand.
 */
export function createLog(level: string, stream: Terminal = process.stderr): Logger {
  const options = {
    level,
    base: null,
    redact: {
      paths: ['req.headers.authorization', ...CREDENTIALS, ...CREDENTIALS.map((name) => `*.${name}`)],
      censor: '[redacted]',
    },
  }
  return stream.isTTY
    ? pino(options, { write: (line: string) => void stream.write(readable(line, stream)) })
    : pino(options, pino.destination({ dest: 2, sync: true }))
}

const CREDENTIALS = ['token', 'secret', 'password']

type Terminal = NodeJS.WritableStream & { isTTY?: boolean }

/** `12:03:04Z warn  message  name=value`, and the stack of an error below it. */
function readable(line: string, stream: NodeJS.WritableStream): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Line
  const at = Temporal.Instant.fromEpochMilliseconds(time)
    .toString({ smallestUnit: 'second' })
    .slice('2026-01-01T'.length)
  const name = pino.levels.labels[level] ?? ''
  const values = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const dim = (text: string) => styleText('dim', text, { stream })
  const head = [dim(at), styleText(COLOURS[name] ?? 'reset', name.padEnd(5), { stream }), msg, dim(values.join(' '))]
  const stack = err?.stack === undefined ? '' : `${err.stack}\n`
  return `${head
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
    .trimEnd()}\n${stack}`
}

type Line = { level: number; time: number; msg?: string; err?: { stack?: string }; [name: string]: unknown }

const COLOURS: Record<string, 'green' | 'yellow' | 'red'> = {
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
}
