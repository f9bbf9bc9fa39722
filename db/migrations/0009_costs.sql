create schema costs;

create table costs.balance (
  provider text not null,
  generated_at timestamptz not null,
  month_to_date_balance numeric not null,
  account_balance numeric not null,
  month_to_date_usage numeric not null,
  currency text not null,
  taken_at timestamptz not null,
  primary key (provider, generated_at),
  constraint balance_adds_up check (month_to_date_balance = account_balance + month_to_date_usage)
);

create table costs.provider_invoice (
  id uuid primary key,
  provider text not null,
  -- The provider's uuid; for an uploaded file, which carries none, the printed number.
  external_id text not null,
  invoice_number text,
  status text not null check (status in ('announced', 'preview', 'issued')),
  period_start date not null,
  period_end date not null,
  currency text not null,
  -- The provider's own total. The lines must add up to it; `gap` says by how much they do not.
  amount numeric not null,
  lines_amount numeric,
  tax_amount numeric,
  gap numeric generated always as (amount - lines_amount) stored,
  summary jsonb,
  line_count integer,
  read_from text check (read_from in ('items', 'csv', 'upload')),
  content_hash text,
  -- What the provider sent later that differs from what is stored: an alarm, never an overwrite.
  difference jsonb,
  announced_at timestamptz not null,
  ingested_at timestamptz,
  last_error text,
  constraint provider_invoice_once unique (provider, external_id),
  constraint provider_invoice_period check (period_end > period_start),
  constraint provider_invoice_ingested_whole check (
    (status = 'announced') = (ingested_at is null)
    and (ingested_at is null) = (content_hash is null)
    and (ingested_at is null) = (lines_amount is null)
  )
);

create unique index provider_invoice_number_once on costs.provider_invoice (provider, invoice_number)
  where status <> 'preview';
create unique index provider_invoice_one_preview on costs.provider_invoice (provider) where status = 'preview';

create table costs.cost_line (
  provider_invoice_id uuid not null references costs.provider_invoice (id) on delete cascade,
  position integer not null,
  id uuid not null,
  provider text not null,
  kind text not null,
  product text not null,
  group_description text,
  description text not null,
  charge_category text not null check (charge_category in ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')),
  amount numeric not null,
  currency text not null,
  charge_start timestamptz not null,
  charge_end timestamptz not null,
  quantity numeric,
  unit text,
  project text,
  external_resource_id text,
  resource_name text,
  resource_id uuid references inventory.resource (id),
  tenant_id text,
  deployment_id uuid,
  match_status text not null check (match_status in ('matched', 'allocated', 'unmatched', 'not_applicable')),
  match_method text,
  match_reason text not null,
  primary key (provider_invoice_id, position),
  constraint cost_line_period check (charge_end >= charge_start),
  constraint cost_line_owner_whole check ((tenant_id is null) = (deployment_id is null)),
  constraint cost_line_matched_has_owner check (match_status <> 'matched' or deployment_id is not null),
  constraint cost_line_unmatched_has_none check (match_status in ('matched', 'allocated') or deployment_id is null),
  constraint cost_line_tax_is_not_matched check (
    (charge_category in ('Tax', 'Credit')) = (match_status = 'not_applicable')
  ),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create unique index cost_line_id_once on costs.cost_line (id);
create index cost_line_of_deployment on costs.cost_line (tenant_id, deployment_id, charge_start);

-- The parts of a shared line. They add up to the line exactly.
create table costs.line_share (
  cost_line_id uuid not null references costs.cost_line (id) on delete cascade,
  tenant_id text not null,
  deployment_id uuid not null,
  amount numeric not null,
  primary key (cost_line_id, tenant_id, deployment_id),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create index line_share_of_deployment on costs.line_share (tenant_id, deployment_id);

-- Assignments made by hand that are to hold for the lines of the same resource on later bills.
create table costs.remembered_assignment (
  provider text not null,
  kind text not null,
  resource_name text not null,
  tenant_id text not null,
  deployment_id uuid not null,
  created_at timestamptz not null,
  created_by text not null,
  primary key (provider, kind, resource_name),
  foreign key (tenant_id, deployment_id) references deployments.deployment (tenant_id, id)
);

create table costs.allocation_rule (
  id uuid primary key,
  provider text not null,
  product text,
  project text,
  description text,
  -- [{ "deployment_id": "…", "weight": "1" }]
  shares jsonb not null,
  created_at timestamptz not null,
  created_by text not null,
  constraint allocation_rule_selects_something check (coalesce(product, project, description) is not null)
);
