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
  -- Under which the provider can be asked for it; an uploaded bill gets it when the provider lists the invoice.
  provider_uuid text,
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
  -- When an uploaded bill was first compared with what the provider itself sends.
  compared_at timestamptz,
  -- How often its lines were read and did not add up to the amount.
  incomplete_readings integer not null,
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
-- The same lines under two months or two numbers would be in the books twice.
create unique index provider_invoice_content_once on costs.provider_invoice (provider, content_hash)
  where status = 'issued' and line_count > 0;

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
  -- A line may carry a number, a uuid or both; an inventory knows a resource by one of them.
  external_resource_id text,
  external_resource_uuid text,
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

-- What the provider billed never changes; only whose cost it is does.
create function costs.refuse_change_of_issued_bill() returns trigger language plpgsql as $$
begin
  raise exception 'the bill % is issued and cannot be changed', old.invoice_number
    using errcode = 'check_violation', constraint = 'provider_invoice_issued_is_immutable';
end $$;

create trigger provider_invoice_issued_is_immutable before update on costs.provider_invoice for each row
  when (
    old.status = 'issued' and (
      (new.status, new.provider, new.external_id, new.period_start, new.period_end, new.currency, new.amount)
        is distinct from
        (old.status, old.provider, old.external_id, old.period_start, old.period_end, old.currency, old.amount)
      or (new.lines_amount, new.tax_amount, new.line_count, new.content_hash, new.ingested_at)
        is distinct from (old.lines_amount, old.tax_amount, old.line_count, old.content_hash, old.ingested_at)
    )
  )
  execute function costs.refuse_change_of_issued_bill();

create trigger provider_invoice_issued_is_kept before delete on costs.provider_invoice for each row
  when (old.status = 'issued')
  execute function costs.refuse_change_of_issued_bill();

create function costs.refuse_change_of_issued_line() returns trigger language plpgsql as $$
begin
  if exists (select from costs.provider_invoice i where i.id = old.provider_invoice_id and i.status = 'issued') then
    raise exception 'the lines of an issued bill cannot be changed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger cost_line_issued_is_immutable before update on costs.cost_line for each row
  when (
    (new.provider_invoice_id, new.position, new.id, new.provider, new.kind, new.product, new.group_description)
      is distinct from
      (old.provider_invoice_id, old.position, old.id, old.provider, old.kind, old.product, old.group_description)
    or (new.description, new.charge_category, new.amount, new.currency, new.charge_start, new.charge_end)
      is distinct from
      (old.description, old.charge_category, old.amount, old.currency, old.charge_start, old.charge_end)
    or (new.quantity, new.unit, new.project, new.external_resource_id, new.external_resource_uuid, new.resource_name)
      is distinct from
      (old.quantity, old.unit, old.project, old.external_resource_id, old.external_resource_uuid, old.resource_name)
  )
  execute function costs.refuse_change_of_issued_line();

create trigger cost_line_issued_is_kept before delete on costs.cost_line for each row
  execute function costs.refuse_change_of_issued_line();

-- A bill gets its lines before it is issued, and none afterwards. Once for each statement: a bill may be long.
create function costs.refuse_lines_for_issued_bill() returns trigger language plpgsql as $$
begin
  if exists (
    select from inserted n join costs.provider_invoice i on i.id = n.provider_invoice_id where i.status = 'issued'
  ) then
    raise exception 'an issued bill gets no more lines'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $$;

create trigger cost_line_issued_is_whole after insert on costs.cost_line
  referencing new table as inserted for each statement
  execute function costs.refuse_lines_for_issued_bill();
