// Generated from the migrated schema by `npm run generate`. Do not edit.
import type { ColumnType } from 'kysely'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** Read as bigint, written as bigint or as a whole number. */
type Int8 = ColumnType<bigint, bigint | number, bigint | number>
/** A parameter made by `jsonb()`: the drivers would send an array or a text as something else. */
export type JsonText = string & { readonly json: true }
/** Read parsed, written with `jsonb()`. */
type Jsonb = ColumnType<Json, JsonText, JsonText>
type NullableJsonb = ColumnType<Json | null, JsonText | null, JsonText | null>
/** Computed by the database. */
type Computed<T> = ColumnType<T, never, never>

export interface DB {
  'catalog.addon': {
    code: string
    name: string
    price_cents: Int8
    currency: string
    quantity: string
    unit: string | null
    grants_meter: string | null
    created_at: Temporal.Instant
  }
  'catalog.charge': {
    plan_version_id: string
    position: number
    meter: string
    model: 'per_unit' | 'graduated' | 'volume' | 'package' | 'percentage'
    unit_price: string | null
    tiers: NullableJsonb
    package_size: string | null
    package_price: string | null
    rate: string | null
    included_quantity: string | null
    min_amount: string | null
    max_amount: string | null
    filter: NullableJsonb
    fixed_per_event: string | null
    min_per_event: string | null
    max_per_event: string | null
  }
  'catalog.meter': {
    code: string
    name: string
    unit: string
    aggregation: 'sum' | 'count' | 'max' | 'last' | 'unique_count' | 'time_weighted_sum'
    unique_property: string | null
    created_at: Temporal.Instant
  }
  'catalog.plan': {
    code: string
    name: string
    created_at: Temporal.Instant
  }
  'catalog.plan_version': {
    id: string
    plan_code: string
    version: number
    status: 'draft' | 'published' | 'retired'
    currency: string
    interval: 'month' | 'year'
    base_price_cents: Int8
    proration: 'daily' | 'none'
    created_at: Temporal.Instant
    published_at: Temporal.Instant | null
    commitment_cents: Int8 | null
    retired_at: Temporal.Instant | null
  }
  'costs.allocation_rule': {
    id: string
    provider: string
    product: string | null
    project: string | null
    description: string | null
    shares: Jsonb
    created_at: Temporal.Instant
    created_by: string
    basis: 'fixed' | 'even' | 'direct_cost' | 'meter'
    meter: string | null
    deployment_ids: string[]
  }
  'costs.balance': {
    provider: string
    generated_at: Temporal.Instant
    month_to_date_balance: string
    account_balance: string
    month_to_date_usage: string
    currency: string
    taken_at: Temporal.Instant
  }
  'costs.billing_entry': {
    id: string
    provider: string
    occurred_at: Temporal.Instant
    type: string
    amount: string
    currency: string
    description: string
    invoice_number: string | null
    invoice_uuid: string | null
    occurrence: number
    first_seen_at: Temporal.Instant
    missing_since: Temporal.Instant | null
  }
  'costs.billing_history_reading': {
    provider: string
    read_at: Temporal.Instant
  }
  'costs.cost_line': {
    provider_invoice_id: string
    position: number
    id: string
    provider: string
    kind: string
    product: string
    group_description: string | null
    description: string
    charge_category: 'Usage' | 'Purchase' | 'Tax' | 'Credit' | 'Adjustment'
    amount: string
    currency: string
    charge_start: Temporal.Instant
    charge_end: Temporal.Instant
    quantity: string | null
    unit: string | null
    project: string | null
    external_resource_id: string | null
    external_resource_uuid: string | null
    resource_name: string | null
    resource_id: string | null
    tenant_id: string | null
    deployment_id: string | null
    match_status: 'matched' | 'allocated' | 'unmatched' | 'not_applicable'
    match_method: string | null
    match_reason: string
    service_category: string
    service_name: string
    region: string | null
    extra: NullableJsonb
  }
  'costs.exchange_rate': {
    from_currency: string
    to_currency: string
    date: Temporal.PlainDate
    rate: string
    source: string
    recorded_at: Temporal.Instant
    recorded_by: string
    withdrawn_at: Temporal.Instant | null
    withdrawn_by: string | null
    withdrawn_reason: string | null
    id: string
  }
  'costs.line_share': {
    cost_line_id: string
    tenant_id: string
    deployment_id: string
    amount: string
    weight: string | null
  }
  'costs.period_close': {
    id: string
    period_start: Temporal.PlainDate
    closed_at: Temporal.Instant
    closed_by: string
    reopened_at: Temporal.Instant | null
    reopened_by: string | null
    reopen_reason: string | null
  }
  'costs.provider_invoice': {
    id: string
    provider: string
    external_id: string
    provider_uuid: string | null
    invoice_number: string | null
    status: 'announced' | 'preview' | 'issued' | 'withdrawn'
    period_start: Temporal.PlainDate
    period_end: Temporal.PlainDate
    currency: string
    amount: string
    lines_amount: string | null
    tax_amount: string | null
    gap: Computed<string | null>
    summary: NullableJsonb
    line_count: number | null
    read_from: 'items' | 'csv' | 'upload' | null
    content_hash: string | null
    difference: NullableJsonb
    announced_at: Temporal.Instant
    ingested_at: Temporal.Instant | null
    compared_at: Temporal.Instant | null
    incomplete_readings: number
    last_error: string | null
    differing_lines: NullableJsonb
    billing_account: string | null
    number_is_stated: boolean
    issuer_name: string | null
    withdrawn_at: Temporal.Instant | null
    withdrawn_by: string | null
    withdrawn_reason: string | null
    replaced_by: string | null
  }
  'costs.remembered_assignment': {
    provider: string
    kind: string
    resource_name: string
    tenant_id: string
    deployment_id: string
    created_at: Temporal.Instant
    created_by: string
  }
  'costs.settled_difference': {
    id: string
    provider_invoice_id: string
    difference: Jsonb
    differing_lines: NullableJsonb
    settled_at: Temporal.Instant
    settled_by: string
    reason: string
  }
  'costs.withdrawn_line': {
    provider_invoice_id: string
    position: number
    amount: string
    line: Jsonb
  }
  'deployments.deployment': {
    tenant_id: string
    id: string
    slug: string
    display_name: string
    template_code: string | null
    llm_mode: 'off' | 'metered' | 'byok'
    state: 'trial' | 'active' | 'past_due' | 'paused' | 'suspended' | 'cancelled' | 'archived'
    billing_action_suspended: boolean
    created_at: Temporal.Instant
    updated_at: Temporal.Instant
    template_version: string | null
    region: string | null
    slug_released_at: Temporal.Instant | null
  }
  'deployments.event': {
    tenant_id: string
    id: string
    deployment_id: string
    kind: 'created' | 'transition' | 'updated'
    from_state: string | null
    to_state: string | null
    actor: string
    reason: string | null
    details: Jsonb
    occurred_at: Temporal.Instant
  }
  'events.event': {
    id: string
    type: string
    occurred_at: Temporal.Instant
    tenant_id: string | null
    subject_kind: string
    subject_id: string
    actor: string
    reason: string | null
    data: Jsonb
  }
  'finance.push': {
    id: string
    document: 'provider_invoice' | 'invoice'
    source: string
    external_id: string
    tenant_id: string | null
    payload: Jsonb
    status: 'pending' | 'pushed' | 'failed' | 'not_configured'
    action: 'created' | 'updated' | null
    finance_id: string | null
    attempts: number
    next_attempt_at: Temporal.Instant | null
    claimed_until: Temporal.Instant | null
    first_attempt_at: Temporal.Instant | null
    last_error: string | null
    created_at: Temporal.Instant
    pushed_at: Temporal.Instant | null
    minor_unit_places: number
  }
  'inventory.listing': {
    provider: string
    kind: string
    listed_at: Temporal.Instant | null
    tried_at: Temporal.Instant
    last_error: string | null
    scope: string | null
    unread: Jsonb
  }
  'inventory.ownership_change': {
    id: string
    tenant_id: string
    deployment_id: string
    starts_at: Temporal.Instant
    ends_at: Temporal.Instant | null
    changed_at: Temporal.Instant
    changed_in: Computed<string>
  }
  'inventory.resource': {
    id: string
    provider: string
    kind: 'droplet' | 'kubernetes_node' | 'volume' | 'database' | 'kubernetes_cluster' | 'load_balancer' | 'reserved_ip' | 'snapshot' | 'backup' | 'app' | 'container_registry' | 'project'
    external_id: string
    name: string
    region: string | null
    project: string | null
    tags: string[]
    born_at: Temporal.Instant
    gone_at: Temporal.Instant | null
    first_seen_at: Temporal.Instant
    last_seen_at: Temporal.Instant
    assigned_deployment_id: string | null
    assigned_tenant_id: string | null
    parent_kind: string | null
    parent_external_id: string | null
  }
  'inventory.span': {
    id: string
    resource_id: string
    starts_at: Temporal.Instant
    ends_at: Temporal.Instant | null
    name: string
    size: string
    size_gb: string
    tenant_id: string | null
    deployment_id: string | null
    changed_at: Temporal.Instant
    project: string | null
    tags: string[]
    price_monthly: string | null
    changed_in: Computed<string>
  }
  'invoicing.acknowledged_usage': {
    tenant_id: string
    id: string
    deployment_id: string
    period_start: Temporal.PlainDate
    acknowledged_at: Temporal.Instant
    facts_seen: string
  }
  'invoicing.credit_note': {
    tenant_id: string
    id: string
    invoice_id: string
    number: string
    amount_cents: Int8
    tax_cents: Int8
    reason: string
    created_by: string
    created_at: Temporal.Instant
  }
  'invoicing.credit_note_month': {
    tenant_id: string
    credit_note_id: string
    period_start: Temporal.PlainDate
    amount_cents: Int8
  }
  'invoicing.invoice': {
    tenant_id: string
    id: string
    number: string | null
    period_start: Temporal.PlainDate
    period_end: Temporal.PlainDate
    status: 'draft' | 'issued' | 'paid' | 'void'
    currency: string
    subtotal_cents: Int8
    tax_cents: Int8
    total_cents: Int8
    seller: Jsonb
    buyer: Jsonb
    tax: Jsonb
    engine_version: string
    inputs_hash: string
    created_at: Temporal.Instant
    issued_at: Temporal.Instant | null
    issued_by: string | null
    paid_at: Temporal.Instant | null
    voided_at: Temporal.Instant | null
    voided_by: string | null
    void_reason: string | null
    minor_unit_places: number
    facts_seen: string | null
  }
  'invoicing.invoice_line': {
    tenant_id: string
    invoice_id: string
    position: number
    id: string
    kind: 'plan_base' | 'addon' | 'usage' | 'overage' | 'minimum' | 'llm_usage' | 'adjustment' | 'credit' | 'tax'
    deployment_id: string | null
    subscription_id: string | null
    meter: string | null
    description: string
    quantity: string | null
    unit_price: string | null
    amount_precise: string
    amount_cents: Int8
    service_start: Temporal.PlainDate
    service_end: Temporal.PlainDate
    taxable: boolean
    details: Jsonb
  }
  'invoicing.number_series': {
    series: string
    last_number: Int8
  }
  'invoicing.parked': {
    tenant_id: string
    period_start: Temporal.PlainDate
    code: string
    detail: string
    parked_at: Temporal.Instant
  }
  'invoicing.payment': {
    tenant_id: string
    id: string
    invoice_id: string
    amount_cents: Int8
    paid_at: Temporal.Instant
    reference: string
    recorded_by: string
    recorded_at: Temporal.Instant
    reversed_at: Temporal.Instant | null
    reversed_by: string | null
    reversal_reason: string | null
  }
  'llm_usage.event': {
    gateway_id: string
    gateway_request_id: string
    id: string
    tenant_id: string
    deployment_id: string
    occurred_at: Temporal.Instant
    provider: string
    model: string
    usage: Jsonb
    charge: string | null
    currency: string
    upstream_cost: string | null
    price_version: string | null
    adjusts: string | null
    tags: Jsonb
    content_hash: string
    received_at: Temporal.Instant
    byok: boolean
    changed_in: Computed<string>
  }
  'metering.usage_event': {
    tenant_id: string
    source: string
    event_id: string
    deployment_id: string
    meter: string
    quantity: string
    occurred_at: Temporal.Instant
    properties: Jsonb
    content_hash: string
    received_at: Temporal.Instant
    changed_in: Computed<string>
  }
  'platform.idempotency_key': {
    subject: string
    key: string
    request_hash: string
    status_code: number | null
    response: string | null
    content_type: string | null
    created_at: Temporal.Instant
    claim: string | null
    path: string | null
  }
  'platform.migration': {
    version: number
    name: string
    checksum: string
    breaking: boolean
    applied_at: Temporal.Instant
  }
  'platform.run': {
    id: string
    name: string
    started_at: Temporal.Instant
    finished_at: Temporal.Instant | null
    outcome: 'running' | 'done' | 'failed' | 'skipped'
    detail: string | null
  }
  'subscriptions.addon': {
    tenant_id: string
    id: string
    subscription_id: string
    code: string
    name: string
    price_cents: Int8
    currency: string
    quantity: string
    unit: string | null
    grants_meter: string | null
    starts_on: Temporal.PlainDate
    ends_on: Temporal.PlainDate | null
  }
  'subscriptions.discount': {
    tenant_id: string
    id: string
    subscription_id: string
    position: number
    name: string
    rate: string | null
    amount_cents: Int8 | null
    line_kinds: string[] | null
    starts_on: Temporal.PlainDate
    ends_on: Temporal.PlainDate | null
    created_at: Temporal.Instant
  }
  'subscriptions.override': {
    tenant_id: string
    id: string
    subscription_id: string
    base_price_cents: Int8 | null
    commitment_cents: Int8 | null
    charges: NullableJsonb
    created_at: Temporal.Instant
  }
  'subscriptions.phase': {
    tenant_id: string
    id: string
    subscription_id: string
    plan_version_id: string
    mode: 'normal' | 'trial' | 'paused'
    starts_on: Temporal.PlainDate
    ends_on: Temporal.PlainDate | null
    override_id: string | null
  }
  'subscriptions.subscription': {
    tenant_id: string
    id: string
    deployment_id: string
    starts_on: Temporal.PlainDate
    ends_on: Temporal.PlainDate | null
    trial_ends_on: Temporal.PlainDate | null
    created_at: Temporal.Instant
    changed_at: Temporal.Instant
    changed_in: Computed<string>
  }
  'tenants.tenant': {
    id: string
    legal_name: string
    email: string | null
    address: string | null
    country: string
    tax_id: string | null
    currency: string
    timezone: string
    tax_treatment: 'taxable' | 'export' | 'exempt'
    tax_name: string | null
    tax_rate: string | null
    created_at: Temporal.Instant
    updated_at: Temporal.Instant
    tax_assumed: string[] | null
  }
}
