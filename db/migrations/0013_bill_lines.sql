-- Bills of any provider, in any currency and of any size.

-- What a line is in the categories of the FinOps Open Cost and Usage Specification, and what its file said besides.
alter table costs.cost_line
  add column service_category text not null default 'Other',
  add column service_name text,
  add column region text,
  -- Columns of the file that have no place of their own here: { "name": "text" }.
  add column extra jsonb;
update costs.cost_line set service_name = product;
alter table costs.cost_line alter column service_category drop default, alter column service_name set not null;

-- The lines by which what was received later differs from what is stored:
-- { "stored": { "count": 1, "lines": [ … ] }, "received": { … } }
alter table costs.provider_invoice add column differing_lines jsonb;

alter table costs.provider_invoice
  -- Whose bill it is, where a provider bills several accounts; null where the bill does not say.
  add column billing_account text,
  -- The rows of the bill carry the number themselves, so that it was not guessed from a name or typed in.
  add column number_is_stated boolean not null default false;

-- One number may stand on the bills of two currencies and of two accounts, and of two months where the rows say so.
drop index costs.provider_invoice_number_once;
create unique index provider_invoice_number_once on costs.provider_invoice (
  provider, invoice_number, currency, billing_account, (case when number_is_stated then period_start end)
) nulls not distinct where status <> 'preview' and invoice_number is not null;

-- A preview is one bill of one month, as an issued bill is.
drop index costs.provider_invoice_one_preview;
create unique index provider_invoice_one_preview on costs.provider_invoice (
  provider, period_start, currency, billing_account, invoice_number
) nulls not distinct where status = 'preview';

-- Bills that the provider itself tells apart may have the same lines.
drop index costs.provider_invoice_content_once;
create unique index provider_invoice_content_once on costs.provider_invoice (
  provider, billing_account, currency, period_start, content_hash
) nulls not distinct where status = 'issued' and line_count > 0 and provider_uuid is null and not number_is_stated;

drop trigger provider_invoice_issued_is_immutable on costs.provider_invoice;
create trigger provider_invoice_issued_is_immutable before update on costs.provider_invoice for each row
  when (
    old.status = 'issued' and (
      (new.status, new.provider, new.external_id, new.period_start, new.period_end, new.currency, new.amount)
        is distinct from
        (old.status, old.provider, old.external_id, old.period_start, old.period_end, old.currency, old.amount)
      or (new.lines_amount, new.tax_amount, new.line_count, new.content_hash, new.ingested_at)
        is distinct from (old.lines_amount, old.tax_amount, old.line_count, old.content_hash, old.ingested_at)
      or (new.billing_account, new.number_is_stated) is distinct from (old.billing_account, old.number_is_stated)
    )
  )
  execute function costs.refuse_change_of_issued_bill();

-- An id alone says the tenant, and an index of few distinct values takes a million lines in their stride.
drop index costs.cost_line_of_deployment;
create index cost_line_of_deployment on costs.cost_line (deployment_id) where deployment_id is not null;

-- A foreign key looks up each row by itself: three of them cost more than all else that storing a million lines takes.
-- The triggers below refuse the same once for each statement. Who adds lines and who removes what lines refer to wait for
-- each other on a lock, so that neither overlooks what the other has not committed yet.
alter table costs.cost_line
  drop constraint cost_line_provider_invoice_id_fkey,
  drop constraint cost_line_resource_id_fkey,
  drop constraint cost_line_tenant_id_deployment_id_fkey;

drop trigger cost_line_issued_is_whole on costs.cost_line;
drop function costs.refuse_lines_for_issued_bill();

create function costs.refuse_lines_without_ground() returns trigger language plpgsql as $$
declare
  missing text;
begin
  perform pg_advisory_xact_lock_shared(7274210);
  missing := case
    when exists (
      select from changed n
      where not exists (select from costs.provider_invoice i where i.id = n.provider_invoice_id)
    ) then 'bill'
    when exists (
      select from changed n
      where n.resource_id is not null and not exists (select from inventory.resource r where r.id = n.resource_id)
    ) then 'resource'
    when exists (
      select from changed n
      where n.deployment_id is not null and not exists (
        select from deployments.deployment d where d.id = n.deployment_id and d.tenant_id = n.tenant_id
      )
    ) then 'deployment'
  end;
  if missing is not null then
    raise exception 'a line refers to a % that does not exist', missing
      using errcode = 'foreign_key_violation', constraint = 'cost_line_' || missing || '_exists';
  end if;
  if tg_op = 'INSERT' and exists (
    select from changed n join costs.provider_invoice i on i.id = n.provider_invoice_id where i.status = 'issued'
  ) then
    raise exception 'an issued bill gets no more lines'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $$;

