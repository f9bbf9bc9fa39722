import { sql } from 'kysely'
import { anyOf, type Reader } from '../../platform/db.ts'
import type { Check } from '../../platform/doctor.ts'

/** Before `0023_minor_units.sql` their minor units had no places: `_cents` meant a hundred (of IQD a thousand) times as much. */
const RESCALED = 'AFN ALL COP HUF IDR IQD IRR KPW LAK LBP MGA MMK PKR SOS SYP YER'.split(' ')
const RESCALED_IN = 23

export const catalogChecks: readonly Check[] = [
  {
    name: 'prices',
    read: async (reader, now) => {
      const prices = await readRescaled(reader, now)
      if (prices.length === 0) return { ok: true, detail: 'are in the minor units that they were entered in' }
      const live = prices.some(({ is_live }) => is_live)
      const named = prices.map(({ what, currency }) => `${what} (${currency})`).join(', ')
      return {
        ok: !live,
        detail: `entered when ${[...new Set(prices.map(({ currency }) => currency))].join(', ')} had no minor unit, and mean a hundredth now (of IQD a thousandth): ${named}. Enter them anew, and move subscriptions to them.`,
      }
    },
  },
]

type Price = { what: string; currency: string; is_live: boolean }

/** What is sold, or agreed with somebody, at a price that was entered before its currency had other places. */
async function readRescaled(reader: Reader, now: Temporal.Instant): Promise<Price[]> {
  const today = sql`(${now.toString()}::timestamptz at time zone 'UTC')::date`
  const is_on = sql`coalesce(p.ends_on > ${today}, true)`
  const { rows } = await sql<Price>`
    with upgrade as (select applied_at from platform.migration where version = ${sql.lit(RESCALED_IN)})
    select format('plan %s version %s', v.plan_code, v.version) as what, v.currency, sold.is_live
    from catalog.plan_version v
    join upgrade on v.created_at < upgrade.applied_at
    cross join lateral (
      select exists (select from subscriptions.phase p where p.plan_version_id = v.id and ${is_on}) as is_live
    ) sold
    where v.currency = ${anyOf(RESCALED)} and (v.status = 'published' or sold.is_live)
    union all
    select format('add-on %s', a.code), a.currency, false
    from catalog.addon a join upgrade on a.created_at < upgrade.applied_at
    where a.currency = ${anyOf(RESCALED)} and not exists (
      select from events.event e
      where e.type = 'addon.changed' and e.subject_id = a.code and e.occurred_at >= upgrade.applied_at
    )
    union all
    select format('override of subscription %s', o.subscription_id), t.currency, true
    from subscriptions.override o
    join upgrade on o.created_at < upgrade.applied_at
    join tenants.tenant t on t.id = o.tenant_id
    where t.currency = ${anyOf(RESCALED)} and exists (
      select from subscriptions.phase p where p.tenant_id = o.tenant_id and p.override_id = o.id and ${is_on}
    )
    union all
    select format('discount of subscription %s', d.subscription_id), t.currency, true
    from subscriptions.discount d
    join upgrade on d.created_at < upgrade.applied_at
    join tenants.tenant t on t.id = d.tenant_id
    where t.currency = ${anyOf(RESCALED)} and d.amount_cents is not null and coalesce(d.ends_on > ${today}, true)
      and exists (
        select from subscriptions.phase p
        where p.tenant_id = d.tenant_id and p.subscription_id = d.subscription_id and ${is_on}
      )
    order by what`.execute(reader)
  return rows
}
