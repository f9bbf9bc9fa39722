import { sql } from 'kysely'
import { allMinorUnitPlaces } from '../../kernel/money.ts'
import type { Invariant } from '../../platform/audit.ts'
import { jsonb } from '../../platform/db.ts'
import { BILLED_LINES, CREDITED_MONTHS, YEARS_GIVEN_BACK } from './queries.ts'

export const invoicingInvariants: Invariant[] = [
  {
    name: 'invoicing.lines-add-up',
    promise: 'The lines of an invoice add up to its subtotal and its tax',
    violations: sql`
      select i.id::text as subject,
        format('subtotal %s of lines worth %s, tax %s of lines worth %s', i.subtotal_cents, sum_net, i.tax_cents, sum_tax) as detail
      from invoicing.invoice i
      cross join lateral (
        select coalesce(sum(l.amount_cents) filter (where l.kind <> 'tax'), 0) as sum_net,
          coalesce(sum(l.amount_cents) filter (where l.kind = 'tax'), 0) as sum_tax
        from invoicing.invoice_line l
        where l.tenant_id = i.tenant_id and l.invoice_id = i.id
      ) line
      where (i.subtotal_cents, i.tax_cents) <> (sum_net, sum_tax)`,
  },
  {
    name: 'invoicing.tax-is-rounded-once',
    promise: 'A tax line is its rate times what it taxes, rounded once, and every taxable line is taxed once',
    violations: sql`
      select i.id::text as subject,
        format('tax %s, expected %s, on %s of %s', i.tax_cents, expected, taxed, taxable) as detail
      from invoicing.invoice i
      cross join lateral (
        select coalesce(sum(round((l.details ->> 'taxable_cents')::bigint * (l.details ->> 'rate')::numeric))
            filter (where l.kind = 'tax'), 0) as expected,
          coalesce(sum((l.details ->> 'taxable_cents')::bigint) filter (where l.kind = 'tax'), 0) as taxed,
          coalesce(sum(l.amount_cents) filter (where l.taxable), 0) as taxable
        from invoicing.invoice_line l
        where l.tenant_id = i.tenant_id and l.invoice_id = i.id
      ) line
      where i.tax_cents <> expected or taxed <> taxable`,
  },
  {
    name: 'invoicing.lines-are-rounded-half-up',
    promise: 'A posted amount is the precise one, rounded half up to the minor unit',
    violations: sql`
      select i.id::text as subject, format('%s lines are not rounded to %s places', count(*), i.minor_unit_places) as detail
      from invoicing.invoice i join invoicing.invoice_line l on l.tenant_id = i.tenant_id and l.invoice_id = i.id
      where l.amount_cents <> round(l.amount_precise * power(10::numeric, i.minor_unit_places))
      group by i.id, i.minor_unit_places`,
  },
  {
    name: 'invoicing.minor-units-are-of-the-currency',
    promise: 'An invoice was posted with as many places as its currency has in ISO 4217',
    violations: sql`
      select id::text as subject,
        format('%s with %s places, in the list %s', currency, minor_unit_places, coalesce(places, 'none')) as detail
      from invoicing.invoice
      cross join lateral (select ${jsonb(allMinorUnitPlaces())} ->> currency as places) c
      where places::integer is distinct from minor_unit_places`,
  },
  {
    name: 'invoicing.one-live-invoice',
    promise: 'A tenant has at most one live invoice for a period',
    violations: sql`
      select tenant_id as subject, format('%s invoices from %s on', count(*), period_start) as detail
      from invoicing.invoice where status <> 'void'
      group by tenant_id, period_start having count(*) > 1`,
  },
  {
    name: 'invoicing.numbers-have-no-gaps',
    promise: 'The numbers of each series run from 1 to the last one given, without gaps',
    violations: sql`
      select series.series as subject, format('%s documents, last number %s', documents, series.last_number) as detail
      from invoicing.number_series series
      cross join lateral (
        select count(*) as documents from (
          select number from invoicing.invoice union all select number from invoicing.credit_note
        ) document where starts_with(document.number, series.series || '-')
      ) given
      where documents <> series.last_number`,
  },
  {
    name: 'invoicing.paid-is-settled',
    promise: 'An issued invoice is paid exactly when payments and credits leave nothing owed',
    violations: sql`
      select i.id::text as subject, format('%s, %s of %s settled', i.status, settled, i.total_cents) as detail
      from invoicing.invoice i
      cross join lateral (
        select (select coalesce(sum(p.amount_cents), 0) from invoicing.payment p
            where p.tenant_id = i.tenant_id and p.invoice_id = i.id and p.reversed_at is null)
          + (select coalesce(sum(c.amount_cents), 0) from invoicing.credit_note c
            where c.tenant_id = i.tenant_id and c.invoice_id = i.id) as settled
      ) document
      where (i.status = 'paid' and settled < i.total_cents)
        or (i.status = 'issued' and settled >= i.total_cents)`,
  },
  {
    name: 'invoicing.given-back-was-billed',
    promise:
      'Credit notes, adjustments and plan years that are left never give back more of a month than was billed for it',
    violations: sql`
      select month.tenant_id || ' ' || month.period_start as subject,
        format('billed %s, credited %s', month.billed_cents + of_years.cents, month.credited_cents) as detail
      from ${CREDITED_MONTHS} month
      cross join lateral (
        select coalesce(sum(year.amount_cents), 0) as cents from ${YEARS_GIVEN_BACK} year
        where year.tenant_id = month.tenant_id and year.period_start = month.period_start
      ) of_years
      cross join lateral (
        -- A month in which a year's price is given back comes to less than nothing, by what other months billed.
        select coalesce(sum(least(cents, 0)), 0) as cents from (
          select least(min(line.rated_cents), sum(line.amount_cents) filter (where line.kind <> 'adjustment')) as cents
          from ${BILLED_LINES} line
          where line.tenant_id = month.tenant_id and line.period_start = month.period_start
          group by line.deployment_id
        ) deployment
      ) worth
      where month.billed_cents + of_years.cents < month.credited_cents + worth.cents`,
  },
  {
    name: 'invoicing.credits-are-of-months',
    promise: 'The net of a credit note is that of the months that it gives back',
    violations: sql`
      select c.number as subject, format('net %s of months worth %s', c.amount_cents - c.tax_cents, of_months.cents) as detail
      from invoicing.credit_note c
      cross join lateral (
        select coalesce(sum(m.amount_cents), 0) as cents from invoicing.credit_note_month m
        where m.tenant_id = c.tenant_id and m.credit_note_id = c.id
      ) of_months
      where c.amount_cents - c.tax_cents <> of_months.cents`,
  },
]
