import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { decimal, ONE, ZERO } from '../../kernel/decimal.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'

/** Restricted to what a provider's resource tag can carry. */
export const TENANT_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'

export type Tenant = Selectable<DB['tenants.tenant']>

/** `rate` is a fraction (`"0.10"` is 10 %); name and rate are there when the treatment is `taxable`. */
export type TenantTax = { treatment: Tenant['tax_treatment']; name: string | null; rate: string | null }
type GivenTax = { treatment: Tenant['tax_treatment']; name?: string | null; rate?: string | null }

const EXPORT: TenantTax = { treatment: 'export', name: null, rate: null }
const HOME_COUNTRY = 'AU'
/** Source: A New Tax System (Goods and Services Tax) Act 1999 (Australia), section 9-70. */
const HOME_TAX = { treatment: 'taxable', name: 'GST', rate: '0.10' } as const

/** The terms that the engine taxes a tenant's bill by. */
export function taxTermsOf(tenant: Pick<Tenant, 'tax_treatment' | 'tax_name' | 'tax_rate'>): TenantTax {
  return { treatment: tenant.tax_treatment, name: tenant.tax_name, rate: tenant.tax_rate }
}

/**
 * The tax terms of a tenant in `country`: what is given, filled up with the home country's tax. Nothing given means
 * taxable at home and export elsewhere. Throws `request/invalid` when a taxable tenant would have no name or rate.
 */
export function taxFor(country: string, given?: GivenTax): TenantTax {
  const local = country === HOME_COUNTRY ? HOME_TAX : null
  if (given === undefined) return local ?? EXPORT
  if (given.treatment !== 'taxable') return { ...given, name: given.name ?? null, rate: given.rate ?? null }
  const name = given.name ?? local?.name ?? null
  const rate = given.rate ?? local?.rate ?? null
  const faults = [...nameFaults(name), ...rateFaults(rate)]
  if (faults.length > 0) throw invalidInput('The tax terms are not valid.', faults)
  return { treatment: 'taxable', name, rate }
}

function nameFaults(name: string | null): Fault[] {
  return name === null ? [{ path: 'tax/name', message: 'is required for a taxable tenant outside Australia' }] : []
}

function rateFaults(rate: string | null): Fault[] {
  const path = 'tax/rate'
  if (rate === null) return [{ path, message: 'is required for a taxable tenant outside Australia' }]
  const value = decimal(rate)
  return value.gt(ZERO) && value.lt(ONE)
    ? []
    : [{ path, message: 'must be a fraction between 0 and 1, such as "0.10"' }]
}
