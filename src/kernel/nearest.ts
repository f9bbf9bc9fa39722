import { distance } from 'fastest-levenshtein'
import { present } from './invariant.ts'

/** Longer texts are cut to this: what is wrong further on makes no other candidate the nearest. */
const COMPARED_MAX_CHARACTERS = 64

/** The candidate that is written most like what was given, whatever the case; of equally near ones the first. */
export function nearest(given: string, candidates: readonly string[]): { candidate: string; edits: number } {
  const text = given.trim().slice(0, COMPARED_MAX_CHARACTERS).toLowerCase()
  const measured = candidates.map((candidate) => ({ candidate, edits: distance(text, candidate.toLowerCase()) }))
  return present(measured.toSorted((a, b) => a.edits - b.edits)[0], 'what is compared with nothing has no nearest')
}

/** The candidate that a mistyped or shortened word means (`suspend` → suspended, `base_price` → base_price_cents), if any. */
export function meantBy(given: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined
  const { candidate, edits } = nearest(given, candidates)
  const { length } = given
  const edits_max = length < SHORT_CHARACTERS ? Math.floor(length / 2) : Math.max(2, Math.floor(length / 3))
  if (edits <= edits_max) return candidate
  return candidates.find((one) => one.startsWith(`${given}_`) || given.startsWith(`${one}_`))
}

/** Two letters of a shorter word are most of it. */
const SHORT_CHARACTERS = 4

/** Of more words than these, none is named: a list of all would hide what is wrong. */
export const KNOWN_SHOWN_MAX = 12

/** The word that was meant, or else those that there are, as the end of a refusal of one that is not. */
export function knownHint(given: string, known: readonly string[]): string {
  const meant = meantBy(given.trim().replaceAll(/[ -]/g, '_'), known) ?? meantBy(given, known)
  if (meant !== undefined) return `; did you mean ${meant}?`
  return known.length > 0 && known.length <= KNOWN_SHOWN_MAX ? `; known are ${known.join(', ')}` : ''
}

/** A sentence with its stop, unless it ends in a question. */
export function stopped(text: string): string {
  return text.endsWith('?') ? text : `${text}.`
}

/** What was given, as a refusal repeats it. */
export function quoted(given: string): string {
  return JSON.stringify(given.length > COMPARED_MAX_CHARACTERS ? `${given.slice(0, COMPARED_MAX_CHARACTERS)}…` : given)
}
