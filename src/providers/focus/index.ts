export { createFocusReader, isFocusHeader, serviceCategoryOf } from './reader.ts'
export { providerWord, readNumber, readQuantity } from './values.ts'
