import { hash } from 'node:crypto'
import { plain, readDecimal, roundPrecise } from '../../kernel/decimal.ts'
import { YEAR_PATTERN } from '../../kernel/period.ts'

/** Digits before the point: as many as an amount may have anywhere. */
const WHOLE_MAX_DIGITS = 15
const QUANTITY_MAX_DIGITS = 30
const TIME = new RegExp(
  `^(${YEAR_PATTERN}-\\d{2}-\\d{2})(?:[T ](\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?) ?(Z|UTC|[+-]\\d{2}(?::?\\d{2})?)?)?$`,
  'i',
)

/**
 * `12.50`, `1e-05` or `4.2E+3` in plain notation. What stands beyond the 20th place is noise of whoever wrote a float, and
 * is rounded away. Undefined when it is no number, or one of more than 15 digits before the point.
 */
export function readNumber(text: string): string | undefined {
  return readDigits(text, WHOLE_MAX_DIGITS)
}

/** The same of what is counted in more digits than money: bytes, requests. */
export function readQuantity(text: string): string | undefined {
  return readDigits(text, QUANTITY_MAX_DIGITS)
}

function readDigits(text: string, whole_max_digits: number): string | undefined {
  const read = readDecimal(text)
  if (read === undefined) return undefined
  const value = roundPrecise(read)
  const [digits = ''] = plain(value.abs()).split('.')
  return digits.length > whole_max_digits ? undefined : plain(value)
}

/**
 * `2024-09-01T00:00:00Z`, with a blank instead of the T, with fractions, without seconds, or the day alone; in UTC when
 * it names no zone. Undefined when it is none of them, no such day exists, or its year is not taken.
 */
export function readTime(text: string): Temporal.Instant | undefined {
  const [date, time, zone] = partsOfTime(text)
  if (date === undefined) return undefined
  try {
    return Temporal.Instant.from(`${date}T${time}${zone}`)
  } catch {
    return undefined
  }
}

function partsOfTime(text: string): [date?: string, time?: string, zone?: string] {
  const match = TIME.exec(text)
  if (!match) return []
  const [, date = '', time = '00:00', zone = 'Z'] = match
  return [date, time, /^[+-]/.test(zone) ? zone : 'Z']
}

/** What the clock showed where the time was written, whatever its zone; read as by `readTime`. */
export function readClock(text: string): Temporal.PlainDateTime | undefined {
  const [date, time] = partsOfTime(text)
  return readTime(text) && Temporal.PlainDateTime.from(`${date}T${time}`)
}

/** `Virtual Machine`, `VirtualMachine` → `virtual_machine`; empty when nothing of the text is a letter or a digit. */
export function snakeCase(text: string): string {
  const spaced = text.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase()
  return spaced.match(/[\p{Ll}\p{Lo}\p{Nd}]+/gu)?.join('_') ?? ''
}

const PROVIDER_MAX_CHARS = 64
const NAME_HASH_CHARS = 12

/**
 * `Example Cloud` → `example-cloud`: what a rule can name. Case, blanks and punctuation are spellings of one name. A name
 * that says more than such a word can (`Ünï Cö`, `云`, one that is too long) gets a hash of itself at the end, so that two
 * names never share a word. Empty when nothing of it is a letter or a digit.
 */
export function providerWord(name: string): string {
  const spelled = name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s\p{P}]+/gu, ' ')
    .trim()
  if (!/[\p{L}\p{N}]/u.test(spelled)) return ''
  const plain = spelled.replaceAll(' ', '-')
  if (/^[a-z\d-]+$/.test(plain) && plain.length <= PROVIDER_MAX_CHARS) return plain
  const unmarked = spelled.normalize('NFKD').replace(/\p{Mark}/gu, '')
  const readable = unmarked.match(/[a-z\d]+/g)?.join('-') ?? 'provider'
  const shown = readable.slice(0, PROVIDER_MAX_CHARS - NAME_HASH_CHARS - 1).replace(/-$/, '')
  return `${shown}-${hash('sha256', spelled).slice(0, NAME_HASH_CHARS)}`
}

/** Undefined where the name has no word. */
export function providerOf(name: string): string | undefined {
  return providerWord(name) || undefined
}

/**
 * Tags as the text of a JSON object, whether they come as one, as the inside of one (`"env": "prod"`) or as a list of keys
 * and values; a key that comes twice stays so. Any other text stays as it is.
 */
export function tagsText(text: string): string {
  const tags = parsed(text) ?? (text.startsWith('"') ? parsed(`{${text}}`) : undefined)
  if (Array.isArray(tags)) return pairsText(tags) ?? text
  return tags !== null && typeof tags === 'object' && !text.startsWith('{') ? `{${text}}` : text
}

function pairsText(list: readonly unknown[]): string | undefined {
  const pairs = list.map(pairOf)
  if (pairs.some((pair) => pair === undefined)) return undefined
  return `{${pairs.flatMap((pair) => pair ?? []).join(',')}}`
}

/** `{"key": "env", "value": "prod"}` in any case → `"env":"prod"` */
function pairOf(item: unknown): string | undefined {
  if (item === null || typeof item !== 'object') return undefined
  const fields = new Map(Object.entries(item).map(([name, value]) => [name.toLowerCase(), value as unknown]))
  const [key, value = null] = [fields.get('key'), fields.get('value')]
  return typeof key === 'string' ? `${JSON.stringify(key)}:${JSON.stringify(value)}` : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
