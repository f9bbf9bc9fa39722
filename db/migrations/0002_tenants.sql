create schema tenants;

create table tenants.tenant (
  -- Given by the operator. Restricted to what a provider's resource tag can carry.
  id text primary key check (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
  legal_name text not null check (length(legal_name) between 1 and 200),
  email text,
  address text,
  country text not null check (country ~ '^[A-Z]{2}$'),
  tax_id text,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  timezone text not null,
  tax_treatment text not null check (tax_treatment in ('taxable', 'export', 'exempt')),
  tax_name text,
  tax_rate numeric,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint tenant_tax_is_whole check (
    tax_treatment <> 'taxable' or (tax_name is not null and tax_rate is not null and tax_rate > 0 and tax_rate < 1)
  )
);

-- Provider tags compare without case, so two tenants must not differ by case alone.
create unique index tenant_id_without_case on tenants.tenant (lower(id));
