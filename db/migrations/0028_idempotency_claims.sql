-- A claim has an id, so that one that was taken over by a repeated call cannot store its effect any more, and says what
-- its key was used for.
alter table platform.idempotency_key
  add column claim uuid,
  add column path text;
