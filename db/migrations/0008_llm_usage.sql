create schema llm_usage;

-- The gateway has decided the charge; it is never priced again. No charge means unpriced: held, never read as 0.
create table llm_usage.event (
  gateway_id text not null,
  gateway_request_id text not null,
  id uuid not null,
  tenant_id text not null,
  deployment_id uuid not null,
  occurred_at timestamptz not null,
  provider text not null,
  model text not null,
  usage jsonb not null,
  charge numeric,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  upstream_cost numeric,
  price_version text,
  adjusts text,
  tags jsonb not null,
  content_hash text not null,
  received_at timestamptz not null,
  constraint event_is_negative_only_as_adjustment check (charge >= 0 or adjusts is not null),
  primary key (gateway_id, gateway_request_id),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create unique index event_id_once on llm_usage.event (id);
create index event_of_deployment on llm_usage.event (tenant_id, deployment_id, occurred_at);
create index event_received_at on llm_usage.event (tenant_id, received_at);
create index event_held on llm_usage.event (tenant_id, occurred_at) where charge is null;
