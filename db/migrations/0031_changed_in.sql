-- In which transaction a fact was last changed. A time says when a change began, and it may be committed much later: an
-- invoice that keeps the snapshot which it was made from can tell for sure what it has not seen.
create function platform.note_transaction() returns trigger language plpgsql as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end $$;

-- What is there is committed, and every invoice so far is rated again when the next one is made.
alter table metering.usage_event add column changed_in xid8 not null default '3';
alter table llm_usage.event add column changed_in xid8 not null default '3';
alter table subscriptions.subscription add column changed_in xid8 not null default '3';
alter table inventory.span add column changed_in xid8 not null default '3';
alter table inventory.ownership_change add column changed_in xid8 not null default '3';
alter table metering.usage_event alter column changed_in drop default;
alter table llm_usage.event alter column changed_in drop default;
alter table subscriptions.subscription alter column changed_in drop default;
alter table inventory.span alter column changed_in drop default;
alter table inventory.ownership_change alter column changed_in drop default;

create trigger usage_event_changed before insert or update on metering.usage_event
  for each row execute function platform.note_transaction();
create trigger event_changed before insert or update on llm_usage.event
  for each row execute function platform.note_transaction();
create trigger subscription_changed before insert or update on subscriptions.subscription
  for each row execute function platform.note_transaction();
create trigger span_changed before insert or update on inventory.span
  for each row execute function platform.note_transaction();
create trigger ownership_change_changed before insert or update on inventory.ownership_change
  for each row execute function platform.note_transaction();

create index usage_event_changed_in on metering.usage_event (tenant_id, changed_in);
create index event_changed_in on llm_usage.event (tenant_id, changed_in);
create index span_changed_in on inventory.span (tenant_id, changed_in);
create index ownership_change_changed_in on inventory.ownership_change (tenant_id, changed_in);

-- Taken before the facts are read. Null: made before it was kept.
alter table invoicing.invoice add column facts_seen pg_snapshot;
