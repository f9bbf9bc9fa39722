create schema deployments;

create table deployments.deployment (
  tenant_id text not null constraint deployment_tenant_exists references tenants.tenant (id),
  id uuid not null,
  -- With the tenant's id it makes the tag `arcadia:<tenant>:<slug>` that a provider's resources carry.
  slug text not null check (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  display_name text not null,
  template text,
  llm_mode text not null check (llm_mode in ('off', 'metered')),
  status text not null
    check (status in ('trial', 'active', 'past_due', 'paused', 'suspended', 'cancelled', 'archived')),
  billing_action_suspended boolean not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint deployment_slug_once unique (tenant_id, slug)
);

create unique index deployment_id_once on deployments.deployment (id);

create table deployments.event (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  kind text not null check (kind in ('created', 'transition', 'updated')),
  from_status text,
  to_status text,
  actor text not null,
  reason text,
  details jsonb not null,
  occurred_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create index event_of_deployment on deployments.event (tenant_id, deployment_id, occurred_at);
