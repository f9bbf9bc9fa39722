import { sql, type RawBuilder } from 'kysely'
import type { Reader } from '../../platform/db.ts'

/** So many are named; that there is one is what counts. */
const USES_SHOWN_MAX = 10

/** Who has, had or will have the plan, and the invoices that it was billed on, in words. */
export async function usesOfPlan(reader: Reader, code: string): Promise<string[]> {
  return readUses(
    reader,
    sql`
      select format('subscription %s', p.subscription_id)
      from subscriptions.phase p join catalog.plan_version v on v.id = p.plan_version_id
      where v.plan_code = ${code}
      union
      ${invoicesWhere(sql`l.details ->> 'plan_code' = ${code}`)}`,
  )
}

/** What is priced, granted, counted, shared or billed by the meter, in words. */
export async function usesOfMeter(reader: Reader, code: string): Promise<string[]> {
  return readUses(
    reader,
    sql`
      select format('plan %s version %s', v.plan_code, v.version)
      from catalog.charge c join catalog.plan_version v on v.id = c.plan_version_id
      where c.meter = ${code}
      union
      select format('add-on %s', code) from catalog.addon where grants_meter = ${code}
      union
      select format('subscription %s', subscription_id) from subscriptions.addon where grants_meter = ${code}
      union
      select format('subscription %s', subscription_id) from subscriptions.override
      where charges @> jsonb_build_array(jsonb_build_object('meter', ${code}::text))
      union
      select format('allocation rule %s', id) from costs.allocation_rule where meter = ${code}
      union
      (select 'usage events' from metering.usage_event where meter = ${code} limit 1)
      union
      ${invoicesWhere(sql`l.meter = ${code}`)}`,
  )
}

/** The subscriptions that it was ever attached to, and the invoices that it was billed on, in words. */
export async function usesOfAddon(reader: Reader, code: string): Promise<string[]> {
  return readUses(
    reader,
    sql`
      select format('subscription %s', subscription_id) from subscriptions.addon where code = ${code}
      union
      ${invoicesWhere(sql`l.details ->> 'addon_code' = ${code}`)}`,
  )
}

function invoicesWhere(is_named: RawBuilder<unknown>) {
  return sql`
    select format('invoice %s', i.number)
    from invoicing.invoice_line l
    join invoicing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id and i.number is not null
    where ${is_named}`
}

async function readUses(reader: Reader, uses: RawBuilder<unknown>): Promise<string[]> {
  const { rows } = await sql<{ use: string }>`
    select named.use from (${uses}) as named(use) order by named.use limit ${sql.lit(USES_SHOWN_MAX)}`.execute(reader)
  return rows.map(({ use }) => use)
}
