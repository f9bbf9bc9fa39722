-- Generated from the migrated schema by `npm run generate`. Do not edit.

create table catalog.addon (
  code text not null,
  name text not null,
  price_cents bigint not null,
  currency text not null,
  quantity numeric not null,
  unit text,
  grants_meter text,
  created_at timestamp with time zone not null,
  constraint addon_pkey PRIMARY KEY (code),
  constraint addon_meter_exists FOREIGN KEY (grants_meter) REFERENCES catalog.meter(code),
  constraint addon_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
  constraint addon_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint addon_price_cents_check CHECK ((price_cents >= 0)),
  constraint addon_quantity_check CHECK ((quantity >= (0)::numeric))
);

create table catalog.charge (
  plan_version_id uuid not null,
  position integer not null,
  meter text not null,
  model text not null,
  unit_price numeric,
  tiers jsonb,
  package_size numeric,
  package_price numeric,
  rate numeric,
  included_quantity numeric,
  min_amount numeric,
  max_amount numeric,
  filter jsonb,
  fixed_per_event numeric,
  min_per_event numeric,
  max_per_event numeric,
  constraint charge_pkey PRIMARY KEY (plan_version_id, "position"),
  constraint charge_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES catalog.plan_version(id) ON DELETE CASCADE,
  constraint charge_fits_its_model CHECK ((((model = 'per_unit'::text) = (unit_price IS NOT NULL)) AND ((model = ANY (ARRAY['graduated'::text, 'volume'::text])) = (tiers IS NOT NULL)) AND ((model = 'package'::text) = ((package_size IS NOT NULL) AND (package_price IS NOT NULL))) AND ((model = 'percentage'::text) = (rate IS NOT NULL)))),
  constraint charge_model_check CHECK ((model = ANY (ARRAY['per_unit'::text, 'graduated'::text, 'volume'::text, 'package'::text, 'percentage'::text]))),
  constraint charge_per_event_of_percentage CHECK (((model = 'percentage'::text) OR (num_nonnulls(fixed_per_event, min_per_event, max_per_event) = 0))),
  constraint charge_position_check CHECK (("position" >= 0))
);
CREATE TRIGGER charge_published_is_immutable BEFORE INSERT OR DELETE OR UPDATE ON catalog.charge FOR EACH ROW EXECUTE FUNCTION catalog.refuse_change_of_published_charge();

create table catalog.meter (
  code text not null,
  name text not null,
  unit text not null,
  aggregation text not null,
  unique_property text,
  created_at timestamp with time zone not null,
  constraint meter_pkey PRIMARY KEY (code),
  constraint meter_aggregation_check CHECK ((aggregation = ANY (ARRAY['sum'::text, 'count'::text, 'max'::text, 'last'::text, 'unique_count'::text, 'time_weighted_sum'::text]))),
  constraint meter_code_check CHECK ((code ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
  constraint meter_unique_property_where_needed CHECK (((aggregation = 'unique_count'::text) = (unique_property IS NOT NULL)))
);

create table catalog.plan (
  code text not null,
  name text not null,
  created_at timestamp with time zone not null,
  constraint plan_pkey PRIMARY KEY (code),
  constraint plan_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text))
);

create table catalog.plan_version (
  id uuid not null,
  plan_code text not null,
  version integer not null,
  status text not null,
  currency text not null,
  interval text not null,
  base_price_cents bigint not null,
  proration text not null,
  created_at timestamp with time zone not null,
  published_at timestamp with time zone,
  commitment_cents bigint,
  retired_at timestamp with time zone,
  constraint plan_version_once UNIQUE (plan_code, version),
  constraint plan_version_pkey PRIMARY KEY (id),
  constraint plan_version_plan_exists FOREIGN KEY (plan_code) REFERENCES catalog.plan(code) ON DELETE CASCADE,
  constraint plan_version_amounts_not_negative CHECK (((status = 'draft'::text) OR ((base_price_cents >= 0) AND (COALESCE(commitment_cents, (0)::bigint) >= 0)))),
  constraint plan_version_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint plan_version_interval_check CHECK (("interval" = ANY (ARRAY['month'::text, 'year'::text]))),
  constraint plan_version_proration_check CHECK ((proration = ANY (ARRAY['daily'::text, 'none'::text]))),
  constraint plan_version_published_at_set CHECK (((status = 'draft'::text) = (published_at IS NULL))),
  constraint plan_version_retired_at_set CHECK (((status = 'retired'::text) = (retired_at IS NOT NULL))),
  constraint plan_version_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'published'::text, 'retired'::text]))),
  constraint plan_version_version_check CHECK ((version > 0))
);
CREATE TRIGGER plan_version_published_is_immutable BEFORE DELETE OR UPDATE ON catalog.plan_version FOR EACH ROW EXECUTE FUNCTION catalog.refuse_change_of_published_version();
CREATE TRIGGER plan_version_usage_has_one_price BEFORE UPDATE OF status ON catalog.plan_version FOR EACH ROW WHEN (((old.status = 'draft'::text) AND (new.status <> 'draft'::text))) EXECUTE FUNCTION catalog.refuse_two_prices();

create table costs.allocation_rule (
  id uuid not null,
  provider text not null,
  product text,
  project text,
  description text,
  shares jsonb not null,
  created_at timestamp with time zone not null,
  created_by text not null,
  basis text not null default 'fixed'::text,
  meter text,
  deployment_ids text[] not null default '{}'::text[],
  constraint allocation_rule_pkey PRIMARY KEY (id),
  constraint allocation_rule_basis_check CHECK ((basis = ANY (ARRAY['fixed'::text, 'even'::text, 'direct_cost'::text, 'meter'::text]))),
  constraint allocation_rule_fixed_has_shares CHECK (((basis = 'fixed'::text) = (jsonb_array_length(shares) > 0))),
  constraint allocation_rule_names_its_meter CHECK (((basis = 'meter'::text) = (meter IS NOT NULL))),
  constraint allocation_rule_selects_something CHECK ((COALESCE(product, project, description) IS NOT NULL))
);

create table costs.balance (
  provider text not null,
  generated_at timestamp with time zone not null,
  month_to_date_balance numeric not null,
  account_balance numeric not null,
  month_to_date_usage numeric not null,
  currency text not null,
  taken_at timestamp with time zone not null,
  constraint balance_pkey PRIMARY KEY (provider, generated_at),
  constraint balance_adds_up CHECK ((month_to_date_balance = (account_balance + month_to_date_usage)))
);

create table costs.billing_entry (
  id uuid not null,
  provider text not null,
  occurred_at timestamp with time zone not null,
  type text not null,
  amount numeric not null,
  currency text not null,
  description text not null,
  invoice_number text,
  invoice_uuid text,
  occurrence integer not null,
  first_seen_at timestamp with time zone not null,
  missing_since timestamp with time zone,
  constraint billing_entry_once UNIQUE NULLS NOT DISTINCT (provider, occurred_at, type, amount, currency, description, invoice_number, invoice_uuid, occurrence),
  constraint billing_entry_pkey PRIMARY KEY (id),
  constraint billing_entry_occurrence_check CHECK ((occurrence >= 1))
);
CREATE INDEX billing_entry_by_time ON costs.billing_entry USING btree (occurred_at, id);

create table costs.billing_history_reading (
  provider text not null,
  read_at timestamp with time zone not null,
  constraint billing_history_reading_pkey PRIMARY KEY (provider)
);

