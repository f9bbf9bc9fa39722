-- breaking: an older program would convert by rates that are withdrawn, and record new ones without an id.
-- A version of an issued bill that differs is an alarm until somebody has looked at it and said what was found. What was
-- settled is kept, and the same version is no alarm again.
create table costs.settled_difference (
  id uuid primary key,
  provider_invoice_id uuid not null references costs.provider_invoice (id),
  difference jsonb not null,
  differing_lines jsonb,
  settled_at timestamptz not null,
  settled_by text not null,
  reason text not null check (reason <> '')
);
create index settled_difference_of_bill on costs.settled_difference (provider_invoice_id);

create function costs.refuse_change_of_settled_difference() returns trigger language plpgsql as $$
begin
  raise exception 'what was settled is kept as it was'
    using errcode = 'check_violation', constraint = 'settled_difference_is_kept';
end $$;

create trigger settled_difference_is_kept before update or delete on costs.settled_difference
  for each row execute function costs.refuse_change_of_settled_difference();

-- A rate that was mistyped is withdrawn, not changed: it stays with who withdrew it and why, and another may take its day.
alter table costs.exchange_rate
  add column withdrawn_at timestamptz,
  add column withdrawn_by text,
  add column withdrawn_reason text check (withdrawn_reason <> ''),
  add constraint exchange_rate_withdrawn_whole check (
    (withdrawn_at is null) = (withdrawn_by is null) and (withdrawn_at is null) = (withdrawn_reason is null)
  ),
  add column id uuid not null default gen_random_uuid(),
  drop constraint exchange_rate_once;
alter table costs.exchange_rate alter column id drop default, add primary key (id);
create unique index exchange_rate_once on costs.exchange_rate (from_currency, to_currency, date)
  where withdrawn_at is null;

drop trigger exchange_rate_stays on costs.exchange_rate;
create trigger exchange_rate_stays before update on costs.exchange_rate for each row
  when (
    old.withdrawn_at is not null
    or (new.id, new.from_currency, new.to_currency, new.date, new.rate, new.source, new.recorded_at, new.recorded_by)
      is distinct from
      (old.id, old.from_currency, old.to_currency, old.date, old.rate, old.source, old.recorded_at, old.recorded_by)
  )
  execute function costs.refuse_change_of_exchange_rate();
create trigger exchange_rate_is_kept before delete on costs.exchange_rate
  for each row execute function costs.refuse_change_of_exchange_rate();
