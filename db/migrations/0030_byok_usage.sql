-- Whether the tenant paid the model's provider itself when the event came in: then it is recorded and never charged.
alter table llm_usage.event add column byok boolean not null default false;
drop index llm_usage.event_held;
create index event_held on llm_usage.event (tenant_id, occurred_at) where charge is null and not byok;
