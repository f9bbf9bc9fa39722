/** What schemas have of ours, beside JSON Schema. */

/** The format of a text that the database can hold. */
export const TEXT_FORMAT = 'text'
/** Marks integers in minor units, of any size. */
export const CENTS_KEYWORD = 'minor_units'

/** Whether PostgreSQL can hold the text: it takes neither NUL nor half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** For validators. */
export const FORMATS = { [TEXT_FORMAT]: isStorableText }
