import { isTimeZone } from '../../kernel/period.ts'
import type { ContextTx } from '../../platform/db.ts'
import { found, requireCountry, requireCurrency, requireTimeZone } from '../../platform/wire.ts'
import { type Act, recordEvent } from '../events/index.ts'
import { currencyInUse, tenantExists, tenantInUse, timeZoneInUse } from './problems.ts'
import { findIdWithoutCase, isCurrencyInUse, isTimeZoneInUse, usesOfTenant } from './queries.ts'
import { givenTaxOf, requireTaxId, taxColumns, type Tenant } from './tenant.ts'

type Identity = Pick<Tenant, 'legal_name' | 'country' | 'currency' | 'timezone'> &
  Partial<Pick<Tenant, 'email' | 'address' | 'tax_id'>> & { tax?: Parameters<typeof taxColumns>[1] }
export type NewTenant = Omit<Identity, 'timezone'> & { id: string; timezone?: string }
export type TenantChanges = Partial<Identity>

const DEFAULT_TIME_ZONE = 'UTC'

/**
 * Throws `tenants/exists` also when only the case differs, and `request/invalid` for an unknown country,
 * currency or zone.
 */
export async function createTenant(
  tx: ContextTx<'tenants'>,
  { tax, ...given }: NewTenant,
  { now }: { now: Temporal.Instant },
): Promise<Tenant> {
  requireCurrency(given.currency, 'currency')
  requireCountry(given.country, 'country')
  const timezone = requireTimeZone(given.timezone ?? DEFAULT_TIME_ZONE, 'timezone')
  requireTaxId({ tax_id: null, ...given })
  const taxed = taxColumns(given.country, tax)
  const taken = await findIdWithoutCase(tx, given.id)
  if (taken !== undefined) throw tenantExists(`There is a tenant ${taken} already. Change it, or choose another id.`)
  return tx
    .insertInto('tenants.tenant')
    .values({
      email: null,
      address: null,
      tax_id: null,
      ...given,
      timezone,
      ...taxed,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/**
 * Sets what is given; `tax` is replaced whole, and what was assumed of it follows the country. Throws
 * `tenants/currency-in-use`, `tenants/time-zone-in-use` and `request/invalid`.
 */
export async function updateTenant(
  tx: ContextTx<'tenants'>,
  id: string,
  { changes: { tax, ...changes }, now }: { changes: TenantChanges; now: Temporal.Instant },
): Promise<Tenant> {
  if (changes.country !== undefined) requireCountry(changes.country, 'country')
  if (changes.timezone !== undefined) requireTimeZone(changes.timezone, 'timezone')
  // Who sells, charges or invoices takes a share lock on this row, so that nothing comes in for what is being left.
  const tenant = await lockTenant(tx, id)
  await requireFree(tx, tenant, changes)
  if (changes.country !== undefined || changes.tax_id !== undefined) requireTaxId({ ...tenant, ...changes })
  return tx
    .updateTable('tenants.tenant')
    .set({ ...changes, ...changedTax(tenant, { ...changes, ...(tax && { tax }) }), updated_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Deletes a tenant that never had anything. Throws 404 and `tenants/in-use`. */
export async function deleteTenant(
  tx: ContextTx<'tenants'>,
  { id, reason }: { id: string; reason: string | null },
  act: Act,
): Promise<void> {
  const was = await lockTenant(tx, id)
  const uses = await usesOfTenant(tx, id)
  if (uses.length > 0) {
    throw tenantInUse(
      `Tenant ${id} has ${uses.join(', ')}. Cancel and archive its deployments; what was billed stays.`,
      uses.map((use) => ({ path: 'id', message: `has ${use}` })),
    )
  }
  const subject = { kind: 'tenant', id }
  await recordEvent(tx, { type: 'tenant.deleted', tenant_id: id, subject, reason, data: { was } }, act)
  await tx.deleteFrom('tenants.tenant').where('id', '=', id).execute()
}

async function lockTenant(tx: ContextTx<'tenants'>, id: string): Promise<Tenant> {
  const query = tx.selectFrom('tenants.tenant').selectAll().where('id', '=', id).forUpdate()
  return found(await query.executeTakeFirst(), `tenant: ${id}`)
}

async function requireFree(tx: ContextTx<'tenants'>, tenant: Tenant, changes: TenantChanges): Promise<void> {
  const { id } = tenant
  const { currency = tenant.currency, timezone = tenant.timezone } = changes
  if (currency !== tenant.currency) {
    requireCurrency(currency, 'currency')
    if (await isCurrencyInUse(tx, id)) {
      throw currencyInUse(`Tenant ${id} is billed in ${tenant.currency}. Create another tenant for ${currency}.`)
    }
  }
  // Months of two zones overlap or leave hours between them, which would be billed twice or never. A zone that is none
  // any more bills nothing, and must be left.
  if (timezone !== tenant.timezone && isTimeZone(tenant.timezone) && (await isTimeZoneInUse(tx, id))) {
    throw timeZoneInUse(
      `Tenant ${id} is billed by the days of ${tenant.timezone}. Create another tenant for ${timezone}.`,
    )
  }
}

function changedTax(
  tenant: Tenant,
  { country = tenant.country, tax }: Pick<TenantChanges, 'country' | 'tax'>,
): Partial<Tenant> {
  if (tax !== undefined) return taxColumns(country, tax)
  return country === tenant.country || tenant.tax_assumed === null ? {} : taxColumns(country, givenTaxOf(tenant))
}