create table costs.cost_line (
  provider_invoice_id uuid not null,
  position integer not null,
  id uuid not null,
  provider text not null,
  kind text not null,
  product text not null,
  group_description text,
  description text not null,
  charge_category text not null,
  amount numeric not null,
  currency text not null,
  charge_start timestamp with time zone not null,
  charge_end timestamp with time zone not null,
  quantity numeric,
  unit text,
  project text,
  external_resource_id text,
  external_resource_uuid text,
  resource_name text,
  resource_id uuid,
  tenant_id text,
  deployment_id uuid,
  match_status text not null,
  match_method text,
  match_reason text not null,
  service_category text not null,
  service_name text not null,
  region text,
  extra jsonb,
  constraint cost_line_pkey PRIMARY KEY (provider_invoice_id, "position"),
  constraint cost_line_charge_category_check CHECK ((charge_category = ANY (ARRAY['Usage'::text, 'Purchase'::text, 'Tax'::text, 'Credit'::text, 'Adjustment'::text]))),
  constraint cost_line_match_status_check CHECK ((match_status = ANY (ARRAY['matched'::text, 'allocated'::text, 'unmatched'::text, 'not_applicable'::text]))),
  constraint cost_line_matched_has_owner CHECK (((match_status <> 'matched'::text) OR (deployment_id IS NOT NULL))),
  constraint cost_line_owner_whole CHECK (((tenant_id IS NULL) = (deployment_id IS NULL))),
  constraint cost_line_period CHECK ((charge_end >= charge_start)),
  constraint cost_line_tax_is_not_matched CHECK (((charge_category = ANY (ARRAY['Tax'::text, 'Credit'::text])) = (match_status = 'not_applicable'::text))),
  constraint cost_line_unmatched_has_none CHECK (((match_status = ANY (ARRAY['matched'::text, 'allocated'::text])) OR (deployment_id IS NULL)))
);
CREATE INDEX cost_line_of_deployment ON costs.cost_line USING btree (deployment_id) WHERE (deployment_id IS NOT NULL);
CREATE INDEX cost_line_unclassified ON costs.cost_line USING btree (provider, product) WHERE (kind = 'unclassified'::text);
CREATE TRIGGER cost_line_closed_month_stays AFTER UPDATE ON costs.cost_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_rematch_in_closed_month();
CREATE TRIGGER cost_line_has_ground AFTER INSERT ON costs.cost_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_lines_without_ground();
CREATE TRIGGER cost_line_issued_is_immutable BEFORE UPDATE ON costs.cost_line FOR EACH ROW WHEN (((((((((new.provider_invoice_id IS DISTINCT FROM old.provider_invoice_id) OR (new."position" IS DISTINCT FROM old."position")) OR (new.id IS DISTINCT FROM old.id)) OR (new.provider IS DISTINCT FROM old.provider)) OR (new.kind IS DISTINCT FROM old.kind)) OR (new.product IS DISTINCT FROM old.product)) OR (new.group_description IS DISTINCT FROM old.group_description)) OR ((((((new.description IS DISTINCT FROM old.description) OR (new.charge_category IS DISTINCT FROM old.charge_category)) OR (new.amount IS DISTINCT FROM old.amount)) OR (new.currency IS DISTINCT FROM old.currency)) OR (new.charge_start IS DISTINCT FROM old.charge_start)) OR (new.charge_end IS DISTINCT FROM old.charge_end)) OR ((((((new.quantity IS DISTINCT FROM old.quantity) OR (new.unit IS DISTINCT FROM old.unit)) OR (new.project IS DISTINCT FROM old.project)) OR (new.external_resource_id IS DISTINCT FROM old.external_resource_id)) OR (new.external_resource_uuid IS DISTINCT FROM old.external_resource_uuid)) OR (new.resource_name IS DISTINCT FROM old.resource_name)) OR ((((new.service_category IS DISTINCT FROM old.service_category) OR (new.service_name IS DISTINCT FROM old.service_name)) OR (new.region IS DISTINCT FROM old.region)) OR (new.extra IS DISTINCT FROM old.extra)))) EXECUTE FUNCTION costs.refuse_change_of_issued_line();
CREATE TRIGGER cost_line_issued_is_kept AFTER DELETE ON costs.cost_line REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_removal_of_issued_lines();
CREATE TRIGGER cost_line_keeps_ground AFTER UPDATE ON costs.cost_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_lines_without_ground();
CREATE UNIQUE INDEX cost_line_id_once ON costs.cost_line USING btree (id);

create table costs.exchange_rate (
  from_currency text not null,
  to_currency text not null,
  date date not null,
  rate numeric not null,
  source text not null,
  recorded_at timestamp with time zone not null,
  recorded_by text not null,
  withdrawn_at timestamp with time zone,
  withdrawn_by text,
  withdrawn_reason text,
  id uuid not null,
  constraint exchange_rate_pkey PRIMARY KEY (id),
  constraint exchange_rate_from_currency_check CHECK ((from_currency ~ '^[A-Z]{3}$'::text)),
  constraint exchange_rate_is_between_two CHECK ((from_currency <> to_currency)),
  constraint exchange_rate_rate_check CHECK ((rate > (0)::numeric)),
  constraint exchange_rate_to_currency_check CHECK ((to_currency ~ '^[A-Z]{3}$'::text)),
  constraint exchange_rate_withdrawn_reason_check CHECK ((withdrawn_reason <> ''::text)),
  constraint exchange_rate_withdrawn_whole CHECK ((((withdrawn_at IS NULL) = (withdrawn_by IS NULL)) AND ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL))))
);
CREATE TRIGGER exchange_rate_is_kept BEFORE DELETE ON costs.exchange_rate FOR EACH ROW EXECUTE FUNCTION costs.refuse_change_of_exchange_rate();
CREATE TRIGGER exchange_rate_stays BEFORE UPDATE ON costs.exchange_rate FOR EACH ROW WHEN (((old.withdrawn_at IS NOT NULL) OR ((((((((new.id IS DISTINCT FROM old.id) OR (new.from_currency IS DISTINCT FROM old.from_currency)) OR (new.to_currency IS DISTINCT FROM old.to_currency)) OR (new.date IS DISTINCT FROM old.date)) OR (new.rate IS DISTINCT FROM old.rate)) OR (new.source IS DISTINCT FROM old.source)) OR (new.recorded_at IS DISTINCT FROM old.recorded_at)) OR (new.recorded_by IS DISTINCT FROM old.recorded_by)))) EXECUTE FUNCTION costs.refuse_change_of_exchange_rate();
CREATE UNIQUE INDEX exchange_rate_once ON costs.exchange_rate USING btree (from_currency, to_currency, date) WHERE (withdrawn_at IS NULL);

create table costs.line_share (
  cost_line_id uuid not null,
  tenant_id text not null,
  deployment_id uuid not null,
  amount numeric not null,
  weight numeric,
  constraint line_share_pkey PRIMARY KEY (cost_line_id, tenant_id, deployment_id),
  constraint line_share_cost_line_id_fkey FOREIGN KEY (cost_line_id) REFERENCES costs.cost_line(id) ON DELETE CASCADE,
  constraint line_share_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint line_share_weight_check CHECK ((weight > (0)::numeric))
);
CREATE INDEX line_share_of_deployment ON costs.line_share USING btree (tenant_id, deployment_id);
CREATE TRIGGER line_share_closed_month_gets_none AFTER INSERT ON costs.line_share REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_shares_in_closed_month();
CREATE TRIGGER line_share_closed_month_is_kept AFTER DELETE ON costs.line_share REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_shares_in_closed_month();
CREATE TRIGGER line_share_closed_month_stays AFTER UPDATE ON costs.line_share REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_shares_in_closed_month();
CREATE TRIGGER line_share_keeps_its_line BEFORE UPDATE ON costs.line_share FOR EACH ROW WHEN ((new.cost_line_id <> old.cost_line_id)) EXECUTE FUNCTION costs.refuse_other_line();

