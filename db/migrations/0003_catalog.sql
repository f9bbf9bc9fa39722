create schema catalog;

create table catalog.meter (
  code text primary key check (code ~ '^[a-z][a-z0-9_]{0,62}$'),
  name text not null,
  unit text not null,
  aggregation text not null
    check (aggregation in ('sum', 'count', 'max', 'last', 'unique_count', 'time_weighted_sum')),
  unique_property text,
  created_at timestamptz not null,
  constraint meter_unique_property_where_needed check ((aggregation = 'unique_count') = (unique_property is not null))
);

create table catalog.plan (
  code text primary key check (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
  name text not null,
  created_at timestamptz not null
);

create table catalog.plan_version (
  id uuid primary key,
  plan_code text not null constraint plan_version_plan_exists references catalog.plan (code),
  version integer not null check (version > 0),
  status text not null check (status in ('draft', 'published', 'retired')),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  interval text not null check (interval in ('month')),
  base_price_cents bigint not null check (base_price_cents >= 0),
  proration text not null check (proration in ('daily', 'none')),
  created_at timestamptz not null,
  published_at timestamptz,
  constraint plan_version_once unique (plan_code, version),
  constraint plan_version_published_at_set check ((status = 'draft') = (published_at is null))
);

create table catalog.charge (
  plan_version_id uuid not null references catalog.plan_version (id),
  position integer not null check (position >= 0),
  meter text not null constraint charge_meter_exists references catalog.meter (code),
  model text not null check (model in ('per_unit', 'graduated', 'volume', 'package', 'percentage')),
  unit_price numeric check (unit_price >= 0),
  tiers jsonb,
  package_size numeric check (package_size > 0),
  package_price numeric check (package_price >= 0),
  rate numeric check (rate >= 0),
  included_quantity numeric check (included_quantity >= 0),
  min_amount numeric check (min_amount >= 0),
  max_amount numeric check (max_amount >= 0),
  primary key (plan_version_id, position),
  constraint charge_meter_once unique (plan_version_id, meter),
  constraint charge_fits_its_model check (
    (model = 'per_unit') = (unit_price is not null)
    and (model in ('graduated', 'volume')) = (tiers is not null)
    and (model = 'package') = (package_size is not null and package_price is not null)
    and (model = 'percentage') = (rate is not null)
  ),
  constraint charge_minimum_below_maximum check (min_amount <= max_amount)
);

create table catalog.addon (
  code text primary key check (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
  name text not null,
  price_cents bigint not null check (price_cents >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  quantity numeric not null check (quantity >= 0),
  unit text,
  grants_meter text constraint addon_meter_exists references catalog.meter (code),
  created_at timestamptz not null
);

create function catalog.refuse_change_of_published_version() returns trigger language plpgsql as $$
begin
  -- A published version may only be retired; every other column stays what the customer agreed to.
  if old.status <> 'draft' and (
    tg_op = 'DELETE'
    or new.status = 'draft'
    or (new.id, new.plan_code, new.version, new.currency, new.interval, new.base_price_cents, new.proration, new.created_at, new.published_at)
      is distinct from
      (old.id, old.plan_code, old.version, old.currency, old.interval, old.base_price_cents, old.proration, old.created_at, old.published_at)
  ) then
    raise exception 'plan version %/% is published and cannot be changed', old.plan_code, old.version
      using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger plan_version_published_is_immutable before update or delete on catalog.plan_version
  for each row execute function catalog.refuse_change_of_published_version();

create function catalog.refuse_change_of_published_charge() returns trigger language plpgsql as $$
declare
  owner_id uuid := case when tg_op = 'DELETE' then old.plan_version_id else new.plan_version_id end;
begin
  if exists (
    select 1 from catalog.plan_version v
    where v.status <> 'draft' and v.id in (owner_id, case when tg_op = 'UPDATE' then old.plan_version_id end)
  ) then
    raise exception 'the charges of a published plan version cannot be changed'
      using errcode = 'check_violation', constraint = 'charge_published_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger charge_published_is_immutable before insert or update or delete on catalog.charge
  for each row execute function catalog.refuse_change_of_published_charge();
