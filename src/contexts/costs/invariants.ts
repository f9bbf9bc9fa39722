import { sql } from 'kysely'
import type { Invariant } from '../../platform/audit.ts'

export const costsInvariants: Invariant[] = [
  {
    name: 'costs.bills-conserve-money',
    promise: 'Matched, allocated, unmatched, tax and credits of an issued bill add up to its amount',
    violations: sql`
      select i.id::text as subject,
        coalesce(i.invoice_number, i.external_id) || ': amount ' || i.amount || ', lines ' || coalesce(sum(l.amount), 0) as detail
      from costs.provider_invoice i left join costs.cost_line l on l.provider_invoice_id = i.id
      where i.status = 'issued'
      group by i.id
      having coalesce(sum(l.amount), 0) <> i.amount or i.lines_amount <> i.amount or count(l.id) <> i.line_count
        or coalesce(sum(l.amount) filter (where l.charge_category = 'Tax'), 0) <> i.tax_amount`,
  },
  {
    name: 'costs.shares-add-up',
    promise: 'The shares of an allocated line add up to it, and no other line has shares',
    violations: sql`
      select l.id::text as subject, l.description || ': ' || l.amount || ', shares ' || coalesce(sum(s.amount), 0) as detail
      from costs.cost_line l left join costs.line_share s on s.cost_line_id = l.id
      group by l.provider_invoice_id, l.position
      having coalesce(sum(s.amount), 0) <> case when l.match_status = 'allocated' then l.amount else 0 end
        or (l.match_status = 'allocated') <> (count(s.cost_line_id) > 0)`,
  },
  {
    name: 'costs.issued-bills-do-not-change',
    promise: 'What the provider sends of an issued bill is what is stored',
    violations: sql`
      select i.id::text as subject, coalesce(i.invoice_number, i.external_id) || ': ' || i.difference as detail
      from costs.provider_invoice i where i.difference is not null`,
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
