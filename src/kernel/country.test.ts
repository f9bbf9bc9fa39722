import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectedCountry, isCountry } from './country.ts'

test('a country is a code that ISO 3166 has assigned', () => {
  for (const code of ['AU', 'NZ', 'HU', 'GB', 'SS', 'CW']) assert.equal(isCountry(code), true, code)
  for (const code of ['ZZ', 'au', 'AUS', 'UK', 'EU', 'XK', 'AN', '']) assert.equal(isCountry(code), false, code)
})

test('what is no country is told the nearest one, by its name, another code of it or its letters', () => {
  assert.equal(expectedCountry('au'), 'two capital letters of ISO 3166; nearest to "au" is AU')
  const nearestTo = (given: string) => /is (\w+)$/.exec(expectedCountry(given))?.[1]
  assert.deepEqual(['Australia', 'DEU', 'UK', 'EL', 'ZZ'].map(nearestTo), ['AU', 'DE', 'GB', 'GR', 'AZ'])
})
