create schema inventory;

-- A thing rented from a provider. Destroyed ones stay: the bill for them comes later.
create table inventory.resource (
  id uuid primary key,
  provider text not null,
  kind text not null,
  external_id text not null,
  name text not null,
  region text,
  project text,
  tags text[] not null,
  -- Life span as the provider tells it; the end is the first sync that did not find it.
  born_at timestamptz not null,
  gone_at timestamptz,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  -- By hand beats tags; it holds until it is changed by hand.
  assigned_deployment_id uuid,
  assigned_tenant_id text,
  constraint resource_once unique (provider, kind, external_id),
  constraint resource_dies_after_birth check (gone_at is null or gone_at >= born_at),
  constraint resource_assignment_whole check ((assigned_deployment_id is null) = (assigned_tenant_id is null)),
  constraint resource_assignment_exists foreign key (assigned_tenant_id, assigned_deployment_id)
    references deployments.deployment (tenant_id, id)
);

-- What a resource was, from when to when. Hours, expected cost and matching are read from here.
create table inventory.span (
  id uuid primary key,
  resource_id uuid not null references inventory.resource (id),
  starts_at timestamptz not null,
  ends_at timestamptz,
  name text not null,
  size text not null,
  size_gb numeric not null check (size_gb >= 0),
  tenant_id text,
  deployment_id uuid,
  changed_at timestamptz not null,
  constraint span_ends_after_start check (ends_at is null or ends_at > starts_at),
  constraint span_deployment_whole check ((tenant_id is null) = (deployment_id is null)),
  constraint span_deployment_exists foreign key (tenant_id, deployment_id)
    references deployments.deployment (tenant_id, id),
  constraint span_no_overlap exclude using gist (resource_id with =, tstzrange(starts_at, ends_at) with &&)
);

create index span_of_deployment on inventory.span (tenant_id, deployment_id, starts_at);
create index span_of_resource on inventory.span (resource_id, starts_at);
create index span_by_name on inventory.span (lower(name), starts_at);

-- What a deployment no longer has of the past: a stretch of time that was given to another one afterwards. The span
-- itself shows only its new owner; an invoice of the former one is corrected from here.
create table inventory.ownership_change (
  id uuid primary key,
  tenant_id text not null,
  deployment_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz,
  changed_at timestamptz not null,
  constraint ownership_change_ends_after_start check (ends_at is null or ends_at > starts_at),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create index ownership_change_of_tenant on inventory.ownership_change (tenant_id, changed_at);