create table costs.period_close (
  id uuid not null,
  period_start date not null,
  closed_at timestamp with time zone not null,
  closed_by text not null,
  reopened_at timestamp with time zone,
  reopened_by text,
  reopen_reason text,
  constraint period_close_pkey PRIMARY KEY (id),
  constraint period_close_begins_a_month CHECK ((EXTRACT(day FROM period_start) = (1)::numeric)),
  constraint period_close_reopened_whole CHECK ((((reopened_at IS NULL) = (reopened_by IS NULL)) AND ((reopened_at IS NULL) = (reopen_reason IS NULL))))
);
CREATE TRIGGER period_close_is_kept BEFORE DELETE ON costs.period_close FOR EACH ROW EXECUTE FUNCTION costs.refuse_removal_of_closing();
CREATE UNIQUE INDEX period_close_once ON costs.period_close USING btree (period_start) WHERE (reopened_at IS NULL);

create table costs.provider_invoice (
  id uuid not null,
  provider text not null,
  external_id text not null,
  provider_uuid text,
  invoice_number text,
  status text not null,
  period_start date not null,
  period_end date not null,
  currency text not null,
  amount numeric not null,
  lines_amount numeric,
  tax_amount numeric,
  gap numeric generated always as ((amount - lines_amount)) stored,
  summary jsonb,
  line_count integer,
  read_from text,
  content_hash text,
  difference jsonb,
  announced_at timestamp with time zone not null,
  ingested_at timestamp with time zone,
  compared_at timestamp with time zone,
  incomplete_readings integer not null,
  last_error text,
  differing_lines jsonb,
  billing_account text,
  number_is_stated boolean not null default false,
  issuer_name text,
  withdrawn_at timestamp with time zone,
  withdrawn_by text,
  withdrawn_reason text,
  replaced_by uuid,
  constraint provider_invoice_pkey PRIMARY KEY (id),
  constraint provider_invoice_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES costs.provider_invoice(id) DEFERRABLE INITIALLY DEFERRED,
  constraint provider_invoice_ingested_whole CHECK ((((status = 'announced'::text) = (ingested_at IS NULL)) AND ((ingested_at IS NULL) = (content_hash IS NULL)) AND ((ingested_at IS NULL) = (lines_amount IS NULL)))),
  constraint provider_invoice_period CHECK ((period_end > period_start)),
  constraint provider_invoice_read_from_check CHECK ((read_from = ANY (ARRAY['items'::text, 'csv'::text, 'upload'::text]))),
  constraint provider_invoice_status_check CHECK ((status = ANY (ARRAY['announced'::text, 'preview'::text, 'issued'::text, 'withdrawn'::text]))),
  constraint provider_invoice_withdrawn_reason_check CHECK ((withdrawn_reason <> ''::text)),
  constraint provider_invoice_withdrawn_whole CHECK ((((status = 'withdrawn'::text) = (withdrawn_at IS NOT NULL)) AND ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)) AND ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL)) AND ((replaced_by IS NULL) OR (withdrawn_at IS NOT NULL))))
);
CREATE INDEX provider_invoice_replaced_by ON costs.provider_invoice USING btree (replaced_by) WHERE (replaced_by IS NOT NULL);
CREATE TRIGGER provider_invoice_awaits_lines BEFORE DELETE ON costs.provider_invoice FOR EACH STATEMENT EXECUTE FUNCTION costs.await_new_lines();
CREATE TRIGGER provider_invoice_issued_is_immutable BEFORE UPDATE ON costs.provider_invoice FOR EACH ROW WHEN (((old.status = 'issued'::text) AND ((new.status <> ALL (ARRAY['issued'::text, 'withdrawn'::text])) OR ((((((new.provider IS DISTINCT FROM old.provider) OR (new.external_id IS DISTINCT FROM old.external_id)) OR (new.period_start IS DISTINCT FROM old.period_start)) OR (new.period_end IS DISTINCT FROM old.period_end)) OR (new.currency IS DISTINCT FROM old.currency)) OR (new.amount IS DISTINCT FROM old.amount)) OR (((((new.lines_amount IS DISTINCT FROM old.lines_amount) OR (new.tax_amount IS DISTINCT FROM old.tax_amount)) OR (new.line_count IS DISTINCT FROM old.line_count)) OR (new.content_hash IS DISTINCT FROM old.content_hash)) OR (new.ingested_at IS DISTINCT FROM old.ingested_at)) OR (((new.billing_account IS DISTINCT FROM old.billing_account) OR (new.issuer_name IS DISTINCT FROM old.issuer_name)) OR (new.number_is_stated IS DISTINCT FROM old.number_is_stated))))) EXECUTE FUNCTION costs.refuse_change_of_issued_bill();
CREATE TRIGGER provider_invoice_issued_is_kept BEFORE DELETE ON costs.provider_invoice FOR EACH ROW WHEN ((old.status = 'issued'::text)) EXECUTE FUNCTION costs.refuse_change_of_issued_bill();
CREATE TRIGGER provider_invoice_keeps_its_id BEFORE UPDATE ON costs.provider_invoice FOR EACH ROW WHEN ((new.id <> old.id)) EXECUTE FUNCTION costs.refuse_other_id();
CREATE TRIGGER provider_invoice_of_lines_is_kept AFTER DELETE ON costs.provider_invoice REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_removal_below_lines('provider_invoice_id');
CREATE TRIGGER provider_invoice_withdrawal_is_allowed BEFORE UPDATE ON costs.provider_invoice FOR EACH ROW WHEN (((new.status = 'withdrawn'::text) AND (old.status <> 'withdrawn'::text))) EXECUTE FUNCTION costs.refuse_withdrawal();
CREATE TRIGGER provider_invoice_withdrawn_is_kept BEFORE DELETE ON costs.provider_invoice FOR EACH ROW WHEN ((old.status = 'withdrawn'::text)) EXECUTE FUNCTION costs.refuse_change_of_withdrawn_bill();
CREATE TRIGGER provider_invoice_withdrawn_stays BEFORE UPDATE ON costs.provider_invoice FOR EACH ROW WHEN ((old.status = 'withdrawn'::text)) EXECUTE FUNCTION costs.refuse_change_of_withdrawn_bill();
CREATE UNIQUE INDEX provider_invoice_content_once ON costs.provider_invoice USING btree (provider, billing_account, issuer_name, currency, period_start, content_hash) NULLS NOT DISTINCT WHERE ((status = 'issued'::text) AND (line_count > 0) AND (provider_uuid IS NULL) AND (NOT number_is_stated));
CREATE UNIQUE INDEX provider_invoice_number_once ON costs.provider_invoice USING btree (provider, invoice_number, currency, billing_account, issuer_name, (
CASE
    WHEN number_is_stated THEN period_start
    ELSE NULL::date
END)) NULLS NOT DISTINCT WHERE ((status <> ALL (ARRAY['preview'::text, 'withdrawn'::text])) AND (invoice_number IS NOT NULL));
CREATE UNIQUE INDEX provider_invoice_once ON costs.provider_invoice USING btree (provider, external_id) WHERE (status <> 'withdrawn'::text);
CREATE UNIQUE INDEX provider_invoice_one_preview ON costs.provider_invoice USING btree (provider, period_start, currency, billing_account, issuer_name, invoice_number) NULLS NOT DISTINCT WHERE (status = 'preview'::text);

create table costs.remembered_assignment (
  provider text not null,
  kind text not null,
  resource_name text not null,
  tenant_id text not null,
  deployment_id uuid not null,
  created_at timestamp with time zone not null,
  created_by text not null,
  constraint remembered_assignment_pkey PRIMARY KEY (provider, kind, resource_name),
  constraint remembered_assignment_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id)
);

