import type { Decimal } from '../../../kernel/decimal.ts'

/**
 * What a model makes of a billable quantity. `amount` is exact, in major units; `unit_price` is null where no single
 * price applies; `details` (decimal strings) hold the terms used.
 */
export type Rated = { amount: Decimal; unit_price: string | null; details: Record<string, unknown> }
