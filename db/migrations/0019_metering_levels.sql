-- breaking: an older program has no quantity for a level, and would refuse its events.
-- An event of a meter with the aggregation time_weighted_sum changes a level, up or down; the program refuses a negative
-- quantity for every other meter.
alter table metering.usage_event drop constraint usage_event_quantity_check;

-- A level is the sum of all its changes ever: they are found without the events of the other meters.
create index usage_event_of_meter on metering.usage_event (tenant_id, deployment_id, meter, occurred_at);