create table costs.settled_difference (
  id uuid not null,
  provider_invoice_id uuid not null,
  difference jsonb not null,
  differing_lines jsonb,
  settled_at timestamp with time zone not null,
  settled_by text not null,
  reason text not null,
  constraint settled_difference_pkey PRIMARY KEY (id),
  constraint settled_difference_provider_invoice_id_fkey FOREIGN KEY (provider_invoice_id) REFERENCES costs.provider_invoice(id),
  constraint settled_difference_reason_check CHECK ((reason <> ''::text))
);
CREATE INDEX settled_difference_of_bill ON costs.settled_difference USING btree (provider_invoice_id);
CREATE TRIGGER settled_difference_is_kept BEFORE DELETE OR UPDATE ON costs.settled_difference FOR EACH ROW EXECUTE FUNCTION costs.refuse_change_of_settled_difference();

create table costs.withdrawn_line (
  provider_invoice_id uuid not null,
  position integer not null,
  amount numeric not null,
  line jsonb not null,
  constraint withdrawn_line_pkey PRIMARY KEY (provider_invoice_id, "position"),
  constraint withdrawn_line_provider_invoice_id_fkey FOREIGN KEY (provider_invoice_id) REFERENCES costs.provider_invoice(id)
);
CREATE TRIGGER withdrawn_line_is_kept BEFORE DELETE OR UPDATE ON costs.withdrawn_line FOR EACH ROW EXECUTE FUNCTION costs.refuse_change_of_withdrawn_line();

create table deployments.deployment (
  tenant_id text not null,
  id uuid not null,
  slug text not null,
  display_name text not null,
  template_code text,
  llm_mode text not null,
  state text not null,
  billing_action_suspended boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  template_version text,
  region text,
  slug_released_at timestamp with time zone,
  constraint deployment_pkey PRIMARY KEY (tenant_id, id),
  constraint deployment_tenant_exists FOREIGN KEY (tenant_id) REFERENCES tenants.tenant(id),
  constraint deployment_llm_mode_check CHECK ((llm_mode = ANY (ARRAY['off'::text, 'metered'::text, 'byok'::text]))),
  constraint deployment_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
  constraint deployment_slug_released_when_archived CHECK (((slug_released_at IS NULL) OR (state = 'archived'::text))),
  constraint deployment_state_check CHECK ((state = ANY (ARRAY['trial'::text, 'active'::text, 'past_due'::text, 'paused'::text, 'suspended'::text, 'cancelled'::text, 'archived'::text])))
);
CREATE TRIGGER deployment_awaits_lines BEFORE DELETE ON deployments.deployment FOR EACH STATEMENT EXECUTE FUNCTION costs.await_new_lines();
CREATE TRIGGER deployment_keeps_its_id BEFORE UPDATE ON deployments.deployment FOR EACH ROW WHEN (((new.tenant_id <> old.tenant_id) OR (new.id <> old.id))) EXECUTE FUNCTION costs.refuse_other_id();
CREATE TRIGGER deployment_of_lines_is_kept AFTER DELETE ON deployments.deployment REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_removal_below_lines('deployment_id');
CREATE UNIQUE INDEX deployment_id_once ON deployments.deployment USING btree (id);
CREATE UNIQUE INDEX deployment_slug_once ON deployments.deployment USING btree (tenant_id, slug) WHERE (slug_released_at IS NULL);

create table deployments.event (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  kind text not null,
  from_state text,
  to_state text,
  actor text not null,
  reason text,
  details jsonb not null,
  occurred_at timestamp with time zone not null,
  constraint event_pkey PRIMARY KEY (tenant_id, id),
  constraint event_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint event_kind_check CHECK ((kind = ANY (ARRAY['created'::text, 'transition'::text, 'updated'::text])))
);
CREATE INDEX event_of_deployment ON deployments.event USING btree (tenant_id, deployment_id, occurred_at);

create table events.event (
  id uuid not null,
  type text not null,
  occurred_at timestamp with time zone not null,
  tenant_id text,
  subject_kind text not null,
  subject_id text not null,
  actor text not null,
  reason text,
  data jsonb not null,
  constraint event_pkey PRIMARY KEY (id),
  constraint event_type_check CHECK ((type ~ '^[a-z_]+\.[a-z_]+$'::text))
);
CREATE INDEX event_in_order ON events.event USING btree (occurred_at, id);
CREATE INDEX event_of_subject ON events.event USING btree (subject_id, occurred_at, id);
CREATE TRIGGER event_is_append_only BEFORE DELETE OR UPDATE ON events.event FOR EACH ROW EXECUTE FUNCTION events.refuse_change();

create table finance.push (
  id uuid not null,
  document text not null,
  source text not null,
  external_id text not null,
  tenant_id text,
  payload jsonb not null,
  status text not null,
  action text,
  finance_id text,
  attempts integer not null,
  next_attempt_at timestamp with time zone,
  claimed_until timestamp with time zone,
  first_attempt_at timestamp with time zone,
  last_error text,
  created_at timestamp with time zone not null,
  pushed_at timestamp with time zone,
  minor_unit_places integer not null,
  constraint push_once UNIQUE (source, external_id),
  constraint push_pkey PRIMARY KEY (id),
  constraint push_action_check CHECK ((action = ANY (ARRAY['created'::text, 'updated'::text]))),
  constraint push_answered CHECK (((status = 'pushed'::text) = ((action IS NOT NULL) AND (finance_id IS NOT NULL) AND (pushed_at IS NOT NULL)))),
  constraint push_attempts_check CHECK ((attempts >= 0)),
  constraint push_attempts_have_a_first CHECK (((attempts = 0) OR (first_attempt_at IS NOT NULL))),
  constraint push_claimed_is_pending CHECK (((claimed_until IS NULL) OR (status = 'pending'::text))),
  constraint push_document_check CHECK ((document = ANY (ARRAY['provider_invoice'::text, 'invoice'::text]))),
  constraint push_due_has_time CHECK (((status = 'pending'::text) = (next_attempt_at IS NOT NULL))),
  constraint push_minor_unit_places_check CHECK (((minor_unit_places >= 0) AND (minor_unit_places <= 4))),
  constraint push_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'pushed'::text, 'failed'::text, 'not_configured'::text])))
);
CREATE INDEX push_due ON finance.push USING btree (next_attempt_at) WHERE (status = 'pending'::text);

create table inventory.listing (
  provider text not null,
  kind text not null,
  listed_at timestamp with time zone,
  tried_at timestamp with time zone not null,
  last_error text,
  scope text,
  unread jsonb not null default '[]'::jsonb,
  constraint listing_pkey PRIMARY KEY (provider, kind),
  constraint listing_is_listed_or_says_why CHECK (((listed_at IS NOT NULL) OR (last_error IS NOT NULL)))
);

create table inventory.ownership_change (
  id uuid not null,
  tenant_id text not null,
  deployment_id uuid not null,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone,
  changed_at timestamp with time zone not null,
  changed_in xid8 not null,
  constraint ownership_change_pkey PRIMARY KEY (id),
  constraint ownership_change_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint ownership_change_ends_after_start CHECK (((ends_at IS NULL) OR (ends_at > starts_at)))
);
CREATE INDEX ownership_change_changed_in ON inventory.ownership_change USING btree (tenant_id, changed_in);
CREATE INDEX ownership_change_of_tenant ON inventory.ownership_change USING btree (tenant_id, changed_at);
CREATE TRIGGER ownership_change_changed BEFORE INSERT OR UPDATE ON inventory.ownership_change FOR EACH ROW EXECUTE FUNCTION platform.note_transaction();

