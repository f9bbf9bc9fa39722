-- By what a rule shares cost, the weights that shares were made by, and the months that are closed.

alter table costs.allocation_rule
  add column basis text not null default 'fixed' check (basis in ('fixed', 'even', 'direct_cost', 'meter')),
  add column meter text,
  -- Between whom, for all bases but fixed shares; none: between all that the basis finds.
  add column deployment_ids text[] not null default '{}',
  add constraint allocation_rule_names_its_meter check ((basis = 'meter') = (meter is not null)),
  add constraint allocation_rule_fixed_has_shares check ((basis = 'fixed') = (jsonb_array_length(shares) > 0));

-- What the share was made by: a fixed weight, an amount of direct cost, a quantity, seconds. Null before it was kept.
alter table costs.line_share add column weight numeric check (weight > 0);

-- Each closing of a month, and how it ended. While one is open-ended, whose cost the month's lines are stays.
create table costs.period_close (
  id uuid primary key,
  period_start date not null,
  closed_at timestamptz not null,
  closed_by text not null,
  reopened_at timestamptz,
  reopened_by text,
  reopen_reason text,
  constraint period_close_begins_a_month check (extract(day from period_start) = 1),
  constraint period_close_reopened_whole check (
    (reopened_at is null) = (reopened_by is null) and (reopened_at is null) = (reopen_reason is null)
  )
);

create unique index period_close_once on costs.period_close (period_start) where reopened_at is null;

-- Of issued bills only: a preview is replaced whole, and a late bill is matched before it is issued.
create function costs.is_settled(bill_id uuid) returns boolean language sql stable as $$
  select exists (
    select from costs.provider_invoice i
    join costs.period_close c
      on c.period_start = date_trunc('month', i.period_start::timestamp)::date and c.reopened_at is null
    where i.id = bill_id and i.status = 'issued'
  )
$$;

create function costs.refuse_rematch_in_closed_month() returns trigger language plpgsql as $$
begin
  if not exists (select from costs.period_close where reopened_at is null) then
    return null;
  end if;
  if exists (
    select from (select distinct provider_invoice_id as id from changed) bill where costs.is_settled(bill.id)
  ) then
    raise exception 'the month of the bill is closed: its lines keep whose cost they are'
      using errcode = 'check_violation', constraint = 'cost_line_closed_month_stays';
  end if;
  return null;
end $$;

create trigger cost_line_closed_month_stays after update on costs.cost_line
  referencing new table as changed for each statement
  execute function costs.refuse_rematch_in_closed_month();

create function costs.refuse_shares_in_closed_month() returns trigger language plpgsql as $$
begin
  if not exists (select from costs.period_close where reopened_at is null) then
    return null;
  end if;
  if exists (
    select from (
      select distinct l.provider_invoice_id as id from changed c join costs.cost_line l on l.id = c.cost_line_id
    ) bill
    where costs.is_settled(bill.id)
  ) then
    raise exception 'the month of the bill is closed: its lines keep their shares'
      using errcode = 'check_violation', constraint = 'line_share_closed_month_stays';
  end if;
  return null;
end $$;

-- One for each kind of change, because a trigger with a transition table has room for one.
create trigger line_share_closed_month_gets_none after insert on costs.line_share
  referencing new table as changed for each statement execute function costs.refuse_shares_in_closed_month();
create trigger line_share_closed_month_stays after update on costs.line_share
  referencing old table as changed for each statement execute function costs.refuse_shares_in_closed_month();
create trigger line_share_closed_month_is_kept after delete on costs.line_share
  referencing old table as changed for each statement execute function costs.refuse_shares_in_closed_month();

-- Else a share could be moved onto a line of a closed month: the triggers above see it only where it was.
create function costs.refuse_other_line() returns trigger language plpgsql as $$
begin
  raise exception 'a share stays with its line'
    using errcode = 'check_violation', constraint = 'line_share_keeps_its_line';
end $$;

create trigger line_share_keeps_its_line before update on costs.line_share for each row
  when (new.cost_line_id <> old.cost_line_id) execute function costs.refuse_other_line();

create function costs.refuse_removal_of_closing() returns trigger language plpgsql as $$
begin
  raise exception 'the closing of a month is kept: reopen the month with a reason'
    using errcode = 'check_violation', constraint = 'period_close_is_kept';
end $$;

create trigger period_close_is_kept before delete on costs.period_close for each row
  execute function costs.refuse_removal_of_closing();
