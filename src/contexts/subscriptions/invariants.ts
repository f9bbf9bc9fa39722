import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const subscriptionsInvariants: Invariant[] = [
  {
    name: 'subscriptions.phases-cover-the-days',
    promise: 'The phases of a subscription cover its days, and no others.',
    violations: sql`
      select s.id::text as subject, format('%s to %s', s.starts_on, s.ends_on) as detail
      from subscriptions.subscription s
      left join subscriptions.phase p on p.tenant_id = s.tenant_id and p.subscription_id = s.id
      group by s.tenant_id, s.id
      having coalesce(range_agg(daterange(p.starts_on, p.ends_on)) filter (where p.id is not null), '{}')
        <> datemultirange(daterange(s.starts_on, s.ends_on))`,
  },
  {
    name: 'subscriptions.addons-end-with-it',
    promise: 'No add-on outlives its subscription or starts before it.',
    violations: sql`
      select a.id::text as subject, format('%s to %s', a.starts_on, a.ends_on) as detail
      from subscriptions.addon a
      join subscriptions.subscription s on s.tenant_id = a.tenant_id and s.id = a.subscription_id
      where not daterange(a.starts_on, a.ends_on) <@ daterange(s.starts_on, s.ends_on)`,
  },
  {
    name: 'subscriptions.closed-deployments-have-none',
    promise: 'A cancelled or archived deployment has no subscription without an end.',
    violations: sql`
      select s.id::text as subject, format('deployment %s is %s', d.id, d.state) as detail
      from subscriptions.subscription s
      join deployments.deployment d on d.tenant_id = s.tenant_id and d.id = s.deployment_id
      where d.state in ('cancelled', 'archived') and s.ends_on is null`,
  },
  {
    name: 'subscriptions.one-currency',
    promise: 'Every plan and add-on of a subscription is in the currency of its tenant.',
    violations: sql`
      select sold.id::text as subject, format('sold in %s, tenant %s in %s', sold.currency, t.id, t.currency) as detail
      from (
        select p.tenant_id, p.subscription_id as id, v.currency
        from subscriptions.phase p join catalog.plan_version v on v.id = p.plan_version_id
        union all
        select tenant_id, subscription_id, currency from subscriptions.addon
      ) sold
      join tenants.tenant t on t.id = sold.tenant_id
      where sold.currency <> t.currency`,
  },
]
