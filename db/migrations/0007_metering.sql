create schema metering;

create table metering.usage_event (
  tenant_id text not null,
  source text not null,
  event_id text not null,
  deployment_id uuid not null,
  meter text not null references catalog.meter (code),
  quantity numeric not null check (quantity >= 0),
  occurred_at timestamptz not null,
  properties jsonb not null,
  content_hash text not null,
  received_at timestamptz not null,
  primary key (tenant_id, source, event_id),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create index usage_event_of_deployment on metering.usage_event (tenant_id, deployment_id, occurred_at);
create index usage_event_received_at on metering.usage_event (tenant_id, received_at);
