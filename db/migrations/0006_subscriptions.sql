create schema subscriptions;

create table subscriptions.subscription (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  starts_on date not null,
  ends_on date,
  -- Where a trial ends or has ended; a pause does not move it. Null: no trial, or one whose end is not known yet.
  trial_ends_on date,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id),
  constraint subscription_ends_after_start check (ends_on is null or ends_on >= starts_on),
  constraint subscription_trial_ends_after_start check (trial_ends_on >= starts_on),
  constraint subscription_no_overlap exclude using gist (
    tenant_id with =, deployment_id with =, daterange(starts_on, ends_on) with &&
  )
);

create unique index subscription_id_once on subscriptions.subscription (id);
create unique index subscription_one_live on subscriptions.subscription (tenant_id, deployment_id) where ends_on is null;

-- One stretch of days under one plan version and one mode. Days without a phase are not billed.
create table subscriptions.phase (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  plan_version_id uuid not null references catalog.plan_version (id),
  mode text not null check (mode in ('normal', 'trial', 'paused')),
  starts_on date not null,
  ends_on date,
  primary key (tenant_id, id),
  foreign key (tenant_id, subscription_id) references subscriptions.subscription (tenant_id, id),
  constraint phase_ends_after_start check (ends_on is null or ends_on > starts_on),
  constraint phase_no_overlap exclude using gist (
    tenant_id with =, subscription_id with =, daterange(starts_on, ends_on) with &&
  )
);

-- Price and quantity as they were when the add-on was attached; the catalogue may change later.
create table subscriptions.addon (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  code text not null,
  name text not null,
  price_cents bigint not null check (price_cents >= 0),
  currency text not null,
  quantity numeric not null check (quantity >= 0),
  unit text,
  grants_meter text,
  starts_on date not null,
  ends_on date,
  primary key (tenant_id, id),
  foreign key (tenant_id, subscription_id) references subscriptions.subscription (tenant_id, id),
  constraint addon_ends_after_start check (ends_on is null or ends_on >= starts_on)
);

create index addon_of_subscription on subscriptions.addon (tenant_id, subscription_id);