create table inventory.resource (
  id uuid not null,
  provider text not null,
  kind text not null,
  external_id text not null,
  name text not null,
  region text,
  project text,
  tags text[] not null,
  born_at timestamp with time zone not null,
  gone_at timestamp with time zone,
  first_seen_at timestamp with time zone not null,
  last_seen_at timestamp with time zone not null,
  assigned_deployment_id uuid,
  assigned_tenant_id text,
  parent_kind text,
  parent_external_id text,
  constraint resource_once UNIQUE (provider, kind, external_id),
  constraint resource_pkey PRIMARY KEY (id),
  constraint resource_assignment_exists FOREIGN KEY (assigned_tenant_id, assigned_deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint resource_assignment_whole CHECK (((assigned_deployment_id IS NULL) = (assigned_tenant_id IS NULL))),
  constraint resource_dies_after_birth CHECK (((gone_at IS NULL) OR (gone_at >= born_at))),
  constraint resource_kind_is_known CHECK ((kind = ANY (ARRAY['droplet'::text, 'kubernetes_node'::text, 'volume'::text, 'database'::text, 'kubernetes_cluster'::text, 'load_balancer'::text, 'reserved_ip'::text, 'snapshot'::text, 'backup'::text, 'app'::text, 'container_registry'::text, 'project'::text]))),
  constraint resource_parent_whole CHECK (((parent_kind IS NULL) = (parent_external_id IS NULL)))
);
CREATE INDEX resource_of_parent ON inventory.resource USING btree (provider, parent_kind, parent_external_id) WHERE (parent_kind IS NOT NULL);
CREATE TRIGGER resource_awaits_lines BEFORE DELETE ON inventory.resource FOR EACH STATEMENT EXECUTE FUNCTION costs.await_new_lines();
CREATE TRIGGER resource_keeps_its_id BEFORE UPDATE ON inventory.resource FOR EACH ROW WHEN ((new.id <> old.id)) EXECUTE FUNCTION costs.refuse_other_id();
CREATE TRIGGER resource_of_lines_is_kept AFTER DELETE ON inventory.resource REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION costs.refuse_removal_below_lines('resource_id');

create table inventory.span (
  id uuid not null,
  resource_id uuid not null,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone,
  name text not null,
  size text not null,
  size_gb numeric not null,
  tenant_id text,
  deployment_id uuid,
  changed_at timestamp with time zone not null,
  project text,
  tags text[] not null default '{}'::text[],
  price_monthly numeric,
  changed_in xid8 not null,
  constraint span_no_overlap EXCLUDE USING gist (resource_id WITH =, tstzrange(starts_at, ends_at) WITH &&),
  constraint span_pkey PRIMARY KEY (id),
  constraint span_deployment_exists FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint span_resource_id_fkey FOREIGN KEY (resource_id) REFERENCES inventory.resource(id),
  constraint span_deployment_whole CHECK (((tenant_id IS NULL) = (deployment_id IS NULL))),
  constraint span_ends_after_start CHECK (((ends_at IS NULL) OR (ends_at > starts_at))),
  constraint span_price_monthly_check CHECK ((price_monthly >= (0)::numeric)),
  constraint span_size_gb_check CHECK ((size_gb >= (0)::numeric))
);
CREATE INDEX span_by_name ON inventory.span USING btree (lower(name), starts_at);
CREATE INDEX span_changed_in ON inventory.span USING btree (tenant_id, changed_in);
CREATE INDEX span_of_deployment ON inventory.span USING btree (tenant_id, deployment_id, starts_at);
CREATE INDEX span_of_resource ON inventory.span USING btree (resource_id, starts_at);
CREATE TRIGGER span_changed BEFORE INSERT OR UPDATE ON inventory.span FOR EACH ROW EXECUTE FUNCTION platform.note_transaction();

create table invoicing.acknowledged_usage (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  period_start date not null,
  acknowledged_at timestamp with time zone not null,
  facts_seen pg_snapshot not null,
  constraint acknowledged_usage_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX acknowledged_usage_of_month ON invoicing.acknowledged_usage USING btree (tenant_id, period_start, deployment_id);

create table invoicing.credit_note (
  tenant_id text not null,
  id uuid not null,
  invoice_id uuid not null,
  number text not null,
  amount_cents bigint not null,
  tax_cents bigint not null,
  reason text not null,
  created_by text not null,
  created_at timestamp with time zone not null,
  constraint credit_note_number_once UNIQUE (number),
  constraint credit_note_pkey PRIMARY KEY (tenant_id, id),
  constraint credit_note_tenant_id_invoice_id_fkey FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoicing.invoice(tenant_id, id),
  constraint credit_note_amount_cents_check CHECK ((amount_cents > 0)),
  constraint credit_note_tax_cents_check CHECK ((tax_cents >= 0))
);

create table invoicing.credit_note_month (
  tenant_id text not null,
  credit_note_id uuid not null,
  period_start date not null,
  amount_cents bigint not null,
  constraint credit_note_month_pkey PRIMARY KEY (tenant_id, credit_note_id, period_start),
  constraint credit_note_month_tenant_id_credit_note_id_fkey FOREIGN KEY (tenant_id, credit_note_id) REFERENCES invoicing.credit_note(tenant_id, id),
  constraint credit_note_month_amount_cents_check CHECK ((amount_cents > 0))
);
CREATE INDEX credit_note_month_of_period ON invoicing.credit_note_month USING btree (tenant_id, period_start);

create table invoicing.invoice (
  tenant_id text not null,
  id uuid not null,
  number text,
  period_start date not null,
  period_end date not null,
  status text not null,
  currency text not null,
  subtotal_cents bigint not null,
  tax_cents bigint not null,
  total_cents bigint not null,
  seller jsonb not null,
  buyer jsonb not null,
  tax jsonb not null,
  engine_version text not null,
  inputs_hash text not null,
  created_at timestamp with time zone not null,
  issued_at timestamp with time zone,
  issued_by text,
  paid_at timestamp with time zone,
  voided_at timestamp with time zone,
  voided_by text,
  void_reason text,
  minor_unit_places integer not null,
  facts_seen pg_snapshot,
  constraint invoice_pkey PRIMARY KEY (tenant_id, id),
  constraint invoice_tenant_exists FOREIGN KEY (tenant_id) REFERENCES tenants.tenant(id),
  constraint invoice_adds_up CHECK (((subtotal_cents + tax_cents) = total_cents)),
  constraint invoice_issued_is_numbered CHECK (((status = 'draft'::text) OR (status = 'void'::text) OR ((number IS NOT NULL) AND (issued_at IS NOT NULL)))),
  constraint invoice_minor_unit_places_check CHECK (((minor_unit_places >= 0) AND (minor_unit_places <= 4))),
  constraint invoice_period CHECK ((period_end > period_start)),
  constraint invoice_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'issued'::text, 'paid'::text, 'void'::text])))
);
CREATE INDEX invoice_period_start ON invoicing.invoice USING btree (period_start, status);
CREATE TRIGGER invoice_issued_is_immutable BEFORE DELETE OR UPDATE ON invoicing.invoice FOR EACH ROW EXECUTE FUNCTION invoicing.refuse_change_of_issued_invoice();
CREATE UNIQUE INDEX invoice_id_once ON invoicing.invoice USING btree (id);
CREATE UNIQUE INDEX invoice_number_once ON invoicing.invoice USING btree (number);
CREATE UNIQUE INDEX invoice_one_live_per_period ON invoicing.invoice USING btree (tenant_id, period_start) WHERE (status <> 'void'::text);

