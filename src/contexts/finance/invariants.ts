import { sql } from 'kysely'
import { allMinorUnitPlaces } from '../../kernel/money.ts'
import type { Invariant } from '../../platform/audit.ts'
import { jsonb } from '../../platform/db.ts'

export const invariants: Invariant[] = [
  {
    name: 'finance.issued-documents-are-in-the-outbox',
    promise: 'Every issued bill and every issued invoice is in the outbox.',
    violations: sql`
      select d.external_id as subject, 'issued, but not in the outbox of ' || d.source as detail
      from (
        select provider as source, external_id from costs.provider_invoice where status = 'issued'
        union all
        select 'arcadia-cloud', id::text from invoicing.invoice where status in ('issued', 'paid')
      ) d
      where not exists (select from finance.push p where p.source = d.source and p.external_id = d.external_id)`,
  },
  {
    name: 'finance.only-issued-documents-are-in-the-outbox',
    promise: 'No preview bill and no draft invoice is in the outbox.',
    violations: sql`
      select p.external_id as subject, 'not issued' as detail
      from finance.push p
      where exists (
        select from costs.provider_invoice i
        where p.document = 'provider_invoice' and i.provider = p.source and i.external_id = p.external_id
          and i.status in ('announced', 'preview')
      ) or exists (
        select from invoicing.invoice i where p.document = 'invoice' and i.id::text = p.external_id and i.status = 'draft'
      )`,
  },
  {
    name: 'finance.withdrawn-bills-are-nothing',
    promise: 'A bill in the outbox that was withdrawn, and that no other stands for under its name, comes to nothing.',
    violations: sql`
      select p.external_id as subject, 'gross ' || (p.payload ->> 'amount_gross_minor') as detail
      from finance.push p
      where p.document = 'provider_invoice' and (p.payload ->> 'amount_gross_minor')::numeric <> 0
        and 'withdrawn' = all (
          select i.status from costs.provider_invoice i where i.provider = p.source and i.external_id = p.external_id
        )
        and exists (
          select from costs.provider_invoice i where i.provider = p.source and i.external_id = p.external_id
        )`,
  },
  {
    name: 'finance.documents-add-up',
    promise: 'Net and tax are gross, the lines add up to gross and the tax lines to tax.',
    violations: sql`
      select p.external_id as subject, 'gross ' || a.gross || ', net ' || a.net || ', tax ' || a.tax || ', lines ' || l.gross as detail
      from finance.push p
      cross join lateral (
        select (p.payload ->> 'amount_gross_minor')::numeric as gross, (p.payload ->> 'amount_net_minor')::numeric as net,
          (p.payload ->> 'amount_tax_minor')::numeric as tax
      ) a
      cross join lateral (
        select coalesce(sum((line ->> 'amount_minor')::numeric), 0) as gross,
          coalesce(sum((line ->> 'amount_minor')::numeric) filter (where (line ->> 'tax')::boolean), 0) as tax
        from jsonb_array_elements(p.payload -> 'lines') line
      ) l
      where a.net + a.tax <> a.gross or l.gross <> a.gross or l.tax <> a.tax`,
  },
  {
    name: 'finance.minor-units-are-of-the-currency',
    promise: 'What goes to the books has as many places as its currency has in ISO 4217.',
    violations: sql`
      select external_id as subject,
        format('%s with %s places, in the list %s', currency, minor_unit_places, coalesce(places, 'none')) as detail
      from finance.push
      cross join lateral (select payload ->> 'currency' as currency) p
      cross join lateral (select ${jsonb(allMinorUnitPlaces())} ->> currency as places) c
      where places::integer is distinct from minor_unit_places`,
  },
  {
    name: 'finance.invoices-are-as-they-stand',
    promise: 'An invoice in the outbox is what it comes to now: less its credit notes, and nothing when it is void.',
    violations: sql`
      select p.external_id as subject, 'gross ' || d.gross || ' of which tax ' || d.tax || ', comes to ' || s.gross || ' and ' || s.tax as detail
      from finance.push p
      join invoicing.invoice i on p.document = 'invoice' and i.tenant_id = p.tenant_id and i.id::text = p.external_id
      cross join lateral (
        select (p.payload ->> 'amount_gross_minor')::numeric as gross, (p.payload ->> 'amount_tax_minor')::numeric as tax
      ) d
      cross join lateral (
        select case i.status when 'void' then 0 else i.total_cents - coalesce(sum(c.amount_cents), 0) end as gross,
          case i.status when 'void' then 0 else i.tax_cents - coalesce(sum(c.tax_cents), 0) end as tax
        from invoicing.credit_note c where c.tenant_id = i.tenant_id and c.invoice_id = i.id
      ) s
      where (d.gross, d.tax) <> (s.gross, s.tax)`,
  },
]
