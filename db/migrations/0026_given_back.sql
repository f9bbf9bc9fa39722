-- breaking: an older program would write credit notes without the months that they give back, which adjustments would give
-- back again.
-- Which months a credit note gives back, net: its invoice bills its own month and may adjust earlier ones.
create table invoicing.credit_note_month (
  tenant_id text not null,
  credit_note_id uuid not null,
  period_start date not null,
  amount_cents bigint not null check (amount_cents > 0),
  primary key (tenant_id, credit_note_id, period_start),
  foreign key (tenant_id, credit_note_id) references invoicing.credit_note (tenant_id, id)
);
create index credit_note_month_of_period on invoicing.credit_note_month (tenant_id, period_start);

-- Which invoices adjust a month, whatever its age.
create index invoice_line_adjustment on invoicing.invoice_line (tenant_id, service_start) where kind = 'adjustment';

-- Credit notes so far, in their order, are of the invoice's own month first and then of the months it adjusts, the latest
-- first: a note takes what it overlaps, both laid end to end.
with billed as (
  select i.tenant_id, i.id as invoice_id, i.period_start as own_start, m.period_start, sum(l.amount_cents) as cents
  from invoicing.credit_note c
  join invoicing.invoice i on i.tenant_id = c.tenant_id and i.id = c.invoice_id
  join invoicing.invoice_line l on l.tenant_id = i.tenant_id and l.invoice_id = i.id and l.kind <> 'tax'
  cross join lateral (
    select case when l.kind = 'adjustment' then l.service_start else i.period_start end as period_start
  ) m
  where c.number = (select min(o.number) from invoicing.credit_note o where o.tenant_id = i.tenant_id and o.invoice_id = i.id)
  group by i.tenant_id, i.id, i.period_start, m.period_start
  having sum(l.amount_cents) > 0
), month as (
  select tenant_id, invoice_id, period_start, cents,
    sum(cents) over (
      partition by tenant_id, invoice_id order by period_start <> own_start, period_start desc
    ) as upto
  from billed
), note as (
  select tenant_id, invoice_id, id, amount_cents - tax_cents as cents,
    sum(amount_cents - tax_cents) over (partition by tenant_id, invoice_id order by number) as upto
  from invoicing.credit_note
)
insert into invoicing.credit_note_month (tenant_id, credit_note_id, period_start, amount_cents)
select n.tenant_id, n.id, m.period_start, least(n.upto, m.upto) - greatest(n.upto - n.cents, m.upto - m.cents)
from note n
join month m on m.tenant_id = n.tenant_id and m.invoice_id = n.invoice_id
where least(n.upto, m.upto) > greatest(n.upto - n.cents, m.upto - m.cents);
