import { decimal, plain, roundPrecise } from '../../kernel/decimal.ts'

/** Digits before the point: as many as an amount may have anywhere. */
const WHOLE_MAX_DIGITS = 15
/** Beyond it a number is 0 or absurd; without a limit `1e999999999` would be written out. */
const EXPONENT_MAX = 40
const NUMBER = /^(-?)(\d{1,40})?(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i

/** An empty cell and the word, in any case: both are what databases write for nothing. */
export function isNull(cell: string): boolean {
  return cell === '' || cell === 'NULL' || cell === 'null' || cell === 'Null'
}

/**
 * `12.50`, `1e-05` or `4.2E+3` in plain notation. What stands beyond the 20th place is noise of whoever wrote a float, and
 * is rounded away. Undefined when it is no number, or one of more than 15 digits before the point.
 */
export function readNumber(text: string): string | undefined {
  const match = NUMBER.exec(text)
  if (!match) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return undefined
  const shift = Number(exponent)
  if (Math.abs(shift) > EXPONENT_MAX) return undefined
  const value = roundPrecise(decimal(sign + shifted(whole, fraction, shift)))
  const [digits = ''] = plain(value.abs()).split('.')
  return digits.length > WHOLE_MAX_DIGITS ? undefined : plain(value)
}

/** The digits with the point moved by `shift` places, to the right when it is positive. */
function shifted(whole: string, fraction: string, shift: number): string {
  const digits = whole + fraction
  const point = whole.length + shift
  const padded = point <= 0 ? digits.padStart(digits.length + 1 - point, '0') : digits.padEnd(point, '0')
  const at = Math.max(point, 1)
  const after = padded.slice(at)
  return after === '' ? padded : `${padded.slice(0, at)}.${after}`
}

/**
 * `2024-09-01T00:00:00Z`, with a blank instead of the T, with fractions, without seconds, or the day alone; in UTC when
 * it names no zone. Undefined when it is none of them or no such day exists.
 */
export function readTime(text: string): Temporal.Instant | undefined {
  const match = TIME.exec(text)
  if (!match) return undefined
  const [, date, time = '00:00', zone = 'Z'] = match
  try {
    return Temporal.Instant.from(`${date}T${time}${/^[+-]/.test(zone) ? zone : 'Z'}`)
  } catch {
    return undefined
  }
}

/** `Virtual Machine`, `VirtualMachine` → `virtual_machine`; empty when nothing of the text is a letter or a digit. */
export function snakeCase(text: string): string {
  const spaced = text.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase()
  return spaced.match(/[\p{Ll}\p{Lo}\p{Nd}]+/gu)?.join('_') ?? ''
}

const PROVIDER_MAX_CHARS = 64

/** `Example Cloud` → `example-cloud`, `Ünï Cö` → `uni-co`: what a rule can name. Empty when nothing of it is in ASCII. */
export function providerWord(name: string): string {
  const unmarked = name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
  const word = unmarked.match(/[a-z\d]+/g)?.join('-') ?? ''
  return word.slice(0, PROVIDER_MAX_CHARS).replace(/-$/, '')
}
