import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const costsInvariants: Invariant[] = [
  {
    name: 'costs.bills-conserve-money',
    promise: 'Matched, allocated, unmatched, tax and credits of an issued bill add up to its amount',
    violations: sql`
      select i.id::text as subject,
        coalesce(i.invoice_number, i.external_id) || ': amount ' || i.amount || ', matched ' || l.matched
          || ', allocated ' || l.allocated || ', unmatched ' || l.unmatched || ', tax ' || l.tax || ', credits ' || l.credits as detail
      from costs.provider_invoice i
      cross join lateral (
        select count(*) as lines,
          coalesce(sum(amount) filter (where match_status = 'matched'), 0) as matched,
          coalesce(sum(amount) filter (where match_status = 'allocated'), 0) as allocated,
          coalesce(sum(amount) filter (where match_status = 'unmatched'), 0) as unmatched,
          coalesce(sum(amount) filter (where charge_category = 'Tax'), 0) as tax,
          coalesce(sum(amount) filter (where charge_category = 'Credit'), 0) as credits
        from costs.cost_line where provider_invoice_id = i.id
      ) l
      where i.status = 'issued' and (
        l.matched + l.allocated + l.unmatched + l.tax + l.credits <> i.amount
        or i.lines_amount <> i.amount or l.lines <> i.line_count or l.tax <> i.tax_amount
      )`,
  },
  {
    name: 'costs.shares-add-up',
    promise: 'The shares of an allocated line add up to it exactly',
    violations: sql`
      select l.id::text as subject, l.description || ': ' || l.amount || ', shares ' || coalesce(sum(s.amount), 0) as detail
      from costs.cost_line l left join costs.line_share s on s.cost_line_id = l.id
      where l.match_status = 'allocated'
      group by l.provider_invoice_id, l.position
      having coalesce(sum(s.amount), 0) <> l.amount or count(s.cost_line_id) = 0`,
  },
  {
    name: 'costs.only-allocated-lines-are-split',
    promise: 'A line that belongs to one deployment, or to none, has no shares',
    violations: sql`
      select l.id::text as subject, l.description || ' is ' || l.match_status || ' and has ' || count(*) || ' shares' as detail
      from costs.cost_line l join costs.line_share s on s.cost_line_id = l.id
      where l.match_status <> 'allocated' group by l.provider_invoice_id, l.position`,
  },
  {
    name: 'costs.owned-lines-say-by-which-rung',
    promise:
      'A line says by which rung it has an owner, an allocated line names none of its own, and no other has either',
    violations: sql`
      select l.id::text as subject, l.description || ' is ' || l.match_status || ' by ' || coalesce(l.match_method, 'nothing') as detail
      from costs.cost_line l
      where (l.match_status in ('matched', 'allocated')) <> (l.match_method is not null)
        or l.match_status = 'allocated' and l.deployment_id is not null
        or l.match_reason = ''`,
  },
  {
    name: 'costs.lines-refer-to-what-exists',
    promise: 'The bill, the resource and the deployment of a line exist',
    violations: sql`
      select l.id::text as subject, l.description || ' refers to a ' || missing.thing || ' that does not exist' as detail
      from costs.cost_line l
      left join costs.provider_invoice i on i.id = l.provider_invoice_id
      left join inventory.resource r on r.id = l.resource_id
      left join deployments.deployment d on d.id = l.deployment_id and d.tenant_id = l.tenant_id
      cross join lateral (
        values ('bill', i.id is null), ('resource', l.resource_id is not null and r.id is null),
          ('deployment', l.deployment_id is not null and d.id is null)
      ) missing (thing, is_missing)
      where missing.is_missing`,
  },
  {
    name: 'costs.issued-bills-do-not-change',
    promise: 'What the provider sends of an issued bill is what is stored',
    violations: sql`
      select i.id::text as subject, coalesce(i.invoice_number, i.external_id) || ': ' || i.difference as detail
      from costs.provider_invoice i where i.difference is not null and i.status <> 'withdrawn'`,
  },
  {
    name: 'costs.withdrawn-bills-count-nowhere',
    promise: 'A withdrawn bill has no lines in the books, and those that are kept of it add up to it',
    violations: sql`
      select i.id::text as subject,
        i.external_id || ': ' || c.lines || ' lines in the books, kept ' || k.amount || ' of ' || i.lines_amount as detail
      from costs.provider_invoice i
      cross join lateral (select count(*) as lines from costs.cost_line where provider_invoice_id = i.id) c
      cross join lateral (
        select count(*) as lines, coalesce(sum(amount), 0) as amount
        from costs.withdrawn_line where provider_invoice_id = i.id
      ) k
      where i.status = 'withdrawn' and (c.lines > 0 or k.lines <> i.line_count or k.amount <> i.lines_amount)`,
  },
  {
    name: 'costs.previews-are-not-pushed',
    promise: 'The bill of the running month is never sent to the books',
    violations: sql`
      select p.id::text as subject, 'preview of ' || i.period_start as detail
      from costs.provider_invoice i
      join finance.push p on p.source = i.provider and p.external_id = i.external_id
      where i.status = 'preview'`,
  },
]
