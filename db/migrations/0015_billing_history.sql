-- Every entry of a provider's billing history. Only invoices have ids there, so an entry is known by what it says, and
-- by its number among those that say the same.
create table costs.billing_entry (
  id uuid primary key,
  provider text not null,
  occurred_at timestamptz not null,
  -- The provider's word; one of ten today.
  type text not null,
  -- Exact; invoices are positive and payments negative.
  amount numeric not null,
  currency text not null,
  description text not null,
  invoice_number text,
  invoice_uuid text,
  -- From 1 on, among entries that are equal in everything above.
  occurrence integer not null check (occurrence >= 1),
  first_seen_at timestamptz not null,
  -- Since when the provider does not list it any more.
  missing_since timestamptz,
  constraint billing_entry_once unique nulls not distinct (
    provider, occurred_at, type, amount, currency, description, invoice_number, invoice_uuid, occurrence
  )
);

create index billing_entry_by_time on costs.billing_entry (occurred_at, id);

-- When a provider's billing history was last read whole.
create table costs.billing_history_reading (
  provider text primary key,
  read_at timestamptz not null
);