create table invoicing.invoice_line (
  tenant_id text not null,
  invoice_id uuid not null,
  position integer not null,
  id uuid not null,
  kind text not null,
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
  constraint invoice_line_pkey PRIMARY KEY (tenant_id, invoice_id, "position"),
  constraint invoice_line_tenant_id_invoice_id_fkey FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoicing.invoice(tenant_id, id) ON DELETE CASCADE,
  constraint invoice_line_kind_check CHECK ((kind = ANY (ARRAY['plan_base'::text, 'addon'::text, 'usage'::text, 'overage'::text, 'minimum'::text, 'llm_usage'::text, 'adjustment'::text, 'credit'::text, 'tax'::text])))
);
CREATE INDEX invoice_line_adjustment ON invoicing.invoice_line USING btree (tenant_id, service_start) WHERE (kind = 'adjustment'::text);
CREATE INDEX invoice_line_of_deployment ON invoicing.invoice_line USING btree (tenant_id, deployment_id, service_start);
CREATE TRIGGER invoice_line_issued_is_immutable BEFORE INSERT OR DELETE OR UPDATE ON invoicing.invoice_line FOR EACH ROW EXECUTE FUNCTION invoicing.refuse_change_of_issued_line();
CREATE UNIQUE INDEX invoice_line_id_once ON invoicing.invoice_line USING btree (id);

create table invoicing.number_series (
  series text not null,
  last_number bigint not null,
  constraint number_series_pkey PRIMARY KEY (series),
  constraint number_series_last_number_check CHECK ((last_number >= 0))
);

create table invoicing.parked (
  tenant_id text not null,
  period_start date not null,
  code text not null,
  detail text not null,
  parked_at timestamp with time zone not null,
  constraint parked_pkey PRIMARY KEY (tenant_id, period_start),
  constraint parked_tenant_exists FOREIGN KEY (tenant_id) REFERENCES tenants.tenant(id)
);

create table invoicing.payment (
  tenant_id text not null,
  id uuid not null,
  invoice_id uuid not null,
  amount_cents bigint not null,
  paid_at timestamp with time zone not null,
  reference text not null,
  recorded_by text not null,
  recorded_at timestamp with time zone not null,
  reversed_at timestamp with time zone,
  reversed_by text,
  reversal_reason text,
  constraint payment_pkey PRIMARY KEY (tenant_id, id),
  constraint payment_tenant_id_invoice_id_fkey FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoicing.invoice(tenant_id, id),
  constraint payment_amount_cents_check CHECK ((amount_cents > 0)),
  constraint payment_reversal_reason_check CHECK ((reversal_reason <> ''::text)),
  constraint payment_reversed_whole CHECK ((((reversed_at IS NULL) = (reversed_by IS NULL)) AND ((reversed_at IS NULL) = (reversal_reason IS NULL))))
);
CREATE TRIGGER payment_is_kept BEFORE DELETE ON invoicing.payment FOR EACH ROW EXECUTE FUNCTION invoicing.refuse_change_of_payment();
CREATE TRIGGER payment_stays BEFORE UPDATE ON invoicing.payment FOR EACH ROW WHEN (((old.reversed_at IS NOT NULL) OR ((((((((new.tenant_id IS DISTINCT FROM old.tenant_id) OR (new.id IS DISTINCT FROM old.id)) OR (new.invoice_id IS DISTINCT FROM old.invoice_id)) OR (new.amount_cents IS DISTINCT FROM old.amount_cents)) OR (new.paid_at IS DISTINCT FROM old.paid_at)) OR (new.reference IS DISTINCT FROM old.reference)) OR (new.recorded_by IS DISTINCT FROM old.recorded_by)) OR (new.recorded_at IS DISTINCT FROM old.recorded_at)))) EXECUTE FUNCTION invoicing.refuse_change_of_payment();
CREATE UNIQUE INDEX payment_id_once ON invoicing.payment USING btree (id);
CREATE UNIQUE INDEX payment_once ON invoicing.payment USING btree (tenant_id, invoice_id, reference) WHERE (reversed_at IS NULL);

create table llm_usage.event (
  gateway_id text not null,
  gateway_request_id text not null,
  id uuid not null,
  tenant_id text not null,
  deployment_id uuid not null,
  occurred_at timestamp with time zone not null,
  provider text not null,
  model text not null,
  usage jsonb not null,
  charge numeric,
  currency text not null,
  upstream_cost numeric,
  price_version text,
  adjusts text,
  tags jsonb not null,
  content_hash text not null,
  received_at timestamp with time zone not null,
  byok boolean not null default false,
  changed_in xid8 not null,
  constraint event_pkey PRIMARY KEY (gateway_id, gateway_request_id),
  constraint event_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint event_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint event_is_negative_only_as_adjustment CHECK (((charge >= (0)::numeric) OR (adjusts IS NOT NULL)))
);
CREATE INDEX event_changed_in ON llm_usage.event USING btree (tenant_id, changed_in);
CREATE INDEX event_held ON llm_usage.event USING btree (tenant_id, occurred_at) WHERE ((charge IS NULL) AND (NOT byok));
CREATE INDEX event_of_deployment ON llm_usage.event USING btree (tenant_id, deployment_id, occurred_at);
CREATE INDEX event_received_at ON llm_usage.event USING btree (tenant_id, received_at);
CREATE INDEX event_too_late ON llm_usage.event USING btree (tenant_id, occurred_at) WHERE (((occurred_at AT TIME ZONE 'UTC'::text) + '11 mons'::interval) < (received_at AT TIME ZONE 'UTC'::text));
CREATE TRIGGER event_changed BEFORE INSERT OR UPDATE ON llm_usage.event FOR EACH ROW EXECUTE FUNCTION platform.note_transaction();
CREATE UNIQUE INDEX event_id_once ON llm_usage.event USING btree (id);

create table metering.usage_event (
  tenant_id text not null,
  source text not null,
  event_id text not null,
  deployment_id uuid not null,
  meter text not null,
  quantity numeric not null,
  occurred_at timestamp with time zone not null,
  properties jsonb not null,
  content_hash text not null,
  received_at timestamp with time zone not null,
  changed_in xid8 not null,
  constraint usage_event_pkey PRIMARY KEY (tenant_id, source, event_id),
  constraint usage_event_meter_fkey FOREIGN KEY (meter) REFERENCES catalog.meter(code),
  constraint usage_event_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id)
);
CREATE INDEX usage_event_changed_in ON metering.usage_event USING btree (tenant_id, changed_in);
CREATE INDEX usage_event_of_deployment ON metering.usage_event USING btree (tenant_id, deployment_id, occurred_at);
CREATE INDEX usage_event_of_meter ON metering.usage_event USING btree (tenant_id, deployment_id, meter, occurred_at);
CREATE INDEX usage_event_received_at ON metering.usage_event USING btree (tenant_id, received_at);
CREATE INDEX usage_event_too_late ON metering.usage_event USING btree (tenant_id, occurred_at) WHERE (((occurred_at AT TIME ZONE 'UTC'::text) + '11 mons'::interval) < (received_at AT TIME ZONE 'UTC'::text));
CREATE TRIGGER usage_event_changed BEFORE INSERT OR UPDATE ON metering.usage_event FOR EACH ROW EXECUTE FUNCTION platform.note_transaction();

create table platform.idempotency_key (
  subject text not null,
  key text not null,
  request_hash text not null,
  status_code integer,
  response text,
  content_type text,
  created_at timestamp with time zone not null,
  claim uuid,
  path text,
  constraint idempotency_key_pkey PRIMARY KEY (subject, key),
  constraint idempotency_key_answer_whole CHECK (((status_code IS NULL) = (response IS NULL))),
  constraint idempotency_key_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);
CREATE INDEX idempotency_key_created_at ON platform.idempotency_key USING btree (created_at);

create table platform.migration (
  version integer not null,
  name text not null,
  checksum text not null,
  breaking boolean not null,
  applied_at timestamp with time zone not null,
  constraint migration_pkey PRIMARY KEY (version)
);

