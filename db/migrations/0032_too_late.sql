-- What came so late that no invoice may adjust its month any more (nearly: the month's edges are those of the tenant's zone).
create index usage_event_too_late on metering.usage_event (tenant_id, occurred_at)
  where (occurred_at at time zone 'UTC') + interval '11 months' < (received_at at time zone 'UTC');
create index event_too_late on llm_usage.event (tenant_id, occurred_at)
  where (occurred_at at time zone 'UTC') + interval '11 months' < (received_at at time zone 'UTC');
