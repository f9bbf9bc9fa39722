export { createFocusReader, isFocusHeader } from './reader.ts'
export { readNumber } from './values.ts'
