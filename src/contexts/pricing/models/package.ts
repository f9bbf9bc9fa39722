import { type Decimal, decimal, ONE, plain, ZERO } from '../../../kernel/decimal.ts'
import type { PackageTerms } from '../facts.ts'
import type { Rated } from './rated.ts'

/** Whole packages: one that is begun is charged. */
export function packageRater(terms: PackageTerms): (billable: Decimal) => Rated {
  const size = decimal(terms.package_size)
  const price = decimal(terms.package_price)
  const package_size = plain(size)
  const package_price = plain(price)
  return (billable) => {
    const packages = packagesFor(billable, size)
    return {
      amount: packages.times(price),
      unit_price: null,
      details: { package_size, package_price, packages: plain(packages) },
    }
  }
}

/** Rounding up a quotient would lose a remainder beyond the quotient's last place, and with it a package. */
function packagesFor(quantity: Decimal, size: Decimal): Decimal {
  const remainder = quantity.mod(size)
  const full = quantity.minus(remainder).div(size)
  return remainder.gt(ZERO) ? full.plus(ONE) : full
}
