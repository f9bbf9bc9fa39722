-- breaking: an older program would count payments that are reversed.
-- A payment that did not arrive after all is reversed, not removed: it stays with who reversed it and why, and its reference
-- may come again.
alter table invoicing.payment
  add column reversed_at timestamptz,
  add column reversed_by text,
  add column reversal_reason text check (reversal_reason <> ''),
  add constraint payment_reversed_whole check (
    (reversed_at is null) = (reversed_by is null) and (reversed_at is null) = (reversal_reason is null)
  ),
  drop constraint payment_once;
create unique index payment_once on invoicing.payment (tenant_id, invoice_id, reference) where reversed_at is null;
create unique index payment_id_once on invoicing.payment (id);

create function invoicing.refuse_change_of_payment() returns trigger language plpgsql as $$
begin
  raise exception 'payment % is recorded and stays', old.reference
    using errcode = 'check_violation', constraint = 'payment_stays';
end $$;

create trigger payment_stays before update on invoicing.payment for each row
  when (
    old.reversed_at is not null
    or (new.tenant_id, new.id, new.invoice_id, new.amount_cents, new.paid_at, new.reference, new.recorded_by, new.recorded_at)
      is distinct from
      (old.tenant_id, old.id, old.invoice_id, old.amount_cents, old.paid_at, old.reference, old.recorded_by, old.recorded_at)
  )
  execute function invoicing.refuse_change_of_payment();
create trigger payment_is_kept before delete on invoicing.payment
  for each row execute function invoicing.refuse_change_of_payment();
