import type { Selectable } from 'kysely'
import type { DB } from '../../../db/types.ts'
import { abnFault } from '../../kernel/abn.ts'
import { keepsTimeOf } from '../../kernel/country.ts'
import { type Decimal, decimal, ONE, plain, ZERO } from '../../kernel/decimal.ts'
import { quoted } from '../../kernel/nearest.ts'
import { isTimeZone } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import type { Warning } from '../../platform/wire.ts'

/** Restricted to what a provider's resource tag can carry. */
export const TENANT_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'

export type Tenant = Selectable<DB['tenants.tenant']>

/** `rate` is a fraction (`"0.10"` is 10 %); name and rate are there when the treatment is `taxable`. */
export type TenantTax = { treatment: Tenant['tax_treatment']; name: string | null; rate: string | null }
type GivenTax = { treatment: Tenant['tax_treatment']; name?: string | null; rate?: string | null }

/** Which terms nobody gave, the country that they were taken from, and that in words. */
export type AssumedTax = { terms: string[]; country: string | null; reason: string }

const EXPORT: TenantTax = { treatment: 'export', name: null, rate: null }
const HOME_COUNTRY = 'AU'
const HOME_TIME_ZONE = 'Australia/Sydney'
/** Source: A New Tax System (Goods and Services Tax) Act 1999 (Australia), section 9-70. */
const HOME_TAX = { treatment: 'taxable', name: 'GST', rate: '0.10' } as const

/** The terms that the engine taxes a tenant's bill by. */
export function taxTermsOf(tenant: Pick<Tenant, 'tax_treatment' | 'tax_name' | 'tax_rate'>): TenantTax {
  return { treatment: tenant.tax_treatment, name: tenant.tax_name, rate: tenant.tax_rate }
}

/** What of the tenant's tax was taken from its country; null where all of it was given. */
export function assumedTaxOf(tenant: Tenant): AssumedTax | null {
  const { country, tax_assumed: terms } = tenant
  if (terms === null) return null
  const tax = tenant.tax_treatment === 'taxable' ? `${tenant.tax_name} of ${tenant.tax_rate}` : 'no tax, as an export'
  const what = terms.includes('treatment') ? 'tax' : terms.map((term) => `tax/${term}`).join(' and ')
  return { terms, country, reason: `No ${what} was given; for a tenant in ${country} that means ${tax}.` }
}

/** The columns of tax of a tenant in `country`, and which of them `given` leaves to it. Throws `request/invalid`. */
export function taxColumns(
  country: string,
  given?: GivenTax,
): Pick<Tenant, 'tax_treatment' | 'tax_name' | 'tax_rate' | 'tax_assumed'> {
  const { treatment, name, rate } = taxFor(country, given)
  const assumed = [
    ...(given === undefined ? ['treatment'] : []),
    ...(treatment === 'taxable' && (given?.name ?? null) === null ? ['name'] : []),
    ...(treatment === 'taxable' && (given?.rate ?? null) === null ? ['rate'] : []),
  ]
  return { tax_treatment: treatment, tax_name: name, tax_rate: rate, tax_assumed: assumed.length > 0 ? assumed : null }
}

/** What was given of a tenant's tax, so that what was not can be taken from another country. */
export function givenTaxOf(tenant: Tenant): GivenTax | undefined {
  const { treatment, name, rate } = taxTermsOf(tenant)
  const isAssumed = (term: string): boolean => tenant.tax_assumed?.includes(term) ?? false
  if (isAssumed('treatment')) return undefined
  return { treatment, name: isAssumed('name') ? null : name, rate: isAssumed('rate') ? null : rate }
}

/**
 * The tax terms of a tenant in `country`: what is given, filled up with the home country's tax. Nothing given means
 * taxable at home and export elsewhere. Throws `request/invalid` when a taxable tenant would have no name or rate.
 */
function taxFor(country: string, given?: GivenTax): TenantTax {
  const local = country === HOME_COUNTRY ? HOME_TAX : null
  if (given === undefined) return local ?? EXPORT
  if (given.treatment !== 'taxable') return { ...given, name: given.name ?? null, rate: given.rate ?? null }
  const name = given.name ?? local?.name ?? null
  const rate = given.rate ?? local?.rate ?? null
  const faults = [...nameFaults(name), ...rateFaults(rate)]
  if (faults.length > 0) throw invalidInput('The tax terms are not valid.', faults)
  return { treatment: 'taxable', name, rate }
}

/** At home the tax id is an ABN, which stands on tax invoices. Throws `request/invalid`. */
export function requireTaxId({ country, tax_id }: { country: string; tax_id: string | null }): void {
  const message = country === HOME_COUNTRY && tax_id !== null ? abnFault(tax_id) : null
  if (message !== null) throw invalidInput('The tax id is not valid.', [{ path: 'tax_id', message }])
}

export function warningsOf({ country, timezone }: Tenant): Warning[] {
  if (!isTimeZone(timezone) || keepsTimeOf(country, timezone)) return []
  const such = country === HOME_COUNTRY ? `, such as ${HOME_TIME_ZONE}` : ''
  const message =
    `no place in ${country} keeps the time of ${timezone}, whose days the months are billed by; ` +
    `set a zone of ${country}${such}, before the first invoice fixes it`
  return [{ code: 'tenants/zone-of-another-country', path: 'timezone', message }]
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
    : [
        {
          path,
          message: `must be a fraction between 0 and 1, such as "0.10" for 10 %; found ${quoted(rate)}${inPercent(value)}`,
        },
      ]
}

/** How a rate is written that was given in percent. */
function inPercent(value: Decimal): string {
  const hundred = decimal('100')
  return value.gte(ONE) && value.lt(hundred) ? `: ${plain(value)} % is "${plain(value.div(hundred))}"` : ''
}
