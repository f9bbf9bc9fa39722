import type { Decimal } from '../../../kernel/decimal.ts'
import type { EventCount } from '../facts.ts'

/**
 * What a model makes of a billable quantity. `amount` is exact, in major units; `unit_price` is null where no single
 * price applies; `details` (JSON values, decimals as strings) hold the terms used.
 */
export type Rated = { amount: Decimal; unit_price: string | null; details: Readonly<Record<string, unknown>> }

/** The usage that the billable quantity is left of, once what is included is taken away. */
export type Metered = { metered: Decimal; included: Decimal; events: readonly EventCount[] }

/** Rates any billable quantity by terms that were read once. */
export type Rater = (billable: Decimal, of: Metered) => Rated
