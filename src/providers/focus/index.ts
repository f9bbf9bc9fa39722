export { createFocusReader, isFocusHeader, serviceCategoryOf } from './reader.ts'
export { providerOf, readNumber, readQuantity } from './values.ts'
