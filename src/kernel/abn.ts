/** Of the eleven digits, of which the first is lowered by one; their weighted sum is a multiple of 89. */
const WEIGHTS = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]

/**
 * What is wrong with an Australian Business Number, or null. Spaces do not matter.
 * Source: Australian Business Register, "Format of the ABN".
 */
export function abnFault(given: string): string | null {
  const digits = given.replaceAll(/\s/g, '')
  if (!/^[1-9][0-9]{10}$/.test(digits)) return 'must be an ABN, which has eleven digits, such as 51 824 753 556'
  const weighted = WEIGHTS.reduce(
    (sum, weight, place) => sum + weight * (Number(digits[place]) - (place === 0 ? 1 : 0)),
    0,
  )
  return weighted % 89 === 0 ? null : 'the check digit of the ABN does not hold'
}
