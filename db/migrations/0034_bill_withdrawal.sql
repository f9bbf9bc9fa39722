-- breaking: an older program would take a withdrawn bill for one that still awaits its lines.
-- An uploaded bill that was partial or wrong is withdrawn, or replaced by its final form: it stays with who did it and
-- why, and its lines leave the books for a table that nothing counts.
alter table costs.provider_invoice
  add column withdrawn_at timestamptz,
  add column withdrawn_by text,
  add column withdrawn_reason text check (withdrawn_reason <> ''),
  -- The bill that stands in its place.
  add column replaced_by uuid references costs.provider_invoice (id) deferrable initially deferred,
  drop constraint provider_invoice_status_check,
  add constraint provider_invoice_status_check check (status in ('announced', 'preview', 'issued', 'withdrawn')),
  add constraint provider_invoice_withdrawn_whole check (
    (status = 'withdrawn') = (withdrawn_at is not null)
    and (withdrawn_at is null) = (withdrawn_by is null)
    and (withdrawn_at is null) = (withdrawn_reason is null)
    and (replaced_by is null or withdrawn_at is not null)
  );
create index provider_invoice_replaced_by on costs.provider_invoice (replaced_by) where replaced_by is not null;

-- What stands in the place of a withdrawn bill may be called as it was: the books then have one document.
alter table costs.provider_invoice drop constraint provider_invoice_once;
create unique index provider_invoice_once on costs.provider_invoice (provider, external_id) where status <> 'withdrawn';
drop index costs.provider_invoice_number_once;
create unique index provider_invoice_number_once on costs.provider_invoice (
  provider, invoice_number, currency, billing_account, issuer_name, (case when number_is_stated then period_start end)
) nulls not distinct where status not in ('preview', 'withdrawn') and invoice_number is not null;

-- A line of a withdrawn bill as it was, with its owners: { "description": "…", "amount": "12.5", … }
create table costs.withdrawn_line (
  provider_invoice_id uuid not null references costs.provider_invoice (id),
  position integer not null,
  amount numeric not null,
  line jsonb not null,
  primary key (provider_invoice_id, position)
);

create function costs.refuse_change_of_withdrawn_line() returns trigger language plpgsql as $$
begin
  raise exception 'what was withdrawn is kept as it was'
    using errcode = 'check_violation', constraint = 'withdrawn_line_is_kept';
end $$;

create trigger withdrawn_line_is_kept before update or delete on costs.withdrawn_line
  for each row execute function costs.refuse_change_of_withdrawn_line();

-- Only what was uploaded is withdrawn, and only while its month is open; then it changes no more.
create function costs.refuse_withdrawal() returns trigger language plpgsql as $$
begin
  if old.status = 'announced' or old.read_from is distinct from 'upload' then
    raise exception 'only a bill that was uploaded can be withdrawn'
      using errcode = 'check_violation', constraint = 'provider_invoice_withdrawn_was_uploaded';
  end if;
  if exists (
    select from costs.period_close c
    where c.period_start = date_trunc('month', old.period_start::timestamp)::date and c.reopened_at is null
  ) then
    raise exception 'the month of the bill is closed: it cannot be withdrawn'
      using errcode = 'check_violation', constraint = 'provider_invoice_closed_month_keeps_it';
  end if;
  return new;
end $$;

create trigger provider_invoice_withdrawal_is_allowed before update on costs.provider_invoice for each row
  when (new.status = 'withdrawn' and old.status <> 'withdrawn')
  execute function costs.refuse_withdrawal();

create function costs.refuse_change_of_withdrawn_bill() returns trigger language plpgsql as $$
begin
  raise exception 'the bill % is withdrawn and is kept as it was', old.external_id
    using errcode = 'check_violation', constraint = 'provider_invoice_withdrawn_is_kept';
end $$;

create trigger provider_invoice_withdrawn_stays before update on costs.provider_invoice for each row
  when (old.status = 'withdrawn') execute function costs.refuse_change_of_withdrawn_bill();
create trigger provider_invoice_withdrawn_is_kept before delete on costs.provider_invoice for each row
  when (old.status = 'withdrawn') execute function costs.refuse_change_of_withdrawn_bill();

drop trigger provider_invoice_issued_is_immutable on costs.provider_invoice;
create trigger provider_invoice_issued_is_immutable before update on costs.provider_invoice for each row
  when (
    old.status = 'issued' and (
      new.status not in ('issued', 'withdrawn')
      or (new.provider, new.external_id, new.period_start, new.period_end, new.currency, new.amount)
        is distinct from
        (old.provider, old.external_id, old.period_start, old.period_end, old.currency, old.amount)
      or (new.lines_amount, new.tax_amount, new.line_count, new.content_hash, new.ingested_at)
        is distinct from (old.lines_amount, old.tax_amount, old.line_count, old.content_hash, old.ingested_at)
      or (new.billing_account, new.issuer_name, new.number_is_stated)
        is distinct from (old.billing_account, old.issuer_name, old.number_is_stated)
    )
  )
  execute function costs.refuse_change_of_issued_bill();

-- A withdrawn bill gets no lines, as an issued one gets no more.
create or replace function costs.refuse_change_of_issued_line() returns trigger language plpgsql as $$
begin
  if exists (
    select from costs.provider_invoice i
    where i.id in (old.provider_invoice_id, new.provider_invoice_id) and i.status in ('issued', 'withdrawn')
  ) then
    raise exception 'the lines of an issued bill cannot be changed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return new;
end $$;

create or replace function costs.refuse_lines_without_ground() returns trigger language plpgsql as $$
declare
  missing text;
  is_late boolean;
begin
  perform pg_advisory_xact_lock_shared(7274210);
  select
    case
      when not bool_and(i.id is not null) then 'bill'
      when not bool_and(n.resource_id is null or r.id is not null) then 'resource'
      when not bool_and(n.deployment_id is null or d.id is not null) then 'deployment'
    end,
    bool_or(i.status in ('issued', 'withdrawn'))
  into missing, is_late
  from changed n
  left join costs.provider_invoice i on i.id = n.provider_invoice_id
  left join inventory.resource r on r.id = n.resource_id
  left join deployments.deployment d on d.id = n.deployment_id and d.tenant_id = n.tenant_id;
  if missing is not null then
    raise exception 'a line refers to a % that does not exist', missing
      using errcode = 'foreign_key_violation', constraint = 'cost_line_' || missing || '_exists';
  end if;
  if tg_op = 'INSERT' and is_late then
    raise exception 'an issued bill gets no more lines'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $$;
