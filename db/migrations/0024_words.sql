-- breaking: an older program reads and writes `status` and `template` of deployments.
-- A deployment has a state; status is the word of invoices, bills and subscriptions.
alter table deployments.deployment rename column status to state;
alter table deployments.deployment rename constraint deployment_status_check to deployment_state_check;
alter table deployments.deployment rename column template to template_code;
alter table deployments.deployment
  add column template_version text,
  add column region text,
  drop constraint deployment_llm_mode_check,
  -- byok: the tenant brings its own keys and pays the provider of the model itself.
  add constraint deployment_llm_mode_check check (llm_mode in ('off', 'metered', 'byok'));

alter table deployments.event rename column from_status to from_state;
alter table deployments.event rename column to_status to to_state;
