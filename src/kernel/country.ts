import { iso31661 } from 'iso-3166/1.js'
import { nearest, quoted } from './nearest.ts'

/** An ISO 3166-1 alpha-2 code that is assigned to a country. */
export type Country = string

/** Codes that are in use for a country, but are not its own in ISO 3166. */
const ALSO_KNOWN_AS: Readonly<Record<string, Country>> = { EL: 'GR', UK: 'GB' }

const CODES: ReadonlySet<Country> = new Set(iso31661.map(({ alpha2 }) => alpha2))

export function isCountry(code: string): boolean {
  return CODES.has(code)
}

/** What a text that is no country should have been, for its refusal. */
export function expectedCountry(given: string): string {
  if (given === '') return 'two capital letters of ISO 3166 such as AU'
  return `two capital letters of ISO 3166; nearest to ${quoted(given)} is ${nearestCountry(given)}`
}

/**
 * Whether a zone keeps the time of some place in the country, in winter and in summer. True where nothing is known of the
 * country's zones.
 */
export function keepsTimeOf(country: Country, zone: string): boolean {
  const zones = zonesOf(country)
  return zones.length === 0 || zones.some((own) => SOLSTICES.every((at) => offsetIn(own, at) === offsetIn(zone, at)))
}

const SOLSTICES = ['2026-06-21T12:00:00Z', '2026-12-21T12:00:00Z'].map((text) => Temporal.Instant.from(text))

function offsetIn(zone: string, at: Temporal.Instant): number {
  return at.toZonedDateTimeISO(zone).offsetNanoseconds
}

function zonesOf(country: Country): readonly string[] {
  return new Intl.Locale('und', { region: country }).getTimeZones() ?? []
}

/** By what is also used for a country (`UK`, `AUS`, `Germany`), else by its letters. */
function nearestCountry(given: string): Country {
  const text = given.trim().toUpperCase()
  const named = iso31661.find(({ alpha3, name }) => text === alpha3 || text === name.toUpperCase())
  return ALSO_KNOWN_AS[text] ?? named?.alpha2 ?? nearest(text, [...CODES]).candidate
}
