import { monthLabel, parseMonth } from '../kernel/period.ts'

const NAMES = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]

/**
 * The month that was probably meant by what is none as it is written: `oct`, `October 2026`, `10/2026`, `2026-1`. Without
 * a year it is the latest that has begun. Undefined where nothing of the kind was meant.
 */
export function monthMeant(text: string, today: Temporal.PlainDate): string | undefined {
  const { word, number, year } = partsOf(text.trim().toLowerCase()) ?? {}
  const month = word === undefined ? Number(number) : NAMES.findIndex((name) => name.startsWith(word)) + 1
  const latest_year = month <= today.month ? today.year : today.year - 1
  const meant = parseMonth(`${year ?? latest_year}-${String(month).padStart(2, '0')}`)
  return meant && monthLabel(meant)
}

function partsOf(text: string): Record<string, string | undefined> | undefined {
  for (const form of FORMS) {
    const match = form.exec(text)
    if (match) return match.groups
  }
  return undefined
}

const FORMS = [
  /^(?<word>[a-z]{3,})\.?(?:[ -]?(?<year>\d{4}))?$/,
  /^(?<year>\d{4})[ ./-]?(?<number>\d{1,2})$/,
  /^(?<number>\d{1,2})(?:[ ./-](?<year>\d{4}))?$/,
]