create table platform.run (
  id uuid not null,
  name text not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  outcome text not null,
  detail text,
  constraint run_pkey PRIMARY KEY (id),
  constraint run_outcome_check CHECK ((outcome = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'skipped'::text])))
);
CREATE INDEX run_name_started_at ON platform.run USING btree (name, started_at DESC);

create table subscriptions.addon (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  code text not null,
  name text not null,
  price_cents bigint not null,
  currency text not null,
  quantity numeric not null,
  unit text,
  grants_meter text,
  starts_on date not null,
  ends_on date,
  constraint addon_pkey PRIMARY KEY (tenant_id, id),
  constraint addon_tenant_id_subscription_id_fkey FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions.subscription(tenant_id, id),
  constraint addon_ends_after_start CHECK (((ends_on IS NULL) OR (ends_on >= starts_on))),
  constraint addon_price_cents_check CHECK ((price_cents >= 0)),
  constraint addon_quantity_check CHECK ((quantity >= (0)::numeric))
);
CREATE INDEX addon_of_subscription ON subscriptions.addon USING btree (tenant_id, subscription_id);

create table subscriptions.discount (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  position integer not null,
  name text not null,
  rate numeric,
  amount_cents bigint,
  line_kinds text[],
  starts_on date not null,
  ends_on date,
  created_at timestamp with time zone not null,
  constraint discount_in_order UNIQUE (tenant_id, subscription_id, "position"),
  constraint discount_pkey PRIMARY KEY (tenant_id, id),
  constraint discount_tenant_id_subscription_id_fkey FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions.subscription(tenant_id, id),
  constraint discount_amount_cents_check CHECK ((amount_cents > 0)),
  constraint discount_by_rate_or_amount CHECK ((num_nonnulls(rate, amount_cents) = 1)),
  constraint discount_ends_after_start CHECK (((ends_on IS NULL) OR (ends_on >= starts_on))),
  constraint discount_position_check CHECK (("position" >= 0)),
  constraint discount_rate_check CHECK (((rate > (0)::numeric) AND (rate <= (1)::numeric)))
);

create table subscriptions.override (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  base_price_cents bigint,
  commitment_cents bigint,
  charges jsonb,
  created_at timestamp with time zone not null,
  constraint override_of_its_subscription UNIQUE (tenant_id, subscription_id, id),
  constraint override_pkey PRIMARY KEY (tenant_id, id),
  constraint override_tenant_id_subscription_id_fkey FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions.subscription(tenant_id, id),
  constraint override_base_price_cents_check CHECK ((base_price_cents >= 0)),
  constraint override_commitment_cents_check CHECK ((commitment_cents >= 0)),
  constraint override_of_something CHECK ((num_nonnulls(base_price_cents, commitment_cents, NULLIF(charges, '[]'::jsonb)) > 0))
);

create table subscriptions.phase (
  tenant_id text not null,
  id uuid not null,
  subscription_id uuid not null,
  plan_version_id uuid not null,
  mode text not null,
  starts_on date not null,
  ends_on date,
  override_id uuid,
  constraint phase_no_overlap EXCLUDE USING gist (tenant_id WITH =, subscription_id WITH =, daterange(starts_on, ends_on) WITH &&),
  constraint phase_pkey PRIMARY KEY (tenant_id, id),
  constraint phase_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES catalog.plan_version(id),
  constraint phase_tenant_id_subscription_id_fkey FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions.subscription(tenant_id, id),
  constraint phase_tenant_id_subscription_id_override_id_fkey FOREIGN KEY (tenant_id, subscription_id, override_id) REFERENCES subscriptions.override(tenant_id, subscription_id, id),
  constraint phase_ends_after_start CHECK (((ends_on IS NULL) OR (ends_on >= starts_on))),
  constraint phase_mode_check CHECK ((mode = ANY (ARRAY['normal'::text, 'trial'::text, 'paused'::text])))
);

create table subscriptions.subscription (
  tenant_id text not null,
  id uuid not null,
  deployment_id uuid not null,
  starts_on date not null,
  ends_on date,
  trial_ends_on date,
  created_at timestamp with time zone not null,
  changed_at timestamp with time zone not null,
  changed_in xid8 not null,
  constraint subscription_no_overlap EXCLUDE USING gist (tenant_id WITH =, deployment_id WITH =, daterange(starts_on, ends_on) WITH &&),
  constraint subscription_pkey PRIMARY KEY (tenant_id, id),
  constraint subscription_tenant_id_deployment_id_fkey FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments.deployment(tenant_id, id),
  constraint subscription_ends_after_start CHECK (((ends_on IS NULL) OR (ends_on >= starts_on))),
  constraint subscription_trial_ends_after_start CHECK ((trial_ends_on >= starts_on))
);
CREATE TRIGGER subscription_changed BEFORE INSERT OR UPDATE ON subscriptions.subscription FOR EACH ROW EXECUTE FUNCTION platform.note_transaction();
CREATE UNIQUE INDEX subscription_id_once ON subscriptions.subscription USING btree (id);
CREATE UNIQUE INDEX subscription_one_live ON subscriptions.subscription USING btree (tenant_id, deployment_id) WHERE (ends_on IS NULL);

