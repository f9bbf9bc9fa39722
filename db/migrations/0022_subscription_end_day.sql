-- breaking: an older program expects a phase to have days.
-- A subscription that is cancelled on its first day has no days, but its plan: a phase that ends where it starts says
-- what is used on that day is billed by. One that is called off before it starts has none.
alter table subscriptions.phase
  drop constraint phase_ends_after_start,
  add constraint phase_ends_after_start check (ends_on is null or ends_on >= starts_on);
