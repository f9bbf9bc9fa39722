-- breaking: an older program takes the slug of an archived deployment for taken, and its tag for its own.
create schema events;

-- What is worth telling, written once in the transaction that made it true. The subject may be gone, so nothing refers
-- to it.
create table events.event (
  id uuid primary key,
  type text not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
  occurred_at timestamptz not null,
  tenant_id text,
  subject_kind text not null,
  subject_id text not null,
  actor text not null,
  reason text,
  -- What it was before, and what it became.
  data jsonb not null
);

create index event_in_order on events.event (occurred_at, id);
create index event_of_subject on events.event (subject_id, occurred_at, id);

create function events.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'an event is never changed' using errcode = 'check_violation', constraint = 'event_is_append_only';
end $$;

create trigger event_is_append_only before update or delete on events.event
  for each row execute function events.refuse_change();

-- A plan that nobody ever had goes with its versions and their charges; a published version never goes alone.
alter table catalog.plan_version
  drop constraint plan_version_plan_exists,
  add constraint plan_version_plan_exists foreign key (plan_code) references catalog.plan (code) on delete cascade;
alter table catalog.charge
  drop constraint charge_plan_version_id_fkey,
  add constraint charge_plan_version_id_fkey
    foreign key (plan_version_id) references catalog.plan_version (id) on delete cascade;

create or replace function catalog.refuse_change_of_published_version() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    if old.status <> 'draft' and exists (select from catalog.plan where code = old.plan_code) then
      raise exception 'plan version %/% is published and cannot be deleted', old.plan_code, old.version
        using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
    end if;
    return old;
  end if;
  -- A published version may only be retired, and a retired one stays; every other column stays what was agreed to.
  if old.status <> 'draft' and (
    new.status = 'draft'
    or (old.status = 'retired' and (new.status, new.retired_at) is distinct from (old.status, old.retired_at))
    or (new.id, new.plan_code, new.version, new.currency, new.interval, new.base_price_cents, new.commitment_cents, new.proration, new.created_at, new.published_at)
      is distinct from
      (old.id, old.plan_code, old.version, old.currency, old.interval, old.base_price_cents, old.commitment_cents, old.proration, old.created_at, old.published_at)
  ) then
    raise exception 'plan version %/% is published and cannot be changed', old.plan_code, old.version
      using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
  end if;
  return new;
end $$;

-- A slug is held until another deployment takes it over from an archived one that was never billed. Slugs and tags mean
-- the deployment that holds them.
alter table deployments.deployment
  add column slug_released_at timestamptz,
  add constraint deployment_slug_released_when_archived check (slug_released_at is null or state = 'archived'),
  drop constraint deployment_slug_once;

create unique index deployment_slug_once on deployments.deployment (tenant_id, slug) where slug_released_at is null;