create table tenants.tenant (
  id text not null,
  legal_name text not null,
  email text,
  address text,
  country text not null,
  tax_id text,
  currency text not null,
  timezone text not null,
  tax_treatment text not null,
  tax_name text,
  tax_rate numeric,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  tax_assumed text[],
  constraint tenant_pkey PRIMARY KEY (id),
  constraint tenant_country_check CHECK ((country ~ '^[A-Z]{2}$'::text)),
  constraint tenant_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint tenant_id_check CHECK ((id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'::text)),
  constraint tenant_legal_name_check CHECK (((length(legal_name) >= 1) AND (length(legal_name) <= 200))),
  constraint tenant_tax_assumed_check CHECK (((tax_assumed <@ ARRAY['treatment'::text, 'name'::text, 'rate'::text]) AND (cardinality(tax_assumed) > 0))),
  constraint tenant_tax_is_whole CHECK (((tax_treatment <> 'taxable'::text) OR ((tax_name IS NOT NULL) AND (tax_rate IS NOT NULL) AND (tax_rate > (0)::numeric) AND (tax_rate < (1)::numeric)))),
  constraint tenant_tax_treatment_check CHECK ((tax_treatment = ANY (ARRAY['taxable'::text, 'export'::text, 'exempt'::text])))
);
CREATE UNIQUE INDEX tenant_id_without_case ON tenants.tenant USING btree (lower(id));

CREATE OR REPLACE FUNCTION costs.await_new_lines()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock(7274210);
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.is_settled(bill_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (
    select from costs.provider_invoice i
    join costs.period_close c
      on c.period_start = date_trunc('month', i.period_start::timestamp)::date and c.reopened_at is null
    where i.id = bill_id and i.status = 'issued'
  )
$function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_exchange_rate()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the rate from % to % of % is recorded and stays', old.from_currency, old.to_currency, old.date
    using errcode = 'check_violation', constraint = 'exchange_rate_stays';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_issued_bill()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the bill % is issued and cannot be changed', old.invoice_number
    using errcode = 'check_violation', constraint = 'provider_invoice_issued_is_immutable';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_issued_line()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (
    select from costs.provider_invoice i
    where i.id in (old.provider_invoice_id, new.provider_invoice_id) and i.status in ('issued', 'withdrawn')
  ) then
    raise exception 'the lines of an issued bill cannot be changed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_settled_difference()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'what was settled is kept as it was'
    using errcode = 'check_violation', constraint = 'settled_difference_is_kept';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_withdrawn_bill()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the bill % is withdrawn and is kept as it was', old.external_id
    using errcode = 'check_violation', constraint = 'provider_invoice_withdrawn_is_kept';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_change_of_withdrawn_line()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'what was withdrawn is kept as it was'
    using errcode = 'check_violation', constraint = 'withdrawn_line_is_kept';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_lines_without_ground()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  missing text;
  is_late boolean;
begin
  perform pg_advisory_xact_lock_shared(7274210);
  select
    case
      when not bool_and(i.id is not null) then 'bill'
      when not bool_and(n.resource_id is null or r.id is not null) then 'resource'
      when not bool_and(n.deployment_id is null or d.id is not null) then 'deployment'
    end,
    bool_or(i.status in ('issued', 'withdrawn'))
  into missing, is_late
  from changed n
  left join costs.provider_invoice i on i.id = n.provider_invoice_id
  left join inventory.resource r on r.id = n.resource_id
  left join deployments.deployment d on d.id = n.deployment_id and d.tenant_id = n.tenant_id;
  if missing is not null then
    raise exception 'a line refers to a % that does not exist', missing
      using errcode = 'foreign_key_violation', constraint = 'cost_line_' || missing || '_exists';
  end if;
  if tg_op = 'INSERT' and is_late then
    raise exception 'an issued bill gets no more lines'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_other_id()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'cost lines refer to this by its id'
    using errcode = 'foreign_key_violation', constraint = 'cost_line_refers_to_it';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_other_line()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'a share stays with its line'
    using errcode = 'check_violation', constraint = 'line_share_keeps_its_line';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_rematch_in_closed_month()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from costs.period_close where reopened_at is null) then
    return null;
  end if;
  if exists (
    select from (select distinct provider_invoice_id as id from changed) bill where costs.is_settled(bill.id)
  ) then
    raise exception 'the month of the bill is closed: its lines keep whose cost they are'
      using errcode = 'check_violation', constraint = 'cost_line_closed_month_stays';
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_removal_below_lines()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  is_used boolean;
begin
  execute format('select exists (select from removed r join costs.cost_line l on l.%I = r.id)', tg_argv[0]) into is_used;
  if is_used then
    raise exception 'cost lines refer to what would be removed'
      using errcode = 'foreign_key_violation', constraint = 'cost_line_refers_to_it';
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_removal_of_closing()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the closing of a month is kept: reopen the month with a reason'
    using errcode = 'check_violation', constraint = 'period_close_is_kept';
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_removal_of_issued_lines()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (
    select from removed r join costs.provider_invoice i on i.id = r.provider_invoice_id where i.status = 'issued'
  ) then
    raise exception 'the lines of an issued bill cannot be removed'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_shares_in_closed_month()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from costs.period_close where reopened_at is null) then
    return null;
  end if;
  if exists (
    select from (
      select distinct l.provider_invoice_id as id from changed c join costs.cost_line l on l.id = c.cost_line_id
    ) bill
    where costs.is_settled(bill.id)
  ) then
    raise exception 'the month of the bill is closed: its lines keep their shares'
      using errcode = 'check_violation', constraint = 'line_share_closed_month_stays';
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION costs.refuse_withdrawal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.status = 'announced' or old.read_from is distinct from 'upload' then
    raise exception 'only a bill that was uploaded can be withdrawn'
      using errcode = 'check_violation', constraint = 'provider_invoice_withdrawn_was_uploaded';
  end if;
  if exists (
    select from costs.period_close c
    where c.period_start = date_trunc('month', old.period_start::timestamp)::date and c.reopened_at is null
  ) then
    raise exception 'the month of the bill is closed: it cannot be withdrawn'
      using errcode = 'check_violation', constraint = 'provider_invoice_closed_month_keeps_it';
  end if;
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION catalog.filter_in_order(filter jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_object_agg(
    property, (select coalesce(jsonb_agg(distinct value order by value), '[]') from jsonb_array_elements(accepted) as v(value))
  )
  from jsonb_each(filter) as f(property, accepted)
$function$
;

CREATE OR REPLACE FUNCTION catalog.refuse_change_of_published_charge()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  owner_id uuid := case when tg_op = 'DELETE' then old.plan_version_id else new.plan_version_id end;
begin
  if exists (
    select 1 from catalog.plan_version v
    where v.status <> 'draft' and v.id in (owner_id, case when tg_op = 'UPDATE' then old.plan_version_id end)
  ) then
    raise exception 'the charges of a published plan version cannot be changed'
      using errcode = 'check_violation', constraint = 'charge_published_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $function$
;

CREATE OR REPLACE FUNCTION catalog.refuse_change_of_published_version()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' then
    if old.status <> 'draft' and exists (select from catalog.plan where code = old.plan_code) then
      raise exception 'plan version %/% is published and cannot be deleted', old.plan_code, old.version
        using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
    end if;
    return old;
  end if;
  -- A published version may only be retired, and a retired one stays; every other column stays what was agreed to.
  if old.status <> 'draft' and (
    new.status = 'draft'
    or (old.status = 'retired' and (new.status, new.retired_at) is distinct from (old.status, old.retired_at))
    or (new.id, new.plan_code, new.version, new.currency, new.interval, new.base_price_cents, new.commitment_cents, new.proration, new.created_at, new.published_at)
      is distinct from
      (old.id, old.plan_code, old.version, old.currency, old.interval, old.base_price_cents, old.commitment_cents, old.proration, old.created_at, old.published_at)
  ) then
    raise exception 'plan version %/% is published and cannot be changed', old.plan_code, old.version
      using errcode = 'check_violation', constraint = 'plan_version_published_is_immutable';
  end if;
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION catalog.refuse_two_prices()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (
    select from catalog.charge c where c.plan_version_id = new.id
    group by c.meter, catalog.filter_in_order(c.filter) having count(*) > 1
  ) then
    raise exception 'plan version %/% prices some usage twice', new.plan_code, new.version
      using errcode = 'check_violation', constraint = 'plan_version_usage_has_one_price';
  end if;
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION platform.note_transaction()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION events.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'an event is never changed' using errcode = 'check_violation', constraint = 'event_is_append_only';
end $function$
;

CREATE OR REPLACE FUNCTION invoicing.refuse_change_of_issued_invoice()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  -- After a draft only the state may move: to paid and back, and to void. Nothing that the customer was told changes.
  if old.status <> 'draft' and (
    tg_op = 'DELETE'
    or (old.status, new.status) not in (('issued', 'issued'), ('issued', 'paid'), ('issued', 'void'), ('paid', 'paid'),
      ('paid', 'issued'), ('paid', 'void'), ('void', 'void'))
    or (new.tenant_id, new.id, new.number, new.period_start, new.period_end, new.currency, new.minor_unit_places,
        new.subtotal_cents, new.tax_cents, new.total_cents, new.seller, new.buyer, new.tax, new.engine_version,
        new.inputs_hash, new.created_at, new.issued_at, new.issued_by)
      is distinct from
       (old.tenant_id, old.id, old.number, old.period_start, old.period_end, old.currency, old.minor_unit_places,
        old.subtotal_cents, old.tax_cents, old.total_cents, old.seller, old.buyer, old.tax, old.engine_version,
        old.inputs_hash, old.created_at, old.issued_at, old.issued_by)
  ) then
    raise exception 'invoice % is % and cannot be changed', coalesce(old.number, old.id::text), old.status
      using errcode = 'check_violation', constraint = 'invoice_issued_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $function$
;

CREATE OR REPLACE FUNCTION invoicing.refuse_change_of_issued_line()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$
;

CREATE OR REPLACE FUNCTION invoicing.refuse_change_of_payment()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'payment % is recorded and stays', old.reference
    using errcode = 'check_violation', constraint = 'payment_stays';
end $function$
;
