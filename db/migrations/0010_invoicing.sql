create schema invoicing;

create table invoicing.invoice (
  tenant_id text not null constraint invoice_tenant_exists references tenants.tenant (id),
  id uuid not null,
  number text,
  period_start date not null,
  period_end date not null,
  status text not null check (status in ('draft', 'issued', 'paid', 'void')),
  currency text not null,
  subtotal_cents bigint not null,
  tax_cents bigint not null,
  total_cents bigint not null,
  -- Snapshots, so that the invoice explains itself when the tenant or the plan has changed.
  seller jsonb not null,
  buyer jsonb not null,
  tax jsonb not null,
  engine_version text not null,
  inputs_hash text not null,
  created_at timestamptz not null,
  issued_at timestamptz,
  issued_by text,
  -- When nothing was owed any more.
  paid_at timestamptz,
  voided_at timestamptz,
  voided_by text,
  void_reason text,
  primary key (tenant_id, id),
  constraint invoice_period check (period_end > period_start),
  constraint invoice_adds_up check (subtotal_cents + tax_cents = total_cents),
  constraint invoice_issued_is_numbered check (status = 'draft' or status = 'void' or (number is not null and issued_at is not null))
);

create unique index invoice_id_once on invoicing.invoice (id);
create unique index invoice_number_once on invoicing.invoice (number);
create unique index invoice_one_live_per_period on invoicing.invoice (tenant_id, period_start) where status <> 'void';
create index invoice_period_start on invoicing.invoice (period_start, status);

create table invoicing.invoice_line (
  tenant_id text not null,
  invoice_id uuid not null,
  position integer not null,
  id uuid not null,
  kind text not null check (
    kind in ('plan_base', 'addon', 'usage', 'overage', 'minimum', 'llm_usage', 'adjustment', 'credit', 'tax')
  ),
  deployment_id uuid,
  subscription_id uuid,
  meter text,
  description text not null,
  quantity numeric,
  unit_price numeric,
  amount_precise numeric not null,
  amount_cents bigint not null,
  service_start date not null,
  service_end date not null,
  taxable boolean not null,
  details jsonb not null,
  primary key (tenant_id, invoice_id, position),
  foreign key (tenant_id, invoice_id) references invoicing.invoice (tenant_id, id) on delete cascade
);

create unique index invoice_line_id_once on invoicing.invoice_line (id);
create index invoice_line_of_deployment on invoicing.invoice_line (tenant_id, deployment_id, service_start);

create table invoicing.payment (
  tenant_id text not null,
  id uuid not null,
  invoice_id uuid not null,
  amount_cents bigint not null check (amount_cents > 0),
  paid_at timestamptz not null,
  reference text not null,
  recorded_by text not null,
  recorded_at timestamptz not null,
  primary key (tenant_id, id),
  constraint payment_once unique (tenant_id, invoice_id, reference),
  foreign key (tenant_id, invoice_id) references invoicing.invoice (tenant_id, id)
);

create table invoicing.credit_note (
  tenant_id text not null,
  id uuid not null,
  invoice_id uuid not null,
  number text not null constraint credit_note_number_once unique,
  amount_cents bigint not null check (amount_cents > 0),
  tax_cents bigint not null check (tax_cents >= 0),
  reason text not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, invoice_id) references invoicing.invoice (tenant_id, id)
);

-- Tenants that a rollup could not invoice, until a later run can.
create table invoicing.parked (
  tenant_id text not null constraint parked_tenant_exists references tenants.tenant (id),
  period_start date not null,
  code text not null,
  detail text not null,
  parked_at timestamptz not null,
  primary key (tenant_id, period_start)
);

-- Document numbers without gaps: the row is locked by the transaction that issues.
create table invoicing.number_series (
  series text primary key,
  last_number bigint not null check (last_number >= 0)
);

create function invoicing.refuse_change_of_issued_invoice() returns trigger language plpgsql as $$
begin
  -- After a draft only the state may move on: to paid, and to void. Nothing that the customer was told changes.
  if old.status <> 'draft' and (
    tg_op = 'DELETE'
    or (old.status, new.status) not in (('issued', 'issued'), ('issued', 'paid'), ('issued', 'void'), ('paid', 'paid'), ('paid', 'void'), ('void', 'void'))
    or (new.tenant_id, new.id, new.number, new.period_start, new.period_end, new.currency, new.subtotal_cents, new.tax_cents,
        new.total_cents, new.seller, new.buyer, new.tax, new.engine_version, new.inputs_hash, new.created_at, new.issued_at, new.issued_by)
      is distinct from
       (old.tenant_id, old.id, old.number, old.period_start, old.period_end, old.currency, old.subtotal_cents, old.tax_cents,
        old.total_cents, old.seller, old.buyer, old.tax, old.engine_version, old.inputs_hash, old.created_at, old.issued_at, old.issued_by)
  ) then
    raise exception 'invoice % is % and cannot be changed', coalesce(old.number, old.id::text), old.status
      using errcode = 'check_violation', constraint = 'invoice_issued_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger invoice_issued_is_immutable before update or delete on invoicing.invoice
  for each row execute function invoicing.refuse_change_of_issued_invoice();

create function invoicing.refuse_change_of_issued_line() returns trigger language plpgsql as $$
begin
  if exists (
    select 1 from invoicing.invoice i
    where i.status <> 'draft' and (
      (tg_op <> 'INSERT' and i.tenant_id = old.tenant_id and i.id = old.invoice_id)
      or (tg_op <> 'DELETE' and i.tenant_id = new.tenant_id and i.id = new.invoice_id)
    )
  ) then
    raise exception 'the lines of an issued invoice cannot be changed'
      using errcode = 'check_violation', constraint = 'invoice_line_issued_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger invoice_line_issued_is_immutable before insert or update or delete on invoicing.invoice_line
  for each row execute function invoicing.refuse_change_of_issued_line();
