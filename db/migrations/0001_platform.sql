-- What the program itself keeps: stored answers of repeated calls, and the last runs of its schedules.
-- The table of applied migrations is made by the migrator, before the first of these files runs.

create extension if not exists btree_gist;

create schema if not exists platform;

create table platform.idempotency_key (
  subject text not null,
  key text not null check (length(key) between 1 and 255),
  request_hash text not null,
  status_code integer,
  response text,
  content_type text,
  created_at timestamptz not null,
  primary key (subject, key),
  constraint idempotency_key_answer_whole check ((status_code is null) = (response is null))
);

create index idempotency_key_created_at on platform.idempotency_key (created_at);

create table platform.run (
  id uuid primary key,
  name text not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  outcome text not null check (outcome in ('running', 'done', 'failed', 'skipped')),
  detail text
);

create index run_name_started_at on platform.run (name, started_at desc);