-- One for each kind of change, because a trigger with a transition table has room for one.
create trigger cost_line_has_ground after insert on costs.cost_line
  referencing new table as changed for each statement execute function costs.refuse_lines_without_ground();
create trigger cost_line_keeps_ground after update on costs.cost_line
  referencing new table as changed for each statement execute function costs.refuse_lines_without_ground();

-- And the other way round: what lines refer to is neither removed nor renamed.
create function costs.await_new_lines() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7274210);
  return null;
end $$;

create trigger provider_invoice_awaits_lines before delete on costs.provider_invoice
  for each statement execute function costs.await_new_lines();
create trigger resource_awaits_lines before delete on inventory.resource
  for each statement execute function costs.await_new_lines();
create trigger deployment_awaits_lines before delete on deployments.deployment
  for each statement execute function costs.await_new_lines();

create function costs.refuse_removal_below_lines() returns trigger language plpgsql as $$
declare
  is_used boolean;
begin
  execute format('select exists (select from removed r join costs.cost_line l on l.%I = r.id)', tg_argv[0]) into is_used;
  if is_used then
    raise exception 'cost lines refer to what would be removed'
      using errcode = 'foreign_key_violation', constraint = 'cost_line_refers_to_it';
  end if;
  return null;
end $$;

create trigger provider_invoice_of_lines_is_kept after delete on costs.provider_invoice
  referencing old table as removed for each statement
  execute function costs.refuse_removal_below_lines('provider_invoice_id');
create trigger resource_of_lines_is_kept after delete on inventory.resource
  referencing old table as removed for each statement
  execute function costs.refuse_removal_below_lines('resource_id');
create trigger deployment_of_lines_is_kept after delete on deployments.deployment
  referencing old table as removed for each statement
  execute function costs.refuse_removal_below_lines('deployment_id');

create function costs.refuse_other_id() returns trigger language plpgsql as $$
begin
  raise exception 'cost lines refer to this by its id'
    using errcode = 'foreign_key_violation', constraint = 'cost_line_refers_to_it';
end $$;

create trigger provider_invoice_keeps_its_id before update on costs.provider_invoice for each row
  when (new.id <> old.id) execute function costs.refuse_other_id();
create trigger resource_keeps_its_id before update on inventory.resource for each row
  when (new.id <> old.id) execute function costs.refuse_other_id();
create trigger deployment_keeps_its_id before update on deployments.deployment for each row
  when ((new.tenant_id, new.id) <> (old.tenant_id, old.id)) execute function costs.refuse_other_id();

-- What the provider billed never changes, the new columns included.
drop trigger cost_line_issued_is_immutable on costs.cost_line;
create or replace function costs.refuse_change_of_issued_line() returns trigger language plpgsql as $$
begin
  if exists (
    select from costs.provider_invoice i
    where i.id in (old.provider_invoice_id, new.provider_invoice_id) and i.status = 'issued'
  ) then
    raise exception 'the lines of an issued bill cannot be changed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return new;
end $$;

create trigger cost_line_issued_is_immutable before update on costs.cost_line for each row
  when (
    (new.provider_invoice_id, new.position, new.id, new.provider, new.kind, new.product, new.group_description)
      is distinct from
      (old.provider_invoice_id, old.position, old.id, old.provider, old.kind, old.product, old.group_description)
    or (new.description, new.charge_category, new.amount, new.currency, new.charge_start, new.charge_end)
      is distinct from
      (old.description, old.charge_category, old.amount, old.currency, old.charge_start, old.charge_end)
    or (new.quantity, new.unit, new.project, new.external_resource_id, new.external_resource_uuid, new.resource_name)
      is distinct from
      (old.quantity, old.unit, old.project, old.external_resource_id, old.external_resource_uuid, old.resource_name)
    or (new.service_category, new.service_name, new.region, new.extra)
      is distinct from (old.service_category, old.service_name, old.region, old.extra)
  )
  execute function costs.refuse_change_of_issued_line();

-- Once for each statement: a preview of many lines is replaced whole.
drop trigger cost_line_issued_is_kept on costs.cost_line;
create function costs.refuse_removal_of_issued_lines() returns trigger language plpgsql as $$
begin
  if exists (
    select from removed r join costs.provider_invoice i on i.id = r.provider_invoice_id where i.status = 'issued'
  ) then
    raise exception 'the lines of an issued bill cannot be removed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $$;

create trigger cost_line_issued_is_kept after delete on costs.cost_line
  referencing old table as removed for each statement
  execute function costs.refuse_removal_of_issued_lines();
