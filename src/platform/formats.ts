/** What schemas have of ours, beside JSON Schema. */

/** The format of a text that the database can hold. */
export const TEXT_FORMAT = 'text'
/** The format of an exact decimal as text; its pattern says which. */
export const DECIMAL_FORMAT = 'decimal'
/** Marks integers in minor units, of any size. */
export const CENTS_KEYWORD = 'minor_units'

/** Whether PostgreSQL can hold the text: it takes neither NUL nor half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** For validators. */
export const FORMATS = { [TEXT_FORMAT]: isStorableText, [DECIMAL_FORMAT]: true as const }
