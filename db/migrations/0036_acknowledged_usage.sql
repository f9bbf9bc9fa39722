-- Usage that came too late for any invoice and that somebody has seen to: billed by hand, or given up. What is committed
-- after it is not meant.
create table invoicing.acknowledged_usage (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  period_start date not null,
  acknowledged_at timestamptz not null,
  facts_seen pg_snapshot not null,
  primary key (tenant_id, id)
);
create index acknowledged_usage_of_month on invoicing.acknowledged_usage (tenant_id, period_start, deployment_id);
