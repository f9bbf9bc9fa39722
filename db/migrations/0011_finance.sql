create schema finance;

-- The outbox to the books: one row per document, written in the transaction that issues or changes the document.
create table finance.push (
  id uuid primary key,
  document text not null check (document in ('provider_invoice', 'invoice')),
  source text not null,
  external_id text not null,
  tenant_id text,
  payload jsonb not null,
  status text not null check (status in ('pending', 'pushed', 'failed', 'not_configured')),
  action text check (action in ('created', 'updated')),
  finance_id text,
  attempts integer not null check (attempts >= 0),
  next_attempt_at timestamptz,
  -- Set while an attempt is going on. Nobody else sends the document before then, or an older state could arrive last.
  claimed_until timestamptz,
  -- From then on the books may know the document, whatever came back.
  first_attempt_at timestamptz,
  last_error text,
  created_at timestamptz not null,
  pushed_at timestamptz,
  constraint push_once unique (source, external_id),
  constraint push_answered check ((status = 'pushed') = (action is not null and finance_id is not null and pushed_at is not null)),
  constraint push_due_has_time check ((status = 'pending') = (next_attempt_at is not null)),
  constraint push_claimed_is_pending check (claimed_until is null or status = 'pending'),
  constraint push_attempts_have_a_first check (attempts = 0 or first_attempt_at is not null)
);

create index push_due on finance.push (next_attempt_at) where status = 'pending';
