-- breaking: an older program would bill an overridden or discounted subscription at the full price.
-- What one subscription pays instead of what its plan version says. Never changed: the phases say on which days it holds.
create table subscriptions.override (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  base_price_cents bigint check (base_price_cents >= 0),
  commitment_cents bigint check (commitment_cents >= 0),
  -- Each replaces the charge of the plan version on the same meter and filter, or is added.
  charges jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, subscription_id) references subscriptions.subscription (tenant_id, id),
  constraint override_of_its_subscription unique (tenant_id, subscription_id, id),
  constraint override_of_something
    check (num_nonnulls(base_price_cents, commitment_cents, nullif(charges, '[]')) > 0)
);

alter table subscriptions.phase
  add column override_id uuid,
  add foreign key (tenant_id, subscription_id, override_id) references subscriptions.override (tenant_id, subscription_id, id);

-- Counts in every month that it has a day in; applied in the order in which they were given.
create table subscriptions.discount (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  position integer not null check (position >= 0),
  name text not null,
  rate numeric check (rate > 0 and rate <= 1),
  amount_cents bigint check (amount_cents > 0),
  -- Null: all lines of the subscription.
  line_kinds text[],
  starts_on date not null,
  ends_on date,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, subscription_id) references subscriptions.subscription (tenant_id, id),
  constraint discount_in_order unique (tenant_id, subscription_id, position),
  constraint discount_ends_after_start check (ends_on is null or ends_on >= starts_on),
  constraint discount_by_rate_or_amount check (num_nonnulls(rate, amount_cents) = 1)
);
