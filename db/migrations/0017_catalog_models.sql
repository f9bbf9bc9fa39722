-- breaking: an older program would bill a yearly base price every month, and usage without its filters.
-- A version is priced by the month or by the year, may ask for a minimum per month, and says when it was retired.
alter table catalog.plan_version
  drop constraint plan_version_interval_check,
  drop constraint plan_version_base_price_cents_check,
  add column commitment_cents bigint,
  add column retired_at timestamptz,
  add constraint plan_version_interval_check check (interval in ('month', 'year')),
  add constraint plan_version_amounts_not_negative
    check (status = 'draft' or (base_price_cents >= 0 and coalesce(commitment_cents, 0) >= 0));

update catalog.plan_version set retired_at = published_at where status = 'retired';

alter table catalog.plan_version
  add constraint plan_version_retired_at_set check ((status = 'retired') = (retired_at is not null));

-- A meter may have several charges, each for the events whose properties meet its filter, and fees per event.
-- A draft may be wrong in every value: publishing names what is, and nothing else is sold.
alter table catalog.charge
  add column filter jsonb,
  add column fixed_per_event numeric,
  add column min_per_event numeric,
  add column max_per_event numeric,
  drop constraint charge_meter_once,
  drop constraint charge_meter_exists,
  drop constraint charge_minimum_below_maximum,
  drop constraint charge_unit_price_check,
  drop constraint charge_package_size_check,
  drop constraint charge_package_price_check,
  drop constraint charge_rate_check,
  drop constraint charge_included_quantity_check,
  drop constraint charge_min_amount_check,
  drop constraint charge_max_amount_check,
  add constraint charge_per_event_of_percentage
    check (model = 'percentage' or num_nonnulls(fixed_per_event, min_per_event, max_per_event) = 0);

-- A filter whatever the order of its values, which says nothing.
create function catalog.filter_in_order(filter jsonb) returns jsonb language sql immutable as $$
  select jsonb_object_agg(
    property, (select coalesce(jsonb_agg(distinct value order by value), '[]') from jsonb_array_elements(accepted) as v(value))
  )
  from jsonb_each(filter) as f(property, accepted)
$$;

create function catalog.refuse_two_prices() returns trigger language plpgsql as $$
begin
  if exists (
    select from catalog.charge c where c.plan_version_id = new.id
    group by c.meter, catalog.filter_in_order(c.filter) having count(*) > 1
  ) then
    raise exception 'plan version %/% prices some usage twice', new.plan_code, new.version
      using errcode = 'check_violation', constraint = 'plan_version_usage_has_one_price';
  end if;
  return new;
end $$;

-- Once published, a version gets no more charges.
create trigger plan_version_usage_has_one_price before update of status on catalog.plan_version
  for each row when (old.status = 'draft' and new.status <> 'draft') execute function catalog.refuse_two_prices();

create or replace function catalog.refuse_change_of_published_version() returns trigger language plpgsql as $$
begin
  -- A published version may only be retired, and a retired one stays; every other column stays what was agreed to.
  if old.status <> 'draft' and (
    tg_op = 'DELETE'
    or new.status = 'draft'
    or (old.status = 'retired' and (new.status, new.retired_at) is distinct from (old.status, old.retired_at))
    or (new.id, new.plan_code, new.version, new.currency, new.interval, new.base_price_cents, new.commitment_cents, new.proration, new.created_at, new.published_at)
      is distinct from
      (old.id, old.plan_code, old.version, old.currency, old.interval, old.base_price_cents, old.commitment_cents, old.proration, old.created_at, old.published_at)
  ) then
    raise exception 'plan version %/% is published and cannot be changed', old.plan_code, old.version
      using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
